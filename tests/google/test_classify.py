import asyncio
import json
import pickle
from typing import Any

import httpx2
import pytest
from google.auth import exceptions as auth
from google.genai import errors

from breaker.classify import Outcome
from breaker.contrib.google.classify import Kind, find, judge, requested_wait
from breaker.contrib.google.errors import (
    GenerationError,
    GoogleNotConfigured,
    IdempotencyKeyMissing,
)
from breaker.contrib.google.results import Blocked, OperationFailed, Text, Unreadable
from breaker.contrib.google.translate import translate


def api_error(
    code: int, *, headers: dict[str, str] | None = None, details: Any = None, status: str = "WORD"
) -> errors.APIError:
    body = {"error": {"code": code, "message": "a prompt", "status": status, "details": details}}
    kind = errors.ClientError if code < 500 else errors.ServerError
    return kind(code, body, httpx2.Response(code, headers=headers))


CODES = [
    (400, Kind.REFUSED, Outcome.NEUTRAL, False, 502),
    (401, Kind.REFUSED, Outcome.NEUTRAL, False, 502),
    (403, Kind.REFUSED, Outcome.NEUTRAL, False, 502),
    (404, Kind.REFUSED, Outcome.NEUTRAL, False, 502),
    (408, Kind.TIMED_OUT, Outcome.FAILURE, True, 504),
    (429, Kind.THROTTLED, Outcome.THROTTLED, False, 503),
    (499, Kind.REFUSED, Outcome.NEUTRAL, False, 502),
    (500, Kind.BROKEN, Outcome.FAILURE, True, 502),
    (502, Kind.BROKEN, Outcome.FAILURE, True, 502),
    (503, Kind.UNAVAILABLE, Outcome.FAILURE, False, 503),
    (504, Kind.TIMED_OUT, Outcome.FAILURE, True, 504),
]


@pytest.mark.parametrize(("code", "kind", "outcome", "begun", "status"), CODES)
def test_a_status_code_has_one_meaning(
    code: int, kind: Kind, outcome: Outcome, begun: bool, status: int
) -> None:
    finding = find(api_error(code))
    assert (finding.kind, finding.outcome, finding.begun) == (kind, outcome, begun)
    assert translate(finding).status == status
    assert translate(finding).begun == begun


EXCEPTIONS = [
    (httpx2.ConnectError("x"), Kind.UNREACHED, False, 503),
    (httpx2.ConnectTimeout("x"), Kind.UNREACHED, False, 503),
    (httpx2.PoolTimeout("x"), Kind.UNREACHED, False, 503),
    (httpx2.ReadTimeout("x"), Kind.TIMED_OUT, True, 504),
    (httpx2.WriteTimeout("x"), Kind.TIMED_OUT, True, 504),
    (TimeoutError(), Kind.TIMED_OUT, True, 504),
    (TimeoutError(), Kind.TIMED_OUT, True, 504),
    (httpx2.RemoteProtocolError("x"), Kind.CUT_OFF, True, 502),
    (httpx2.ReadError("x"), Kind.CUT_OFF, True, 502),
    (ConnectionResetError(), Kind.CUT_OFF, True, 502),
    (json.JSONDecodeError("x", "", 0), Kind.MALFORMED, True, 502),
    (errors.UnknownApiResponseError("x"), Kind.MALFORMED, True, 502),
    (Unreadable(), Kind.MALFORMED, True, 502),
    (auth.RefreshError("x"), Kind.UNAUTHENTICATED, False, 502),
    (auth.TransportError("x"), Kind.UNAUTHENTICATED, False, 502),
    (TypeError("x"), Kind.MALFORMED, True, 502),
    (RecursionError("x"), Kind.MALFORMED, True, 502),
    (AttributeError("x"), Kind.MALFORMED, True, 502),
    (ValueError("Exceeds the limit (4300 digits)"), Kind.MALFORMED, True, 502),
]


@pytest.mark.parametrize(
    ("error", "kind", "begun", "status"),
    EXCEPTIONS,
    ids=[type(case[0]).__qualname__ for case in EXCEPTIONS],
)
def test_an_exception_is_known_by_its_class(
    error: Exception, kind: Kind, begun: bool, status: int
) -> None:
    finding = find(error)
    assert (finding.kind, finding.begun) == (kind, begun)
    assert translate(finding).status == status


RETRY_INFO = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13s"}]


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, None, 7.0),
        (None, RETRY_INFO, 13.0),
        ({"retry-after": "20"}, RETRY_INFO, 20.0),
        (None, [{"reason": "QUOTA"}, "odd", *RETRY_INFO], 13.0),
        (None, [{"retryDelay": "1.5s"}], 1.5),
        ({"Retry-After": "99999"}, None, 3600.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, 5.0),
        ({"Retry-After": "-3"}, None, 5.0),
        (None, None, 5.0),
    ],
)
def test_the_wait_that_google_asks_for_is_passed_on(
    headers: dict[str, str] | None, details: Any, seconds: float
) -> None:
    assert translate(find(api_error(429, headers=headers, details=details))).retry_after == seconds


@pytest.mark.parametrize(
    "error",
    [translate(find(api_error(429))), GoogleNotConfigured(), IdempotencyKeyMissing("which?")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_be_sent_to_another_process(error: GenerationError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), str(there), vars(there)) == (type(error), str(error), vars(error))


def test_an_error_out_of_a_stream_has_no_response() -> None:
    error = errors.ServerError(503, {"error": {"code": 503, "status": "UNAVAILABLE"}}, None)
    assert find(error).kind is Kind.UNAVAILABLE


@pytest.mark.parametrize(("status", "shown"), [("INTERNAL", True), ("a prompt", False)])
def test_only_a_status_word_of_google_is_repeated(status: str, shown: bool) -> None:
    message = str(translate(find(api_error(500, status=status))))
    assert "a prompt" not in message
    assert (status in message) == shown


def test_a_pickled_error_is_still_understood() -> None:
    error = errors.APIError._rebuild(api_error(429).__dict__)
    assert find(error).kind is Kind.THROTTLED


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (Text("x"), Outcome.OK),
        (Blocked("SAFETY"), Outcome.OK),
        (api_error(503), Outcome.FAILURE),
        (api_error(429), Outcome.THROTTLED),
        (asyncio.CancelledError(), Outcome.NEUTRAL),
        (GeneratorExit(), Outcome.NEUTRAL),
        *((OperationFailed(code), Outcome.FAILURE) for code in (2, 4, 8, 13, 14)),
        *((OperationFailed(code), Outcome.NEUTRAL) for code in (3, 5, 7)),
    ],
)
def test_the_breaker_hears_only_of_faults_of_google(end: object, outcome: Outcome) -> None:
    assert judge(end) is outcome


def test_the_breaker_stays_open_as_long_as_google_asks() -> None:
    assert requested_wait(api_error(503, headers={"Retry-After": "90"})) == 90
    assert requested_wait(api_error(503)) is None
    assert requested_wait(Text("x")) is None
