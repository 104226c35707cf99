"""From records to what the checker reasons about: holds, waits, writes and faults, as values."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from .journal import Record

FOREVER = 2**63


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``target`` is a process, or "-" for the store and whatever all depend on."""

    kind: str
    target: str
    begin: int
    end: int

    def touches(self, process: str, since: int, until: int) -> bool:
        return self.target in ("-", process) and self.begin <= until and since <= self.end


# Faults after which the store does not know what it had granted.
LOSSES = {"flush", "restart-empty"}


@dataclass(frozen=True, kw_only=True)
class Write:
    table: str
    fence: int
    begin: int
    end: int = FOREVER
    outcome: str = "unknown"
    stored: int = 0


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One wish for a lock and what became of it. ``deadline`` is the last that its holder knew."""

    process: str
    name: str
    wait: int
    lease: int
    fair: bool
    asked: int
    weight: int = 1
    capacity: int = 1
    queued: int | None = None
    fence: int | None = None
    granted: int | None = None
    deadline: int = 0
    left: int | None = None
    outcome: str = "unknown"
    ended: int | None = None
    writes: tuple[Write, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False, compare=False)


class Hold(NamedTuple):
    """A grant, and how long its holder could believe in it by its own clock."""

    fence: int
    begin: int
    end: int
    operation: Operation

    def __bool__(self) -> bool:
        """False for a grant that had run out before its holder heard of it."""
        return self.begin < self.end


@dataclass(frozen=True, kw_only=True)
class History:
    operations: Sequence[Operation]
    faults: Sequence[Fault] = ()
    # Last words of processes by their name: "ok", or what was wrong.
    endings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: Sequence[Record] = ()

    @cached_property
    def names(self) -> dict[str, list[Operation]]:
        names: dict[str, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            names[operation.name].append(operation)
        return names

    @cached_property
    def killed(self) -> dict[str, int]:
        return {fault.target: fault.end for fault in self.faults if fault.kind == "kill"}

    @cached_property
    def losses(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.kind in LOSSES]

    def holds(self, name: str) -> list[Hold]:
        """In the order of their fences."""
        return sorted(
            (self._hold(wish) for wish in self.names[name] if wish.fence is not None),
            key=lambda hold: (hold.fence, hold.begin),
        )

    def _hold(self, operation: Operation) -> Hold:
        assert operation.granted is not None and operation.fence is not None
        dead = self.killed.get(operation.process, FOREVER)
        left = FOREVER if operation.left is None else operation.left
        end = min(operation.deadline, left, dead)
        return Hold(operation.fence, operation.granted, end, operation)


def parse(records: Iterable[Record]) -> History:
    told: dict[tuple[str, int], list[Record]] = defaultdict(list)
    problems, endings = [], {}
    for record in records:
        match record.kind:
            case "problem":
                problems.append(record)
            case "end":
                endings[record.process] = record.values
            case _:
                told[record.process, record.operation].append(record)
    faults = [_fault(lines) for (process, _), lines in told.items() if process == "nemesis"]
    operations = [_operation(lines) for (process, _), lines in told.items() if process != "nemesis"]
    return History(operations=operations, faults=faults, endings=endings, problems=problems)


def _fault(lines: Sequence[Record]) -> Fault:
    kind, target = lines[0].values
    end = lines[1].at if len(lines) > 1 else FOREVER
    return Fault(kind=kind, target=target, begin=lines[0].at, end=end)


def _operation(lines: Sequence[Record]) -> Operation:
    """Lines of one operation come from one thread or task, hence in their true order."""
    known: dict[str, object] = {"process": lines[0].process, "records": tuple(lines)}
    writes: dict[str, Write] = {}
    for line in lines:
        match line.kind, line.values:
            case "ask", (name, wait, lease, fair, *share):
                known |= {"name": name, "wait": int(wait), "lease": int(lease)}
                known |= zip(("weight", "capacity"), map(int, share), strict=False)
                known |= {"fair": fair == "1", "asked": line.at}
            case "queued", _:
                known["queued"] = line.at
            case "granted", (fence, deadline):
                known |= {"fence": int(fence), "granted": line.at, "deadline": int(deadline)}
            case "valid", (deadline,):
                known["deadline"] = int(deadline)
            case "leave", (deadline,):
                # A lease known to be lost tells no deadline; the last one that it told counts.
                known |= {"left": line.at, "deadline": int(deadline) or known["deadline"]}
            case (("left" | "failed"), (outcome,)):
                known |= {"ended": line.at, "outcome": outcome}
            case "write", (table, fence):
                writes[table] = Write(table=table, fence=int(fence), begin=line.at)
            case "wrote", (table, outcome, stored):
                writes[table] = replace(
                    writes[table], end=line.at, outcome=outcome, stored=int(stored)
                )
            case _:
                raise ValueError(f"unknown record: {line}")
    return Operation(**known, writes=tuple(writes.values()))  # type: ignore[arg-type]
