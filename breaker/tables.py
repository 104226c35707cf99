"""Circuits as lines of text, for people at a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .durations import spoken
from .policy import Policy
from .rows import counts
from .status import CircuitStatus, said

if TYPE_CHECKING:
    from .models import BreakerConfig, BreakerTransition

Line = tuple[str, ...]


def circuits(found: Iterable[CircuitStatus], *, now: datetime) -> str:
    return _table(
        ("NAME", "STATE", "FAILED", "CALLS", "SLOW", "REJECTED", "RETRY IN", "SINCE", "REASON"),
        *(
            (
                one.name,
                one.word,
                f"{one.failure_rate:.0%}" if one.calls else "-",
                str(one.calls),
                str(one.slow),
                str(one.rejected),
                spoken(one.retry_after) if one.retry_after else "-",
                _ago(one.changed_at, now),
                said(one) or "-",
            )
            for one in found
        ),
    )


def circuit(found: CircuitStatus, policy: Policy, *, now: datetime) -> str:
    return "\n\n".join((_facts(found, now), _options(policy)))


def _facts(found: CircuitStatus, now: datetime) -> str:
    ends = found.override_ends_in
    return _table(
        ("NAME", found.name),
        ("STATE", found.state),
        ("OVERRIDE", (found.override or "-") + (f", ends in {spoken(ends)}" if ends else "")),
        ("EPOCH", str(found.epoch)),
        ("RETRY IN", spoken(found.retry_after) if found.retry_after else "-"),
        ("OPENED", _ago(found.opened_at, now)),
        ("CHANGED", _ago(found.changed_at, now)),
        ("REASON", said(found) or "-"),
        ("IN THE WINDOW", f"{found.calls} calls, {found.failures} failed, {found.slow} slow"),
        ("EVER", _counted({**counts(found.totals), "rejected": found.rejected})),
        ("LAST ERROR", found.last_error or "-"),
        ("SOURCE", found.source),
    )


def _options(policy: Policy) -> str:
    return _table(("OPTION", "VALUE"), *((name, _value(it)) for name, it in asdict(policy).items()))


def history(rows: "Iterable[BreakerTransition]") -> str:
    return _table(
        ("AT", "FROM", "TO", "REASON", "CALLS", "PROCESS"),
        *(
            (
                row.at.isoformat(sep=" ", timespec="milliseconds"),
                row.from_state,
                row.to_state,
                said(row) or "-",
                _counted(row.counts),
                f"{row.host}:{row.pid}",
            )
            for row in rows
        ),
    )


def configs(rows: "Iterable[BreakerConfig]") -> str:
    return _table(
        ("PATTERN", "ENABLED", "VERSION", "BY", "OPTIONS"),
        *(
            (
                row.pattern,
                _value(row.enabled),
                str(row.version),
                row.updated_by or "-",
                ", ".join(f"{name}={_value(value)}" for name, value in sorted(row.given.items()))
                or "-",
            )
            for row in rows
        ),
    )


def _counted(them: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in them.items())


def _value(value: Any) -> str:
    return "-" if value is None else str(value).lower() if value in (True, False) else str(value)


def _ago(at: datetime | None, now: datetime) -> str:
    return f"{spoken((now - at).total_seconds())} ago" if at else "-"


def printable(text: str) -> str:
    """Escapes all that would move a cursor, forge a line, turn the text around or hide in it."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _table(*raw: Line) -> str:
    return "\n".join(_aligned(list(raw)))


def _aligned(raw: list[Line]) -> Iterator[str]:
    lines = [tuple(map(printable, line)) for line in raw]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
