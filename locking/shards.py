"""``Listener`` for a cluster, where each lock's news is told on the node that keeps the lock.

A channel then has the lock's hash tag, and a process listens on it while somebody waits there: one
connection and one thread for each node. What moves, or dies, is followed to the next owner.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import hiredis
import redis

from .cluster import ClusterLine, Nodes
from .errors import LockUnavailable
from .hearing import Ear
from .pools import Pool
from .routing import Node, slot
from .steps import News

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0

Told = Callable[[str], None]


class Place(Protocol):
    """Of a flow that waits; ``fence`` is that of the lock handed to it."""

    fence: int

    def wake(self) -> None: ...


class Shards:
    """Who waits on which channel, and where that is listened to."""

    def __init__(self, nodes: Nodes[Pool], told: Told) -> None:
        self._line = ClusterLine(nodes)
        self._told = told
        self._seats: dict[str, tuple[str, Place]] = {}
        self._shards: dict[Node, Shard] = {}
        self._up: set[str] = set()
        self._mutex = threading.Lock()
        self._closed = threading.Event()

    def hears(self, channel: str) -> bool:
        return channel in self._up

    def news(self, channel: str) -> News:
        return News.PUSHED if channel in self._up else News.POLLED

    def add(self, token: str, channel: str, place: Place) -> None:
        self._seats[token] = channel, place

    def read(self, place: object, seconds: float) -> bool:
        """No waiting thread does: what it waits for may be told by another node by then."""
        return False

    def rest(self, place: object) -> None: ...

    def attend(self) -> None: ...

    def hand(self, token: str, fence: int) -> bool:
        """Whether somebody waits with it."""
        seat = self._seats.get(token)
        if seat:
            seat[1].fence = fence
            seat[1].wake()
        return seat is not None

    def start(self, channel: str) -> None:
        """Listen on it soon; asks nobody where, because a task may not wait here."""
        if not self._place(channel, self._line.known(slot(channel))):
            threading.Thread(target=self.follow, args=({channel},), daemon=True).start()

    def _place(self, channel: str, node: Node | None) -> bool:
        if node is None:
            return False
        with self._mutex:
            if node not in self._shards:
                self._shards[node] = Shard(lambda: self._line.dial(node), self)
        self._shards[node].want(channel)
        return True

    def remove(self, token: str) -> None:
        seat = self._seats.pop(token, None)
        if seat and not self._wanted(seat[0]):
            self._up.discard(seat[0])
            for shard in list(self._shards.values()):
                shard.leave(seat[0])

    def _wanted(self, channel: str) -> bool:
        return any(channel == wanted for wanted, _ in list(self._seats.values()))

    def turned(self, channel: str, *, up: bool) -> None:
        """News may have been missed until now, or will be from now on."""
        (self._up.add if up else self._up.discard)(channel)
        for wanted, place in list(self._seats.values()):
            if wanted == channel:
                place.wake()

    def doubt(self) -> None:
        self._line.doubt()

    def told(self, text: str) -> None:
        self._told(text)

    def follow(self, channels: set[str]) -> None:
        """Find the nodes that serve them now, however long that takes, and listen there."""
        pause = 0.0
        while channels and not self._closed.wait(pause):
            for channel in list(channels):
                if not self._wanted(channel) or self._found(channel):
                    channels.discard(channel)
            pause = min(pause * 2, LONGEST_PAUSE) or FIRST_PAUSE

    def _found(self, channel: str) -> bool:
        try:
            return self._place(channel, self._line.owner(slot(channel)))
        except LockUnavailable:
            return False

    def close(self) -> None:
        self._closed.set()
        for shard in self._shards.values():
            shard.close()


class Shard:
    """The channels that are heard from one node."""

    def __init__(self, dial: Callable[[], Any], shards: Shards) -> None:
        self._dial = dial
        self._shards = shards
        self._channels: set[str] = set()
        self._ear: Ear | None = None
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()

    def want(self, channel: str) -> None:
        with self._mutex:
            self._channels.add(channel)
            self._say("SSUBSCRIBE", channel)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._listen, name="locking-shard-listener", daemon=True
                )
                self._thread.start()

    def leave(self, channel: str) -> None:
        with self._mutex:
            if channel in self._channels:
                self._channels.discard(channel)
                self._say("SUNSUBSCRIBE", channel)

    def close(self) -> None:
        if self._ear:
            self._ear.interrupt()

    def _say(self, *words: str) -> None:
        with suppress(OSError):  # the listening thread finds out by itself
            if self._ear:
                self._ear.say(*words)

    def _listen(self) -> None:
        """Until the connection ends; what was heard there is then to be heard elsewhere."""
        try:
            self._converse()
        except (redis.RedisError, OSError) as error:
            logger.debug("Nothing is heard from a node: %r", error)
        except Exception:
            logger.exception("The listener of a node ends after an error")
        finally:
            with self._mutex:
                lost, self._channels = self._channels, set()
                self._ear = self._thread = None
        self._shards.doubt()
        for channel in lost:
            self._shards.turned(channel, up=False)
        self._shards.follow(lost)

    def _converse(self) -> None:
        ear = Ear(self._dial())
        try:
            with self._mutex:
                self._ear = ear
                for channel in self._channels:
                    self._say("SSUBSCRIBE", channel)
            while True:
                for message in ear.hear():
                    self._heard(message)
        finally:
            ear.close()

    def _heard(self, message: Any) -> None:
        match message:
            case [b"smessage", _, text]:
                self._shards.told(text.decode())
            case [b"ssubscribe", channel, _]:
                self._shards.turned(channel.decode(), up=True)
            case [b"sunsubscribe", channel, _] if channel and channel.decode() in self._channels:
                # The slot has moved.
                raise ConnectionResetError
            case hiredis.ReplyError():
                raise redis.ResponseError(str(message))
