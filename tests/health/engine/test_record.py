import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from health import CheckResult, Reason, Status
from health.engine.files import Refused
from health.engine.record import Publication, dump, load
from health.engine.snapshot import Check
from tests.health.probes import Fake

TIME = datetime(2026, 11, 23, 3, 10, 7, 123456, tzinfo=UTC)
PART = CheckResult(Status.WARN, Reason.OPEN, component="veo:eu", retry_after=41)
RESULT = CheckResult(
    Status.WARN, Reason.OPEN, values={"open": 1, "word": "x", "none": None}, parts=(PART,)
)
NEVER_RUN = Check.of(Fake("database", critical=True))
CHECKED = replace(
    Check.of(Fake("breakers")).after(RESULT, seconds=0.25, taken=7.5, time=TIME), entry="3f9a1c2e"
)
WRITTEN = dump(Publication((NEVER_RUN, CHECKED), 8.0), boot="b")


def test_what_is_read_is_what_was_written() -> None:
    assert load(WRITTEN, boot="b", now=9.0) == Publication((NEVER_RUN, CHECKED), 8.0)


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(WRITTEN)
    change(document)
    return json.dumps(document).encode()


def setting(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({name: value})


def of_check(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["checks"][1].update({name: value})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(WRITTEN[:-20], "malformed", id="cut off"),
        pytest.param(b"\xff\xfe", "malformed", id="no text"),
        pytest.param(b"[" * 100_000, "malformed", id="endlessly deep"),
        pytest.param(b"[]", "malformed", id="no object"),
        pytest.param(b"{}", "malformed", id="an empty object"),
        pytest.param(changed(setting("format", 9)), "format 9", id="a later format"),
        pytest.param(changed(setting("boot", "a")), "boot", id="of another boot"),
        pytest.param(changed(setting("beat", 9.5)), "future", id="from the future"),
        pytest.param(changed(setting("beat", "8")), "malformed", id="a beat in words"),
        pytest.param(changed(setting("beat", float("nan"))), "malformed", id="no number"),
        pytest.param(changed(setting("checks", {"a": 1})), "malformed", id="no list of checks"),
        pytest.param(changed(of_check("name", 7)), "malformed", id="a name that is none"),
        pytest.param(changed(of_check("deadline", None)), "malformed", id="no deadline"),
        pytest.param(changed(of_check("time", "soon")), "malformed", id="a time that is none"),
        pytest.param(
            changed(of_check("time", "2026-11-23T03:10:07")), "malformed", id="a time of no zone"
        ),
        pytest.param(changed(of_check("trail", ["pass"])), "malformed", id="half a history"),
        pytest.param(
            changed(of_check("trail", ["fine", None, "pass", 0])), "malformed", id="no such word"
        ),
        pytest.param(
            changed(of_check("result", ["pass", "tired", "", None, {}, []])),
            "malformed",
            id="no such reason",
        ),
        pytest.param(
            changed(of_check("result", ["pass", None, "", None, {"a": []}, []])),
            "malformed",
            id="a value that is a list",
        ),
    ],
)
def test_anything_else_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        load(data, boot="b", now=9.0)
