"""Thousands of requests made from the OpenAPI document, right and wrong ones, alone and in a row.

None may end in an error of ours, or in an answer that is not documented. ``make test`` draws few
and always the same, ``make fuzz`` many and always others.
"""

import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings
from schemathesis import Case, GenerationMode, Response
from schemathesis.specs.openapi import checks

from accounts import sessions
from breaker import get_breaker
from config.headers import SecurityHeaders
from config.requests import Requests
from tests.conformance import document
from tests.conftest import empty_store
from tests.google.conftest import Remote, remote, simulator

__all__ = ["remote", "simulator"]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
HELD = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


def budget(few: int) -> settings:
    return settings(
        max_examples=EXAMPLES or few,
        stateful_step_count=8,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate] + [Phase.shrink] * bool(EXAMPLES),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


class Caller:
    def __init__(self, user: User) -> None:
        self.user = user

    def headers(self) -> dict[str, str]:
        """A token of its own for each request, for what it asks may end its session."""
        return {"Authorization": f"Bearer {sessions.start(self.user).access}"}

    def judge(self, case: Case, response: Response) -> None:
        assert response.status_code != 500, f"{case.as_curl_command()}\n{response.text}"
        # A refusal too, though not one that the library expects of what is wrong.
        large = response.status_code == 413
        spared = [checks.negative_data_rejection] if large else []
        case.validate_response(response, checks=HELD, excluded_checks=spared)


@pytest.fixture
def caller(operator: User) -> Caller:
    return Caller(operator)


def make_circuits() -> None:
    for name in ("veo", "partner/a b"):
        get_breaker(name).call(int)


def unguarded() -> Any:
    """The document, as if everybody were let in: tokens are the caller's affair."""
    copied = deepcopy(document())
    for operations in copied["paths"].values():
        for operation in operations.values():
            del operation["security"]
    return copied


@pytest.fixture
def schema(settings: Settings, remote: Remote) -> Iterator[Any]:
    # Whoever waits for a lock would keep the others from their turn.
    settings.LOCKING = {**settings.LOCKING, "HTTP_WAITERS": 0}
    make_circuits()
    found = schemathesis.openapi.from_dict(unguarded())
    found.app = Requests(SecurityHeaders(WSGIHandler()))
    # As Django's own client does: the connection is in the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield found
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def can_be_wrong(operation: Any) -> bool:
    """Whether it takes anything but names, which may be any text."""
    told = document()["paths"][operation.path][operation.method]
    named = [one["schema"] for one in told.get("parameters", ())]
    return "requestBody" in told or any(schema != {"type": "string"} for schema in named)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_request_alone_is_answered_otherwise_than_documented(
    schema: Any, caller: Caller, mode: GenerationMode
) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
            continue

        @budget(3)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            caller.judge(case, case.call(headers=caller.headers()))

        ask()


def test_no_requests_in_a_row_are(schema: Any, caller: Caller) -> None:
    class Workflow(schema.as_state_machine()):  # type: ignore[misc]
        """Each begins where the one before did, or the same steps would not lead to the same."""

        def setup(self) -> None:
            self.before = transaction.savepoint()
            make_circuits()

        def teardown(self) -> None:
            transaction.savepoint_rollback(self.before)
            empty_store()
            super().teardown()

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": caller.headers()}

        def validate_response(self, response: Response, case: Case, **_: Any) -> None:
            caller.judge(case, response)

    run_state_machine_as_test(Workflow, settings=budget(10))
