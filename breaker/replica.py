"""This process's copy of one shared circuit, and all its talk with the store."""

import secrets
import sys
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .agent import agent
from .circuit import Override, State, Verb
from .classify import Outcome
from .conf import conf
from .counts import cut
from .declared import declared
from .history import history
from .link import Question, link
from .overlay import current
from .policy import OnStoreError, Policy
from .rumours import Rumours
from .seed import Seed
from .snapshot import UNKNOWN, Snapshot
from .store import NO_REPORT, Report, View

if TYPE_CHECKING:
    from .call import Call


class Replica:
    def __init__(self, name: str) -> None:
        self.name = name
        self.options: dict[str, Any] = {}
        self.said = False
        """Whether code gave the options, be it none, and did not just ask for it by its name."""
        self.heard_at = monotonic()
        """When there last was something to write."""
        self._merged: tuple[tuple[object, ...], Policy] = (), Policy()
        self.forget()

    def _begin(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.refusals: list[None] = []
        self.trials: WeakValueDictionary[str, Call] = WeakValueDictionary()
        """Calls in flight that hold a permit; one that nobody refers to any more lets it lapse."""
        self.rumours = Rumours(self.name)
        self._lock = threading.RLock()
        self._trying = threading.RLock()
        self._writing = threading.RLock()

    def forget(self) -> None:
        self._begin(Snapshot(UNKNOWN, Policy(), loaded=False))

    def inherit(self) -> None:
        """In a forked child: the parent's belief, to be confirmed; its counts stay its own."""
        self._begin(self.snapshot.stale(self.policy))

    @property
    def policy(self) -> Policy:
        """Of setting, code and configuration, as they are now; each trip asks for it."""
        settings, options, overlay = basis = conf(), self.options, current.overlay
        merged_of, policy = self._merged
        if merged_of != basis:
            policy = overlay.policy(self.name, settings.policy_with(options))
            self._merged = basis, policy
        return policy

    def adjust(self) -> None:
        """Go by a policy that has changed, without a trip."""
        policy = self.policy
        snapshot = self.snapshot
        snapshot.slow_after, snapshot.patience = policy.slow_call_seconds, policy.open_timeout
        if self.snapshot.suspended:
            self.refresh()

    def load(self) -> Snapshot:
        """The snapshot, confirmed by the store, and kept up to date by the agent from here on."""
        if self.snapshot.loaded:
            return self.snapshot
        agent.watch(self)
        return self.refresh()

    def refresh(self) -> Snapshot:
        view = self._ask(lambda store, policy: store.load(self.name, policy))
        if view and not view.known:
            history.recall(self.name, self.sow)
        return self._adopt(view)

    def look(self) -> View:
        """The circuit with its counts, as the store in reach has it."""
        policy = self.policy
        view = self._ask(lambda store, policy: store.load(self.name, policy))
        if view:
            self._adopt(view)  # it may be that an override ended by this very look
        return view or link.local.load(self.name, policy)

    def sow(self, seed: Seed) -> None:
        """Take over, and spread, what the database remembers."""
        self._adopt(self._ask(lambda store, policy: store.seed(self.name, policy, seed)))

    def fail(self, snapshot: Snapshot, outcome: Outcome, report: Report) -> None:
        """Write a failure through, with the successes before it; a late one says nothing.

        Of a storm of failures one is written at a time, and takes along those that came meanwhile.
        """
        if sys.is_finalizing():
            return  # a thread that is no more may have held the lock
        if snapshot.epoch != self.snapshot.epoch or snapshot.seed.override is Override.DISABLED:
            return
        snapshot.counts.add(outcome, report)
        self._write(snapshot)

    def note(self, snapshot: Snapshot, outcome: Outcome) -> None:
        """Count a call for the next flush to write."""
        if snapshot.epoch == self.snapshot.epoch:
            self.snapshot.counts.add(outcome, NO_REPORT)

    def flush(self) -> bool:
        """Write what has been counted here; whether there was anything."""
        return self._write(self.snapshot, rejected=cut(self.refusals))

    def _write(self, snapshot: Snapshot, *, rejected: int = 0) -> bool:
        epoch, host = snapshot.epoch, conf().host
        with self._writing:
            tally, report = snapshot.counts.take()
            if not tally.calls and not rejected:
                return False
            self.heard_at = monotonic()
            view = self._ask(
                lambda store, policy: store.record(
                    self.name,
                    policy,
                    tally,
                    epoch=epoch,
                    host=host,
                    rejected=rejected,
                    report=report,
                )
            )
            # Within the lock: whoever finds its failure written knows then what came of it.
            before = self.snapshot.epoch
            self._believe(view)
        # Not within the lock: this may start a thread, which may collect a failure of this circuit.
        self.rumours.hear(view, since=before)
        return True

    def try_(self) -> tuple[Snapshot, str]:
        """Ask for a permit: the circuit as it is now, and the permit's token or nothing."""
        token = secrets.token_hex(8)
        with self._trying:  # a crowd of callers needs one connection, not one each
            epoch = self.snapshot.epoch
            view = self._ask(
                lambda store, policy: store.admit_trial(self.name, policy, epoch=epoch, token=token)
            )
        return self._adopt(view), token if view and view.granted else ""

    def end_trial(self, call: "Call", outcome: Outcome, report: Report) -> None:
        epoch, token = call.snapshot.epoch, call.token
        view = self._ask(
            lambda store, policy: store.record_trial(
                self.name, policy, outcome, epoch=epoch, token=token, report=report
            )
        )
        self.trials.pop(token, None)
        self._adopt(view)

    def renew_trials(self) -> None:
        for call in self.under_way():
            self._renew(call.token)

    def under_way(self) -> "list[Call]":
        """Trials; other threads may begin and end some meanwhile."""
        return [call for trial in self.trials.valuerefs() if (call := trial())]

    def _renew(self, token: str) -> None:
        self._adopt(
            self._ask(lambda store, policy: store.renew_trial(self.name, policy, token=token))
        )

    def command(
        self, verb: Verb, *, actor: str, reason: str, lasting: int, expected_epoch: int | None
    ) -> View:
        """Raises BreakerUnavailable and CircuitKeyMisused, having done nothing."""
        view = link.ask_shared(
            self.name,
            self.policy,
            self.snapshot.memory(),
            lambda store, policy: store.command(
                self.name,
                policy,
                verb,
                actor=actor,
                reason=reason,
                lasting=lasting,
                expected_epoch=expected_epoch,
            ),
        )
        self._adopt(view)
        return view

    def stranded(self) -> bool:
        """Whether the store is out of reach and this circuit has yet to stop going by it."""
        by_itself = self.policy.on_store_error is OnStoreError.LOCAL
        return not (link.up or by_itself or self.snapshot.suspended)

    def is_idle(self, now: float) -> bool:
        """Whether it is as good as new: closed, and with no call for a whole window."""
        waiting = self.snapshot.counts.waiting or self.refusals
        if waiting or self.snapshot.word != State.CLOSED:
            return False
        return now - self.heard_at >= self.policy.window

    def leave(self) -> None:
        declared.remove(self)
        agent.unwatch(self)

    def _ask(self, question: Question) -> View | None:
        """None if the store is out of reach, and the circuit not to go on without it."""
        return link.ask(self.name, self.policy, self.snapshot.memory(), question)

    def _adopt(self, view: View | None) -> Snapshot:
        before = self.snapshot.epoch
        snapshot = self._believe(view)
        self.rumours.hear(view, since=before)
        return snapshot

    def _believe(self, view: View | None) -> Snapshot:
        """What the view says, unless this process has learned of a later epoch meanwhile."""
        policy = self.policy
        if view is None:
            return self._stand_in(policy)
        if view.shared and not view.known:
            declared.doubt(self.name)  # the options may have been forgotten with the circuit
        while True:
            seen = self.snapshot
            if seen.outlives(view):
                seen.slow_after = policy.slow_call_seconds
                return seen
            if self._replaced(seen, fresh := Snapshot.of(view, policy, base=seen.base)):
                return fresh

    def _stand_in(self, policy: Policy) -> Snapshot:
        admits = policy.on_store_error is OnStoreError.ALLOW
        while True:
            seen = self.snapshot
            if self._replaced(seen, standing := seen.without_store(policy, admits=admits)):
                return standing

    def _replaced(self, seen: Snapshot, fresh: Snapshot) -> bool:
        """Whether nobody else was faster, not even a call that was collected meanwhile."""
        with self._lock:
            if self.snapshot is not seen:
                return False
            self.snapshot = fresh
            return True
