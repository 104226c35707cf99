"""Circuits of this process alone: what protects it while the shared store is out of reach."""

import threading
import time
from collections.abc import Callable, Set

from . import circuit as circuits
from . import counting, trials
from .chance import random
from .circuit import Circuit, State, Verb
from .classify import Outcome
from .policy import Policy
from .seed import Seed, sow
from .store import NO_REPORT, Report, View
from .window import Tally

NEW = Circuit()
_STARTED = time.time() - time.monotonic()


def steady_ms() -> int:
    """Wall-clock milliseconds as of the start of the process: stepping the clock moves nothing."""
    return int((_STARTED + time.monotonic()) * 1000)


class LocalStore:
    def __init__(self, clock: Callable[[], int] = steady_ms) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._circuits: dict[str, Circuit] = {}

    def tidy(self, keep: Set[str]) -> None:
        """Forget circuits of which there is nothing to remember, but for those to keep."""
        now = self._clock()
        with self._lock:
            for name in self._circuits.keys() - keep:
                circuit = self._circuits[name]
                idle = circuit.word == State.CLOSED and not circuit.window.total(now=now).calls
                if idle and self._circuits[name] is circuit:
                    del self._circuits[name]

    def load(self, name: str, policy: Policy) -> View:
        return self._change(name, lambda circuit, now: circuits.wake(circuit, now=now))

    def record(
        self,
        name: str,
        policy: Policy,
        tally: Tally,
        *,
        epoch: int,
        host: str = "",
        rejected: int = 0,
        report: Report = NO_REPORT,
    ) -> View:
        return self._change(
            name,
            lambda circuit, now: counting.record(
                circuit,
                policy,
                tally,
                now=now,
                epoch=epoch,
                chance=random(),
                host=host,
                rejected=rejected,
                **report._asdict(),
            ),
        )

    def admit_trial(self, name: str, policy: Policy, *, epoch: int, token: str) -> View:
        return self._change(
            name,
            lambda circuit, now: trials.admit_trial(
                circuit, policy, now=now, epoch=epoch, token=token, chance=random()
            ),
            token=token,
        )

    def renew_trial(self, name: str, policy: Policy, *, token: str) -> View:
        return self._change(
            name, lambda circuit, now: trials.renew_trial(circuit, now=now, token=token)
        )

    def record_trial(
        self,
        name: str,
        policy: Policy,
        outcome: Outcome,
        *,
        epoch: int,
        token: str,
        report: Report = NO_REPORT,
    ) -> View:
        return self._change(
            name,
            lambda circuit, now: trials.record_trial(
                circuit,
                policy,
                outcome,
                now=now,
                epoch=epoch,
                token=token,
                chance=random(),
                **report._asdict(),
            ),
        )

    def seed(self, name: str, policy: Policy, seed: Seed) -> View:
        return self._change(name, lambda circuit, now: sow(circuit, seed, now=now))

    def command(
        self,
        name: str,
        policy: Policy,
        verb: Verb,
        *,
        actor: str,
        reason: str,
        lasting: int = 0,
        expected_epoch: int | None = None,
    ) -> View:
        def operation(circuit: Circuit, now: int) -> Circuit:
            if expected_epoch not in (None, circuit.epoch):
                return circuit
            return circuits.command(
                circuit, verb, now=now, actor=actor, reason=reason, lasting=lasting
            )

        return self._change(name, operation)

    def _change(
        self, name: str, operation: Callable[[Circuit, int], Circuit], *, token: str = ""
    ) -> View:
        now = self._clock()
        with self._lock:
            while True:
                known = name in self._circuits
                before = self._circuits.get(name, NEW)
                after = operation(before, now)
                if after is before or self._replaced(name, before, after):
                    break
        return _view(before, after, now=now, known=known, granted=token in after.leases)

    def _replaced(self, name: str, before: Circuit, after: Circuit) -> bool:
        """Whether nobody was faster: the collector may end a call of this thread within another.

        But not between the look and the change here, where nothing is made and nothing called.
        """
        if name in self._circuits:
            if self._circuits[name] is not before:
                return False
        elif before is not NEW:
            return False
        self._circuits[name] = after
        return True


def _view(before: Circuit, after: Circuit, *, now: int, known: bool, granted: bool) -> View:
    return View(
        known=known,
        state=after.state,
        override=after.override,
        override_remaining=circuits.override_remaining(after, now=now),
        epoch=after.epoch,
        remaining=circuits.remaining(after, now=now),
        attempt=after.attempt,
        opened_at=after.opened_at,
        rejected=after.rejected,
        last_error=after.last_error,
        tally=after.window.total(now=now),
        totals=after.totals,
        at=now,
        granted=granted,
        moved=after.epoch != before.epoch and bool(after.came_from),
        came_from=after.came_from,
        reason=after.reason,
        actor=after.actor,
        since=after.since,
    )
