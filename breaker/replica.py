"""This process's copy of one shared circuit, and all its talk with the store."""

import secrets
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .agent import agent
from .change import change_of
from .circuit import Seed
from .classify import Outcome
from .conf import conf
from .history import history
from .link import Question, link
from .policy import Policy
from .snapshot import UNKNOWN, Snapshot
from .store import NO_REPORT, Report, View
from .window import NOTHING, Tally

if TYPE_CHECKING:
    from .call import Call


class Replica:
    def __init__(self, name: str) -> None:
        self.name = name
        self.options: dict[str, Any] = {}
        self.forget()

    def _begin(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.refusals: list[None] = []
        self.trials: WeakValueDictionary[str, Call] = WeakValueDictionary()
        """Calls in flight that hold a permit; one that nobody refers to any more lets it lapse."""
        self._lock = threading.Lock()

    def forget(self) -> None:
        self._begin(Snapshot(UNKNOWN, loaded=False))

    def inherit(self) -> None:
        """In a forked child: the parent's belief, to be confirmed; its counts stay its own."""
        self._begin(self.snapshot.stale())

    @property
    def policy(self) -> Policy:
        return conf().policy_with(self.options)

    def load(self) -> Snapshot:
        """The snapshot, confirmed by the store, and kept up to date by the agent from here on."""
        if self.snapshot.loaded:
            return self.snapshot
        agent.watch(self)
        return self.refresh()

    def refresh(self) -> Snapshot:
        view = self._ask(lambda store: store.load(self.name))
        if not view.known:
            history.recall(self.name, self.sow)
        return self._adopt(view)

    def sow(self, seed: Seed) -> None:
        """Take over, and spread, what the database remembers."""
        policy = self.policy
        self._adopt(self._ask(lambda store: store.seed(self.name, policy, seed)))

    def fail(self, snapshot: Snapshot, outcome: Outcome, report: Report) -> None:
        """Write a failure through, with the successes before it; a late one says nothing."""
        if snapshot.epoch != self.snapshot.epoch:
            return
        throttled = outcome is Outcome.THROTTLED
        tally = Tally(self._take(snapshot.oks), failed=int(not throttled), throttled=int(throttled))
        self._record(snapshot, tally, report=report)

    def flush(self) -> bool:
        """Write what has been counted here; whether there was anything."""
        snapshot = self.snapshot
        tally, rejected = Tally(ok=self._take(snapshot.oks)), self._take(self.refusals)
        if tally == NOTHING and not rejected:
            return False
        self._record(snapshot, tally, rejected=rejected)
        return True

    def _record(
        self,
        snapshot: Snapshot,
        tally: Tally,
        *,
        rejected: int = 0,
        report: Report = NO_REPORT,
    ) -> None:
        policy, epoch = self.policy, snapshot.epoch
        view = self._ask(
            lambda store: store.record(
                self.name, policy, tally, epoch=epoch, rejected=rejected, report=report
            )
        )
        self._adopt(view)

    def try_(self) -> tuple[Snapshot, str]:
        """Ask for a permit: the circuit as it is now, and the permit's token or nothing."""
        token = secrets.token_hex(8)
        policy, epoch = self.policy, self.snapshot.epoch
        view = self._ask(
            lambda store: store.admit_trial(self.name, policy, epoch=epoch, token=token)
        )
        return self._adopt(view), token if view.granted else ""

    def end_trial(self, call: "Call", outcome: Outcome, report: Report) -> None:
        policy, epoch, token = self.policy, call.snapshot.epoch, call.token
        view = self._ask(
            lambda store: store.record_trial(
                self.name, policy, outcome, epoch=epoch, token=token, report=report
            )
        )
        self.trials.pop(token, None)
        self._adopt(view)

    def renew_trials(self) -> None:
        for token in list(self.trials):
            self._renew(token)

    def _renew(self, token: str) -> None:
        self._adopt(self._ask(lambda store: store.renew_trial(self.name, token=token)))

    def _ask(self, question: Question) -> View:
        return link.ask(self.name, self.policy, self.snapshot.memory(), question)

    def _adopt(self, view: View) -> Snapshot:
        """Believe the view, unless this process has learned of a later epoch meanwhile."""
        if change := change_of(self.name, view):
            history.note(change)
        with self._lock:
            if not self.snapshot.outlives(view):
                self.snapshot = Snapshot.of(view)
            return self.snapshot

    def _take(self, counts: list[None]) -> int:
        """Take what is there; an append that comes in between stays for the next time."""
        with self._lock:
            seen = len(counts)
            del counts[:seen]
            return seen
