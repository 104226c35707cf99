"""Where each alert stands, as all nodes agree or, without the database, as this host believes.

What was decided alone is put in when the database is back.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from functools import partial
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from health.conf import AlertSettings

from . import history, ledger
from .channels import DELIVERY_SECONDS
from .deputy import Deputy, Unanswered
from .history import Transition
from .memory import Memory, Notebook
from .mutes import Silence
from .rules import RULES, Condition
from .states import Record, Word, claimable, forget_promises, hear, promise, step, tell

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

# For the database, each time it is asked.
PATIENCE_SECONDS = 6.0
# Longer than any delivery takes.
CLAIM_SECONDS = DELIVERY_SECONDS + 30.0
MOST_UNWRITTEN = 1000
OUT_OF_REACH = (Error, ImproperlyConfigured, Unanswered)


class Decided(Enum):
    TOGETHER = "together"
    ALONE = "alone"
    NOT_AT_ALL = "not at all"


class Book:
    """Used by one thread. ``reporter`` is the name of this host among the nodes."""

    def __init__(self, wanted: AlertSettings, memory: Memory, *, reporter: str) -> None:
        self._wanted = wanted
        self._memory = memory
        self._reporter = reporter
        self._database = Deputy("health-records")
        self._lost: float | None = None
        self.looked = 0.0
        known = memory.recall()
        self.records = {record.fingerprint: record for record in known.records}
        self.silences: tuple[Silence, ...] = known.silences
        self._news = set(self.records)
        self._unwritten: deque[Transition] = deque(known.unwritten, maxlen=MOST_UNWRITTEN)

    @property
    def lost(self) -> bool:
        """Whether the database did not take part last time."""
        return self._lost is not None

    @property
    def active(self) -> bool:
        return bool(self.records or self._unwritten)

    def note(self, transition: Transition) -> None:
        self._unwritten.append(transition)

    def decide(self, holding: Mapping[str, Condition], now: float) -> Decided:
        try:
            self._decide_together(holding, now)
            decided = Decided.TOGETHER
        except OUT_OF_REACH as error:
            decided = self._decide_alone(holding, now, error)
        self.remember()
        return decided

    def claim(self, hearing: Mapping[str, Collection[str]], now: float, *, alone: bool) -> set[str]:
        """Those of them that this host may speak of for a while, and no other that it can know of.

        ``hearing`` are the channels that are about to hear that they fire.
        """
        records = [self.records[name] for name in hearing]
        if alone:
            claimed = [promise(one, hearing[one.fingerprint], at=now) for one in records]
        else:
            claimed = self._claimed(records, hearing, now)
        self.records |= {record.fingerprint: record for record in claimed}
        self.remember()
        return {record.fingerprint for record in claimed}

    def free(self, *, alone: bool, now: float) -> list[Record]:
        """Those of which nobody else is speaking."""
        records = self.records.values()
        return [one for one in records if alone or claimable(one, self._reporter, now=now)]

    def heard(self, heard: Mapping[str, Collection[str]], now: float) -> None:
        """Which channels have heard where each of what was claimed stands, by fingerprint."""
        for name, channels in heard.items():
            record = self.records[name]
            told = tell(forget_promises(record), channels, Word(record.state), at=now)
            self.records[name] = told
        self._news |= heard.keys()
        # Before the database is asked: a crash must not make anybody hear this twice.
        self.remember()

    def give_back(self, names: Collection[str]) -> None:
        """Those that were claimed, with who has heard of them."""
        records = [self.records[name] for name in names]
        try:
            settled = self._ask(partial(ledger.settle, records, node=self._reporter))
        except OUT_OF_REACH:
            return
        self.records |= {record.fingerprint: record for record in settled}
        self._news -= set(names)

    def _claimed(
        self, records: list[Record], hearing: Mapping[str, Collection[str]], now: float
    ) -> list[Record]:
        until = now + CLAIM_SECONDS
        claim = partial(
            ledger.claim, records, self._reporter, hearing=hearing, until=until, now=now
        )
        try:
            return self._ask(claim)
        except OUT_OF_REACH:
            return []

    def _ask(self, call: Callable[[], Value]) -> Value:
        return self._database.attempt(call, timeout=PATIENCE_SECONDS)

    def _decide_together(self, holding: Mapping[str, Condition], now: float) -> None:
        written = list(self._unwritten)
        own = [self.records[name] for name in self._news]
        self.records, self.silences = self._ask(partial(self._meet, holding, own, written, now))
        if self._lost is not None:
            logger.info("Alerts are decided with the database again")
        self._lost, self.looked = None, now
        self._news.clear()
        for _ in written:
            self._unwritten.popleft()

    def _meet(
        self,
        holding: Mapping[str, Condition],
        own: list[Record],
        unwritten: list[Transition],
        now: float,
    ) -> tuple[dict[str, Record], tuple[Silence, ...]]:
        ledger.absorb(own)
        records = ledger.live()
        for name in {*holding, *records}:
            record = records.get(name) or Record(labels=holding[name].labels)
            change = partial(self._judged, holding.get(name), now)
            if change(record) != record:
                records[name] = ledger.apply(record, change)
        if unwritten:
            history.write(unwritten)
        return records, ledger.silences(now)

    def _decide_alone(
        self, holding: Mapping[str, Condition], now: float, error: Exception
    ) -> Decided:
        if self._lost is None:
            self._lost = now
            logger.warning("The database takes no part in alerting: %s", type(error).__name__)
        # One answer that fails to come is no reason to speak for oneself.
        if now - self._lost < self._wanted.group_seconds:
            return Decided.NOT_AT_ALL
        for name in {*holding, *self.records}:
            record = self.records.get(name) or Record(labels=holding[name].labels)
            after = self._judged(holding.get(name), now, record)
            if after != record:
                self.records[name] = after
                self._news.add(name)
        return Decided.ALONE

    def _judged(self, condition: Condition | None, now: float, record: Record) -> Record:
        reason = condition.reason if condition else None
        heard = hear(record, self._reporter, reason=reason, now=now)
        return step(heard, wait=self.wait(record), now=now)

    def wait(self, record: Record) -> float:
        alert = record.labels.alert
        return self._wanted.waits.get(alert, RULES[alert].wait)

    def remember(self) -> None:
        self._memory.keep(
            Notebook(
                records=tuple(self.records.values()),
                silences=self.silences,
                unwritten=tuple(self._unwritten),
            )
        )
