"""The process's link to the shared store: up or down, decided here and nowhere else.

While it is down no caller asks the shared store, only the agent knocks now and then: an outage
costs callers one time-out, not one per call. Meanwhile the local store answers, or nobody, as
the circuit's ``on_store_error`` says.
"""

import logging
import sys
from collections.abc import Callable, Set
from dataclasses import replace
from time import monotonic, sleep
from typing import TypeVar

import redis
from django_redis import get_redis_connection

from .catalogue import is_misuse
from .chance import uniform
from .conf import conf
from .errors import BreakerUnavailable, CircuitKeyMisused
from .local import LocalStore
from .policy import OnStoreError, Policy
from .seed import Seed
from .shared import SharedStore
from .store import Store, View

logger = logging.getLogger(__name__)
LONGEST_PAUSE = 8.0
LONGEST_WAIT = 1.0
"""Seconds for a connection of a pool that has no more, each of which is back after one trip."""
T = TypeVar("T")
Question = Callable[[Store, Policy], View]


class Link:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.up = True
        self.local = LocalStore()
        self._failures = 0
        self._misused: set[str] = set()

    def shared(self) -> SharedStore | None:
        """None if the alias is no django-redis cache: circuits are then local for good.

        Also while the interpreter ends, when no connection can be made any more.
        """
        if sys.is_finalizing():
            return None
        settings = conf()
        try:
            client = get_redis_connection(settings.cache)
        except NotImplementedError:
            return None
        return SharedStore(client, namespace=settings.namespace)

    def ask(self, name: str, policy: Policy, memory: Seed, question: Question) -> View | None:
        """The answer of the shared store or, while that is out of reach, of the local one.

        None if ``on_store_error`` wants no answer of the local one.
        """
        shared = self.shared()
        if shared and self.up:
            try:
                view = _patiently(lambda: _ask(shared, name, policy, memory, question))
                self._misused.discard(name)
                return view
            except redis.RedisError as error:
                self._failed(name, error)
        if shared and policy.on_store_error is not OnStoreError.LOCAL:
            return None
        # There is but one host here to agree with itself.
        return _ask(self.local, name, replace(policy, trip_quorum=1), memory, question)

    def ask_shared(self, name: str, policy: Policy, memory: Seed, question: Question) -> View:
        """What an operator wants done is done for all or not at all.

        Raises BreakerUnavailable and CircuitKeyMisused.
        """
        if (shared := self.shared()) is None:
            return question(self.local, policy)
        asked = False
        try:
            # What the store has lost comes back first, for the command may build upon it.
            _patiently(
                lambda: _ask(
                    shared, name, policy, memory, lambda store, policy: store.load(name, policy)
                )
            )
            asked = True
            return _patiently(lambda: question(shared, policy))
        except redis.RedisError as error:
            raise _refusal(name, error, asked=asked) from error

    def misused(self, name: str) -> bool:
        """Whether this circuit is local because its key holds something of others."""
        return name in self._misused

    def pause(self, seconds: float) -> float:
        """How long to wait before asking again: ever longer while nobody answers."""
        return min(seconds * 2.0 ** min(max(self._failures - 1, 0), 10), LONGEST_PAUSE)

    def lost(self, error: redis.RedisError) -> None:
        """A look at the store failed; if only for want of a connection, the next may not."""
        if not isinstance(error, redis.exceptions.MaxConnectionsError):
            self._go_down(error)

    def _go_down(self, error: redis.RedisError) -> None:
        self._failures += 1
        if self.up:
            self.up = False
            logger.warning("Circuits are local to this process: the store failed: %s", error)

    def found(self) -> bool:
        """Whether the link was down until now."""
        was_down, self.up, self._failures = not self.up, True, 0
        if was_down:
            self.local = LocalStore()  # what it knows is no memory for the next outage
            logger.info("Circuits are shared again")
        return was_down

    def tidy(self, keep: Set[str]) -> None:
        """Let the stores drop what they need not remember of names that came and went."""
        self.local.tidy(keep)
        if self.up and (shared := self.shared()):
            try:
                shared.catalogue.tidy()
            except redis.RedisError as error:
                self.lost(error)

    def _failed(self, name: str, error: redis.RedisError) -> None:
        """A key that others use for something else takes one circuit from the fleet, not all."""
        if not is_misuse(error):
            return self._go_down(error)
        if name not in self._misused:
            self._misused.add(name)
            logger.error("The circuit %r is local to this process: its key is misused", name)
        return None


def _refusal(
    name: str, error: redis.RedisError, *, asked: bool
) -> BreakerUnavailable | CircuitKeyMisused:
    match error:
        case redis.TimeoutError():
            return BreakerUnavailable(
                "did not answer in time: look again, it may yet do as it was told"
            )
        case redis.ConnectionError() if asked:
            return BreakerUnavailable("broke off: look again, it may have done as it was told")
        case redis.ResponseError() if is_misuse(error):
            return CircuitKeyMisused(name)
        case redis.ResponseError():
            logger.error("The store of the circuits refused a command: %s", error)
            return BreakerUnavailable("refused; nothing was done")
    return BreakerUnavailable()


def _patiently(trip: Callable[[], T]) -> T:
    """The store is not out of reach because others of this process are talking to it."""
    deadline = monotonic() + LONGEST_WAIT
    while True:
        try:
            return trip()
        except redis.exceptions.MaxConnectionsError:
            if monotonic() >= deadline:
                raise
        sleep(uniform(0.001, 0.005))


def _ask(store: Store, name: str, policy: Policy, memory: Seed, question: Question) -> View:
    view = question(store, policy)
    if view.epoch >= memory.epoch:
        return view
    # The store lost its data, or never had it: give it ours, then ask again.
    store.seed(name, policy, memory)
    view = question(store, policy)
    return view._replace(overrules=view.epoch < memory.epoch)


link = Link()
