"""The process's link to the shared store: up or down, decided here and nowhere else.

While it is down every question goes to the local store at once; only the agent knocks at the
shared one, so an outage costs callers one time-out, not one per call.
"""

import logging
from collections.abc import Callable

import redis
from django_redis import get_redis_connection

from .circuit import Seed
from .conf import conf
from .local import LocalStore
from .policy import Policy
from .shared import SharedStore
from .store import Store, View

logger = logging.getLogger(__name__)
Question = Callable[[Store], View]


class Link:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.up = True
        self.local = LocalStore()

    def shared(self) -> SharedStore | None:
        """None if the alias is no django-redis cache: circuits are then local for good."""
        settings = conf()
        try:
            client = get_redis_connection(settings.cache)
        except NotImplementedError:
            return None
        return SharedStore(client, namespace=settings.namespace)

    def ask(self, name: str, policy: Policy, memory: Seed, question: Question) -> View:
        """The answer of the shared store, or of the local one while that is out of reach."""
        if self.up and (shared := self.shared()):
            try:
                return _ask(shared, name, policy, memory, question)
            except redis.RedisError as error:
                self.lost(error)
        return _ask(self.local, name, policy, memory, question)

    def lost(self, error: redis.RedisError) -> None:
        if self.up:
            self.up = False
            logger.warning("Circuits are local to this process: the store failed: %s", error)

    def found(self) -> bool:
        """Whether the link was down until now."""
        was_down, self.up = not self.up, True
        if was_down:
            logger.info("Circuits are shared again")
        return was_down


def _ask(store: Store, name: str, policy: Policy, memory: Seed, question: Question) -> View:
    view = question(store)
    if view.epoch >= memory.epoch:
        return view
    # The store lost its data, or never had it: give it ours, then ask again.
    store.seed(name, policy, memory)
    return question(store)


link = Link()
