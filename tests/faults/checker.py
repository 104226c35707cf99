"""What a history must not show. Pure: records in, violations out.

**One holder** (or as many as a capacity allows, by their weights). In the order of their fences,
holds of a name must follow each other without overlap, each hold reckoned as its holder could
reckon it: from the moment it heard of the grant to the moment before it asked to release, or to its
own deadline, or to its death. Excused is only a pair with a loss of data between them (FLUSHALL, or
a restart without persistence: the store forgets a lease that its holder still trusts): the first
was asked for before the loss was over and the second granted after the loss began. No hold may use
this excuse for longer than its lease: ``outlived`` says so.

**Fences rise.** No two grants of a name share a fence, and whoever asks after a grant was heard of
gets a higher one. Nothing excuses this, also not a loss of data.

**First come, first served.** A waiter is in line when the store has told it so. Nobody who asks
after that may be granted the lock before it, if the waiter is fair, the other is fair and nothing
disturbed the waiter: no fault touched its process, or the store, from its asking until its grant or
AFTERMATH before. A waiter that gave up counts until shortly before its wait was over.

**Stale writes.** A write under a fence is refused if one under a higher fence was acknowledged
before it began; a write is refused only if one under a higher fence had begun. The database's own
trail shows a fence that never falls, and every acknowledged write.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from .history import FOREVER, Fault, History, Hold, Operation, Write
from .journal import Record

SECOND = 1_000_000_000
# How long after a fault its traces (broken listeners, lost places in line) may last.
AFTERMATH = 2 * SECOND
# Scripts that the store forgot are sent again, and nobody loses a place in line.
HARMLESS = "scripts"
# A waiter's last moments, in which it may already have left the line.
GOODBYE = SECOND // 2
# What a call may cost beyond its own patience on a busy machine.
OVERTIME = 3 * SECOND


@dataclass(frozen=True)
class Violation:
    rule: str
    text: str
    operations: tuple[Operation, ...] = ()
    records: tuple[Record, ...] = ()

    def __str__(self) -> str:
        told = (record for operation in self.operations for record in operation.records)
        lines = sorted([*told, *self.records], key=lambda record: record.at)
        return "\n    ".join((f"{self.rule}: {self.text}", *map(str, lines)))


@dataclass(frozen=True)
class Moved:
    """A change that the database recorded of a fence, in the order in which they were committed."""

    table: str
    name: str
    before: int
    after: int


def check(history: History, trail: Sequence[Moved] = ()) -> list[Violation]:
    return [
        *strangers(history),
        *overtime(history),
        *(found for name in history.names for found in _check_name(history, name)),
        *falling(trail),
        *untraced(history, trail),
    ]


def _check_name(history: History, name: str) -> Iterator[Violation]:
    holds = history.holds(name)
    yield from overlaps(holds, history.losses)
    yield from outlived(holds, history.losses)
    yield from fences(holds)
    yield from overtaken(history, name, holds)
    yield from writes(history.names[name])


def strangers(history: History) -> Iterator[Violation]:
    for record in history.problems:
        yield Violation("problem", "an error that no caller should see", (), (record,))
    for process, words in history.endings.items():
        if words != ("ok",):
            yield Violation("ending", f"{process} could not go on: {' '.join(words)}")


def overlaps(holds: Iterable[Hold], losses: Sequence[Fault]) -> Iterator[Violation]:
    """Of plain locks in the order of fences; shares of one name may be granted together."""
    held = sorted(filter(None, holds), key=lambda hold: hold.operation.capacity > 1 and hold.begin)
    current: list[Hold] = []
    for hold in held:
        current = [other for other in current if other.end > hold.begin]
        known = [o for o in current if not any(_lost_between(o, loss, hold) for loss in losses)]
        weight = sum(other.operation.weight for other in known) + hold.operation.weight
        if weight > hold.operation.capacity:
            yield _clash(known, hold)
        current.append(hold)


def _clash(others: Sequence[Hold], last: Hold) -> Violation:
    name, all_ = last.operation.name, (*(hold.operation for hold in others), last.operation)
    first = others[-1]
    if last.end <= first.begin:
        return Violation("fence", f"{name} went to a higher fence before a lower one", all_)
    shared = min(first.end, last.end) - max(first.begin, last.begin)
    text = f"{len(all_)} hold {name} for {shared / SECOND:.6f} s"
    return Violation("overlap", text, all_)


def _lost_between(first: Hold, loss: Fault, second: Hold) -> bool:
    return first.operation.asked <= loss.end and loss.begin <= second.begin


def outlived(holds: Iterable[Hold], losses: Sequence[Fault]) -> Iterator[Violation]:
    for hold in holds:
        for loss in losses:
            if hold.begin < loss.begin and loss.end + hold.operation.lease < hold.end:
                text = f"a lease on {hold.operation.name} was prolonged after the store forgot it"
                yield Violation("outlived", text, (hold.operation,))


def fences(holds: Sequence[Hold]) -> Iterator[Violation]:
    for hold, following in pairwise(holds):
        if hold.fence == following.fence:
            text = f"two grants of {hold.operation.name} share fence {hold.fence}"
            yield Violation("fence", text, (hold.operation, following.operation))
    earliest: Hold | None = None
    for hold in reversed(holds):
        if earliest and earliest.begin < hold.operation.asked and earliest.fence != hold.fence:
            text = f"fences of {hold.operation.name} fell from {earliest.fence} to {hold.fence}"
            yield Violation("fence", text, (earliest.operation, hold.operation))
        if earliest is None or hold.begin < earliest.begin:
            earliest = hold


def overtaken(history: History, name: str, holds: Sequence[Hold]) -> Iterator[Violation]:
    last_asked: Operation | None = None
    for hold in holds:
        waiter = hold.operation
        passed = last_asked and last_asked.asked > (waiter.queued or FOREVER)
        if last_asked and passed and waiter.fair and undisturbed(history, waiter, hold.begin):
            text = f"{name} went to one who asked after the other was in line"
            yield Violation("order", text, (waiter, last_asked))
        if waiter.fair and (last_asked is None or waiter.asked > last_asked.asked):
            last_asked = waiter
    yield from _passed_over(history, name, holds)


def _passed_over(history: History, name: str, holds: Sequence[Hold]) -> Iterator[Violation]:
    fair = sorted((hold for hold in holds if hold.operation.fair), key=lambda hold: hold.begin)
    begins = [hold.begin for hold in fair]
    latest = [*accumulate(fair, lambda a, b: max(a, b, key=lambda hold: hold.operation.asked))]
    for waiter in history.names[name]:
        until = min(waiter.asked + waiter.wait - GOODBYE, waiter.ended or 0)
        before = bisect_left(begins, until)
        if not (before and waiter.fair and waiter.outcome == "busy"):
            continue
        other = latest[before - 1].operation
        if other.asked > (waiter.queued or FOREVER) and undisturbed(history, waiter, until):
            text = f"{name} went to one who asked after the other was in line, which got nothing"
            yield Violation("order", text, (waiter, other))


def undisturbed(history: History, waiter: Operation, until: int) -> bool:
    since = waiter.asked - AFTERMATH
    return not any(
        fault.touches(waiter.process, since, until) and fault.kind != HARMLESS
        for fault in history.faults
    )


def undisturbed_waiters(history: History) -> int:
    """How many the rule on order could judge by."""
    return sum(
        wish.fair
        and wish.queued is not None
        and wish.granted is not None
        and undisturbed(history, wish, wish.granted)
        for wish in history.operations
    )


def overtime(history: History) -> Iterator[Violation]:
    """Every call ends about when its caller said, save while its process is stopped."""
    stops = defaultdict(list)
    for fault in history.faults:
        if fault.kind == "stop":
            stops[fault.target].append(fault)
    for operation in history.operations:
        ended = operation.granted or operation.ended
        if ended is None:
            continue
        frozen = sum(
            max(min(stop.end, ended) - max(stop.begin, operation.asked), 0)
            for stop in stops[operation.process]
        )
        late = ended - operation.asked - operation.wait - frozen
        if late > OVERTIME:
            text = f"an answer came {late / SECOND:.1f} s after the wait was over"
            yield Violation("overtime", text, (operation,))


def writes(operations: Sequence[Operation]) -> Iterator[Violation]:
    tables: dict[str, list[tuple[Write, Operation]]] = defaultdict(list)
    for operation in operations:
        for write in operation.writes:
            tables[write.table].append((write, operation))
    for made in tables.values():
        yield from _accepted(made)
        yield from _refused(made)


def _accepted(made: Sequence[tuple[Write, Operation]]) -> Iterator[Violation]:
    accepted = sorted((pair for pair in made if pair[0].outcome == "ok"), key=lambda x: x[0].end)
    ends = [write.end for write, _ in accepted]
    highest = [*accumulate(accepted, lambda a, b: max(a, b, key=lambda pair: pair[0].fence))]
    for write, operation in accepted:
        before = bisect_left(ends, write.begin)
        if before and highest[before - 1][0].fence > write.fence:
            text = f"a write under {write.fence} came after {highest[before - 1][0].fence}"
            yield Violation("stale write", text, (highest[before - 1][1], operation))


def _refused(made: Sequence[tuple[Write, Operation]]) -> Iterator[Violation]:
    begun: dict[int, int] = {}
    for write, _ in made:
        begun[write.fence] = min(begun.get(write.fence, FOREVER), write.begin)
    for write, operation in made:
        unfounded = write.stored <= write.fence or begun.get(write.stored, FOREVER) > write.end
        if write.outcome == "stale" and unfounded:
            text = f"a write under {write.fence} was refused without reason ({write.stored})"
            yield Violation("refused", text, (operation,))


def falling(trail: Iterable[Moved]) -> Iterator[Violation]:
    stored: dict[tuple[str, str], int] = {}
    for moved in trail:
        row = moved.table, moved.name
        if moved.after < moved.before:
            text = f"{moved.name} fell from {moved.before} to {moved.after} in the database"
            yield Violation("trail", text)
        if moved.before != stored.get(row, moved.before):
            text = f"{moved.name} was {stored[row]}, then {moved.before}, by itself"
            yield Violation("trail", text)
        stored[row] = moved.after


def untraced(history: History, trail: Iterable[Moved]) -> Iterator[Violation]:
    seen = {(moved.table, moved.name, moved.after) for moved in trail}
    for operation in history.operations:
        for write in operation.writes:
            found = (write.table, operation.name, write.fence) in seen
            if write.outcome == "ok" and not found:
                text = f"an acknowledged write under {write.fence} is not in the database"
                yield Violation("trail", text, (operation,))
