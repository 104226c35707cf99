"""What a process knows as bytes, for the others of its host.

Everything read is checked: whatever is in the file, it was either found since this boot or is
refused. Monotonic times mean the same to all processes of one boot.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from health.verdict import CheckResult, Reason, Status

from .files import Refused
from .hysteresis import Trail
from .snapshot import Check

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Publication:
    """``beat`` is the monotonic time at which its writer was at work."""

    checks: tuple[Check, ...]
    beat: float


def dump(publication: Publication, *, boot: str) -> bytes:
    document = {
        "format": FORMAT,
        "boot": boot,
        "beat": publication.beat,
        "checks": [_of_check(check) for check in publication.checks],
    }
    return json.dumps(document, separators=(",", ":"), default=datetime.isoformat).encode()


def load(data: bytes, *, boot: str, now: float) -> Publication:
    """Raises Refused."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise Refused(f"it is of format {document['format']!r}, not {FORMAT}")
        if document["boot"] != boot:
            raise Refused("it was written on another host or before the last boot")
        checks = tuple(map(_check, document["checks"]))
        publication = Publication(checks, _number(document["beat"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused(f"it is malformed ({type(error).__name__})") from None
    if publication.beat > now:
        raise Refused("it comes from the future")
    return publication


def _of_check(check: Check) -> dict[str, Any]:
    trail = check.trail
    return {
        "name": check.name,
        "component": check.component,
        "kind": check.kind,
        "source": check.source,
        "critical": check.critical,
        "deadline": check.deadline,
        "trail": [
            trail.verdict,
            trail.reason,
            trail.latest,
            trail.failures,
            trail.changes,
            trail.flapping,
        ],
        "result": _of_result(check.result),
        "seconds": check.seconds,
        "taken": check.taken,
        "time": check.time,
        "since": check.since,
        "last_success": check.last_success,
        "entry": check.entry,
    }


def _of_result(result: CheckResult) -> list[Any]:
    parts = [_of_result(part) for part in result.parts]
    return [
        result.status, result.reason, result.component, result.retry_after,
        dict(result.values), parts,
    ]  # fmt: skip


def _check(row: dict[str, Any]) -> Check:
    verdict, reason, latest, failures, changes, flapping = row["trail"]
    return Check(
        name=_text(row["name"]),
        component=_text(row["component"]),
        kind=_text(row["kind"]),
        source=_text(row["source"]),
        critical=row["critical"] is True,
        deadline=_number(row["deadline"]),
        trail=Trail(
            verdict=Status(verdict),
            reason=_reason(reason),
            latest=Status(latest),
            failures=int(_number(failures)),
            changes=tuple(map(_number, changes)),
            flapping=flapping is True,
        ),
        result=_result(row["result"]),
        seconds=_optional(row["seconds"]),
        taken=_number(row["taken"]),
        time=_time(row["time"]),
        since=_time(row["since"]),
        last_success=_time(row["last_success"]),
        entry=_text(row["entry"]),
    )


def _result(row: list[Any]) -> CheckResult:
    status, reason, component, retry_after, values, parts = row
    return CheckResult(
        Status(status),
        _reason(reason),
        component=_text(component),
        retry_after=_optional(retry_after),
        values={_text(name): _value(value) for name, value in values.items()},
        parts=tuple(map(_result, parts)),
    )


def extent(result: CheckResult) -> int:
    """Roughly how many characters it takes. Raises TypeError where it cannot be written."""
    values = [(_text(name), _value(value)) for name, value in result.values.items()]
    own = [Status(result.status), _reason(result.reason), _text(result.component)]
    _optional(result.retry_after)
    return len(str(own)) + len(str(values)) + sum(map(extent, result.parts))


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise TypeError
    return value  # type: ignore[no-any-return]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _value(value: Any) -> str | float | None:
    if value is None or isinstance(value, str | bool):  # a word of an enum is one too
        return value
    return _number(value)


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _reason(value: Any) -> Reason | None:
    return None if value is None else Reason(value)


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError
    return time
