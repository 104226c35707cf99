"""One connection of a process on which the store tells what was given to it and what was taken.

One thread reads it for all threads and tasks that wait: the first of these threads, or else one of
the listener's own. The news may be lost: then a waiter asks by itself a little later, and a lock
handed to nobody is free again after its claim time.
"""

import logging
import os
import threading
from functools import partial
from typing import Any, Union

import hiredis
import redis
from django.core.signals import setting_changed
from django.dispatch import receiver

from . import connections, flows, holders, names, renewal
from .cluster import Nodes
from .conf import conf
from .conversation import Conversation, Errand
from .shards import Place, Shards, Told
from .steps import News
from .turns import Reader

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0

AnyListener = Union["Listener", Shards]


class Listener:
    """``channel`` is this process's own; ``told`` is what is said there."""

    def __init__(self, alias: str, told: Told) -> None:
        self.channel = f"{conf().prefix}:c:{holders.process()}"
        self.up = False
        self._alias = alias
        self._told = told
        self._places: dict[str, Place] = {}
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._conversation: Conversation | None = None

    def hears(self, channel: str) -> bool:
        return self.up

    def news(self, channel: str) -> News:
        return News.PUSHED if self.up else News.POLLED

    def start(self, channel: str = "") -> None:
        if self._thread:
            return
        with self._mutex:
            if self._thread is None:
                thread = threading.Thread(target=self._listen, name="locking-listener", daemon=True)
                thread.start()
                self._thread = thread

    def add(self, token: str, channel: str, place: Place) -> bool:
        """Have it woken, from the thread that reads, whenever asking anew may pay.

        Whether the channel is heard.
        """
        self._places[token] = place
        return self.up

    def remove(self, token: str) -> None:
        self._places.pop(token, None)

    def read(self, place: Reader, seconds: float) -> bool:
        """For up to so long, if it is for this place to read; else it is rung when it is."""
        return self._conversation is not None and self._conversation.read(place, seconds)

    def rest(self, place: Reader) -> None:
        """It waits no more. May be said twice."""
        if self._conversation:
            self._conversation.rest(place, alone=len(self._places) == 1)

    def attend(self) -> None:
        """A task waits, which cannot read."""
        if self._conversation:
            self._conversation.attend()

    def hand(self, token: str, fence: int) -> bool:
        """Whether somebody waits with it."""
        place = self._places.get(token)
        if place:
            place.fence = fence
            place.wake()
        return place is not None

    def close(self) -> None:
        self._closed.set()
        if self._conversation:
            self._conversation.interrupt()

    def _listen(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed.is_set():
            try:
                self._converse()
            except (redis.RedisError, OSError) as error:
                logger.debug("Nothing is heard from the lock store: %r", error)
            except Exception:
                # Without this thread every waiter of the process would have to poll.
                logger.exception("The listener of the lock store goes on after an error")
            pause = FIRST_PAUSE if self.up else min(pause * 2, LONGEST_PAUSE)
            self._turn(up=False)
            self._closed.wait(pause)

    def _converse(self) -> None:
        """Until the connection ends."""
        talk = self._conversation = Conversation(connections.dial(self._alias), self._heard)
        try:
            # Looked at after the connection is known to whoever closes, and so never missed.
            if not self._closed.is_set():
                talk.hold(self.channel)
        finally:
            talk.close()

    def _heard(self, message: Any) -> Errand | None:
        match message:
            case [b"message", _, text]:
                return self._sorted(text.decode())
            case [b"subscribe", *_]:
                self._turn(up=True)
            case hiredis.ReplyError():
                raise redis.ResponseError(str(message))
        return None

    def _sorted(self, text: str) -> Errand | None:
        kind, token, fence, _ = text.split(" ", 3)
        handed = kind == "g" and self.hand(token, int(fence))
        return None if handed else partial(self._told, text)

    def _turn(self, *, up: bool) -> None:
        self.up = up
        # News may have been missed until now, or will be from now on.
        self._wake_all()

    def _wake_all(self) -> None:
        for place in list(self._places.values()):
            place.wake()


_listeners: dict[str, AnyListener] = {}
_making = threading.Lock()


def listener(alias: str) -> AnyListener:
    found = _listeners.get(alias)
    if found is None:
        with _making:
            found = _listeners.setdefault(alias, _made(alias))
    return found


def _made(alias: str) -> AnyListener:
    store, told = connections.store(alias), partial(_told, alias)
    return Shards(store, told) if isinstance(store, Nodes) else Listener(alias, told)


def channel(alias: str, holder_key: str) -> str:
    """Where this process is told of that lock; in a cluster only while it waits for it.

    Otherwise from now on, and also that its leases are revoked.
    """
    found = listener(alias)
    if isinstance(found, Shards):
        return f"{holder_key[: holder_key.rindex('}') + 1]}:c:{holders.process()}"
    found.start()
    return found.channel


def _told(alias: str, text: str) -> None:
    kind, token, fence, holder_key = text.split(" ", 3)
    if kind == "x":
        if lease := renewal.find(token):
            lease.revoked()
    elif not listener(alias).hand(token, int(fence)):
        # Nobody waits for it. Whatever comes of this, its claim time ends by itself.
        connections.line(alias).run_many([flows.declining(names.keys_of(holder_key), token)])


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("CACHES", "LOCKING"):
        while _listeners:
            _listeners.popitem()[1].close()


def _drop_in_child() -> None:
    """A child must not listen for its parent."""
    global _making
    _making = threading.Lock()
    _listeners.clear()


os.register_at_fork(after_in_child=_drop_in_child)
