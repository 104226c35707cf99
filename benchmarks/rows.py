"""Lines of the report, judged, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from .rounds import Spread


class Budget(NamedTuple):
    sign: Literal["≤", "≥"]
    limit: float

    def met(self, value: float) -> bool:
        return value <= self.limit if self.sign == "≤" else value >= self.limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """``ours`` and ``peers`` are in ``unit``; the budget is for the ratio where there is one."""

    what: str
    ours: float
    unit: str = ""
    peers: Mapping[str, float] = field(default_factory=dict)
    ratio: Spread | None = None
    budget: Budget | None = None

    @property
    def verdict(self) -> Literal["ok", "OVER", ""]:
        if self.budget is None:
            return ""
        return "ok" if self.budget.met(self.ratio.median if self.ratio else self.ours) else "OVER"


HEAD = ("what", "ours", "peers", "ratio (quartiles)", "budget", "")


def table(rows: Sequence[Row]) -> str:
    lines = [HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        _figure(row.ours, row.unit),
        " · ".join(f"{name} {_figure(value, row.unit)}" for name, value in row.peers.items()),
        _share(row.ratio) if row.ratio else "",
        _limit(row),
        row.verdict,
    )


def _share(ratio: Spread) -> str:
    alone = ratio.low == ratio.high
    return f"{ratio.median:.2f}" + ("" if alone else f" ({ratio.low:.2f}-{ratio.high:.2f})")


def _limit(row: Row) -> str:
    if row.budget is None:
        return ""
    unit = "" if row.ratio else row.unit
    return f"{row.budget.sign} {_figure(row.budget.limit, unit)}"


def _figure(value: float, unit: str) -> str:
    return f"{value:,.{2 if value < 100 else 0}f} {unit}".rstrip()


def record(row: Row) -> dict[str, Any]:
    return asdict(row) | {"verdict": row.verdict}
