"""Nothing that a caller or Google wrote is repeated, but in the record of what was ordered."""

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.forms import model_to_dict
from django.test import Client
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from breaker import CircuitOpenError, get_breaker
from breaker.agent import agent
from breaker.contrib.google import imagen, veo, vertex
from breaker.contrib.google.conf import conf
from breaker.contrib.google.errors import GenerationError
from breaker.contrib.google.models import Generation
from breaker.models import BreakerState, BreakerTransition
from health.contrib.breaker import Breakers
from tests.health.conftest import call as ask
from tests.health.conftest import run as run  # a fixture

from .conftest import Remote
from .test_calls import Made, every_call

SECRET = "the dragon of aunt Adelheid"


def answer(code: int, word: str) -> dict[str, Any]:
    """With the prompt in every place where Google may write."""
    details = [{"@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": SECRET}]
    error = {"code": code, "message": f"cannot do {SECRET!r}", "status": word, "details": details}
    return {"status": code, "body": json.dumps({"error": error})}


FAULTS = {
    "unavailable": (answer(503, "UNAVAILABLE"), "UpstreamUnavailable", "503 UNAVAILABLE"),
    "throttled": (answer(429, "RESOURCE_EXHAUSTED"), "UpstreamThrottled", "429 RESOURCE_EXHAUSTED"),
    "broken": (answer(500, "INTERNAL"), "UpstreamFailed", "500 INTERNAL"),
    "late": (answer(504, "DEADLINE_EXCEEDED"), "UpstreamTimeout", "504 DEADLINE_EXCEEDED"),
    "chatty": (answer(500, SECRET), "UpstreamFailed", "(500)"),
    "no json": ({"body": f"{SECRET}: {{"}, "UpstreamFailed", "could not be read"),
    "page": ({"status": 502, "body": f"<p>{SECRET}</p>"}, "UpstreamFailed", "(502"),
}
every_fault = pytest.mark.parametrize(("knobs", "kind", "said"), FAULTS.values(), ids=FAULTS.keys())


def everything_stored() -> str:
    server = get_redis_connection("breaker")
    return "".join(f"{key!r} {told(server, key)!r}" for key in server.scan_iter())


def told(server: Any, key: bytes) -> Any:
    match server.type(key):
        case b"hash":
            return server.hgetall(key)
        case b"zset":
            return server.zrange(key, 0, -1)
        case b"string":
            return server.get(key)
        case kind:
            raise AssertionError(kind)


@every_call
@every_fault
def test_what_google_wrote_is_in_no_error_circuit_store_or_log(
    remote: Remote, caplog: pytest.LogCaptureFixture, call: Made, service: str,
    knobs: Any, kind: str, said: str,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    remote.fault(service, **knobs)
    for _ in range(5):
        with pytest.raises(GenerationError) as failure:
            call(SECRET)
        logging.getLogger("a caller").error("it failed", exc_info=failure.value)
    with pytest.raises(CircuitOpenError) as refusal:
        call(SECRET)
    assert said in str(failure.value)
    assert refusal.value.last_failure == f"{kind}: {failure.value}"
    for error in (failure.value, refusal.value):
        assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in caplog.text
    assert len(caplog.records) >= 5
    assert SECRET not in everything_stored()
    assert kind in everything_stored()


BROKEN_OFF = {
    "vertex": (vertex.generate, {"candidates": SECRET}, "ValidationError"),
    "imagen": (imagen.generate, {"predictions": [SECRET]}, "Unreadable"),
    "veo": (veo.submit, {"name": {"first": SECRET}}, "ValidationError"),
}


@pytest.mark.parametrize(("call", "body", "kind"), BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_an_answer_of_another_shape_is_told_by_the_class_of_the_error(
    remote: Remote, call: Made, body: Any, kind: str
) -> None:
    remote.fault(call.__module__.rpartition(".")[2], body=json.dumps(body))
    with pytest.raises(GenerationError) as failure:
        call(SECRET)
    assert str(failure.value) == f"Google's answer could not be read ({kind})."
    assert SECRET not in "".join(traceback.format_exception(failure.value))
    assert failure.value.__context__ is not None, "what happened can still be looked at"


@every_call
def test_a_request_that_google_refuses_is_told_by_its_code(
    remote: Remote, call: Made, service: str
) -> None:
    remote.fault(service, **answer(400, "INVALID_ARGUMENT"))
    with pytest.raises(GenerationError) as failure:
        call(SECRET)
    assert str(failure.value) == "Google refused the request (400 INVALID_ARGUMENT)."
    assert SECRET not in "".join(traceback.format_exception(failure.value))


def test_nor_is_it_in_rows_pages_and_metrics(
    transactional_db: None, remote: Remote, settings: Settings, run: Callable[..., Any],
    api: APIClient, operator: User, operator_api: APIClient, client: Client,
) -> None:  # fmt: skip
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True, "NAMESPACE": conf().veo_models[0]}
    settings.HEALTH = {"ALLOWED_CIDRS": ["127.0.0.0/8"]}
    client.force_login(operator)
    remote.fault("imagen", **answer(503, "UNAVAILABLE"))
    replies = [
        api.post(
            "/api/v1/generations",
            {"service": "imagen", "prompt": SECRET},
            format="json",
            headers={"Idempotency-Key": str(number)},
        )
        for number in range(6)
    ]
    assert [reply.json()["code"] for reply in replies] == ["upstream_error"] * 5 + ["circuit_open"]
    assert agent.flush(30)

    name = f"imagen:us-central1:{conf().imagen_models[0]}"
    row = BreakerState.objects.get(name=name)
    rows = [model_to_dict(one) for one in (row, *BreakerTransition.objects.filter(name=name))]
    assert len(rows) == 2
    orders = [{**model_to_dict(one), "prompt": ""} for one in Generation.objects.exclude(prompt="")]
    assert len(orders) == 5
    assert {order["error_detail"] for order in orders} == {
        "Google is unavailable (503 UNAVAILABLE)."
    }
    run(Breakers())
    shown = [
        *(reply.content.decode() for reply in replies),
        operator_api.get(f"/api/v1/breakers/{name}").content.decode(),
        operator_api.get(f"/api/v1/breakers/{name}/transitions").content.decode(),
        operator_api.get("/api/v1/breakers").content.decode(),
        client.get("/admin/breaker/breakerstate/").content.decode(),
        client.get(f"/admin/breaker/breakerstate/{row.pk}/change/").content.decode(),
        client.get("/admin/breaker/breakertransition/").content.decode(),
        client.get("/admin/google/generation/").content.decode(),
        ask("/metrics", REMOTE_ADDR="127.0.0.1").body.decode(),
        ask("/health/detailed", REMOTE_ADDR="127.0.0.1").body.decode(),
        str(rows),
        str(orders),
    ]
    assert not [page for page in shown if "Adelheid" in page]
    assert sum(name in page for page in shown) >= 6, "the pages tell of the circuit"
    assert sum("503 UNAVAILABLE" in page for page in shown) >= 8
    assert get_breaker(name).replica.snapshot.seed.last_error in str(rows)
