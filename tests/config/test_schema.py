from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.errors import AccountsError
from breaker.errors import BreakerError
from config.problems import CODES
from locking.errors import LockError


def kinds(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize("base", [AccountsError, BreakerError, LockError])
def test_every_code_of_a_domain_error_is_on_the_closed_list(base: type[Exception]) -> None:
    import breaker.contrib.google.errors

    assert breaker.contrib.google.errors.GenerationError in kinds(BreakerError)
    # With status 500 they are mistakes in the program, and answered as an internal error.
    codes = {kind.code for kind in kinds(base) if kind.status != 500}  # type: ignore[attr-defined]
    assert codes <= set(CODES)


def test_the_schema_is_valid_and_built_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    assert file.read_text().startswith("openapi: 3.1")


def test_each_operation_tells_what_an_error_looks_like(client: Client, db: None) -> None:
    document = client.get("/api/schema", headers={"accept": "application/json"}).json()
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) >= 12
    assert all("default" in operation["responses"] for operation in operations)
