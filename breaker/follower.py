"""Learns what other processes changed; used by the agent's thread alone."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import redis
from redis.client import PubSub

from .bell import Bell
from .link import link
from .shared import SharedStore, Version


class Follower:
    """A message on the namespace's channel is a hint, the namespace's version is the truth."""

    def __init__(self) -> None:
        self._pubsub: PubSub | None = None
        self._known = Version(None, 0, None)
        self._looked = False
        self.reconfigured = False
        """Whether the configuration was changed since somebody took this back."""

    @property
    def born(self) -> bytes | str | None:
        """When the namespace came to be that was seen last."""
        return self._known.born

    def stale(self, names: Collection[str], *, moved: bool) -> Collection[str]:
        """Those of ``names`` to look at again; one trip if nothing has changed.

        ``moved`` says whether this process knows of any transition at all.
        """
        if (shared := link.shared()) is None:
            return ()
        try:
            return self._compare(shared, names, moved)
        except redis.RedisError as error:
            link.lost(error)
            self.hang_up()
            return ()

    def astray(self, epochs: Mapping[str, int]) -> Collection[str]:
        """Those that the store has in another epoch than we, by two trips for all.

        A failover may lose some changes, and then see as many others as to look like before.
        What never moved, neither here nor there, is not asked for: of idle circuits that is most.
        """
        if not link.up or (shared := link.shared()) is None:
            return ()
        try:
            moved = {*shared.changed_since(0), *(name for name in epochs if epochs[name])}
            asked = [name for name in epochs if name in moved]
            found = shared.epochs(asked)
        except redis.RedisError as error:
            link.lost(error)
            return ()
        pairs = zip(asked, found, strict=True)
        return [name for name, there in pairs if there not in (None, epochs[name])]

    def wait(self, seconds: float, bell: Bell) -> bool:
        """Until the time is over, the bell rings or a message comes; whether one did."""
        try:
            if self._pubsub and self._pubsub.subscribed:
                return self._hear(self._pubsub, seconds, bell)
        except (redis.RedisError, OSError):
            self.hang_up()
        bell.wait(seconds)
        return False

    def hang_up(self) -> None:
        """Stop listening until the next look; whatever the connection thinks of that."""
        pubsub, self._pubsub = self._pubsub, None
        if pubsub:
            with suppress(redis.RedisError, OSError):
                pubsub.close()

    def _compare(self, shared: SharedStore, names: Collection[str], moved: bool) -> Collection[str]:
        if not link.up:
            shared.knock()
        self._listen(shared)
        before, self._known = self._known, shared.version()
        born, number, config = self._known
        # A namespace that is born anew, gone back or unborn has lost data: look at everything.
        # One that was seen unborn had none to lose, unless it came, and went, since that look.
        had_none = self._looked and before.born is None and not moved
        another = born != before.born and not had_none
        lost = another or number < before.number or (moved and born is None)
        lost, self._looked = link.found() or lost, True
        self.reconfigured |= lost or config != before.config
        if lost:
            return list(names)
        if number == before.number:
            return ()
        return [name for name in shared.changed_since(before.number) if name in names]

    def _listen(self, shared: SharedStore) -> None:
        """Subscribe, if the server lets us: without hints changes are merely learned later."""
        if self._pubsub is None:
            self._pubsub = PubSub(shared.client.connection_pool, ignore_subscribe_messages=True)
            with suppress(redis.RedisError):
                self._pubsub.subscribe(shared.channel)

    def _hear(self, pubsub: PubSub, seconds: float, bell: Bell) -> bool:
        connection: Any = pubsub.connection
        # What has been read from the socket with an earlier message would not be seen there.
        arrived = connection.can_read() or bell.wait(seconds, connection._get_socket())
        heard = arrived and pubsub.get_message() is not None
        while heard and pubsub.get_message():
            continue
        return heard
