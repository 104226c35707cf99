"""``Listener`` for a cluster, where each lock's news is told on the node that keeps the lock.

A channel then has the lock's hash tag, and a process listens on it while somebody waits there: one
connection and one thread for each node. What moves, or dies, is followed to the next owner.
"""

import logging
import threading
from collections import Counter
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
    """Who waits on which channel, and where that is listened to.

    Under the mutex somebody waits on each channel of a shard; and what is up is listened to.
    """

    def __init__(self, nodes: Nodes[Pool], told: Told) -> None:
        self._line = ClusterLine(nodes)
        self._told = told
        self._seats: dict[str, tuple[str, Place]] = {}
        self._shards: dict[Node, Shard] = {}
        self._up: set[str] = set()
        self.mutex = threading.Lock()
        self._closed = threading.Event()

    def hears(self, channel: str) -> bool:
        return channel in self._up

    def news(self, channel: str) -> News:
        return News.PUSHED if channel in self._up else News.POLLED

    def add(self, token: str, channel: str, place: Place) -> bool:
        """Whether the channel is heard."""
        with self.mutex:
            self._seats[token] = channel, place
            return channel in self._up

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
        """Whether it is listened to there, or need not be."""
        with self.mutex:
            if node and self._wanted(channel):
                if node not in self._shards:
                    self._shards[node] = Shard(lambda: self._line.dial(node), self)
                self._shards[node].want(channel)
            return node is not None

    def remove(self, token: str) -> None:
        with self.mutex:
            seat = self._seats.pop(token, None)
            if seat and not self._wanted(seat[0]):
                self._up.discard(seat[0])
                for shard in self._shards.values():
                    shard.leave(seat[0])

    def _wanted(self, channel: str) -> bool:
        return any(channel == wanted for wanted, _ in list(self._seats.values()))

    def turned(self, channel: str, *, up: bool) -> None:
        """News may have been missed until now, or will be from now on. Under the mutex."""
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
        for shard in list(self._shards.values()):
            shard.close()


class Shard:
    """The channels that are heard from one node; all that changes them is under the mutex."""

    def __init__(self, dial: Callable[[], Any], shards: Shards) -> None:
        self._dial = dial
        self._shards = shards
        self._channels: set[str] = set()
        self._unanswered: Counter[str] = Counter()
        self._ear: Ear | None = None
        self._thread: threading.Thread | None = None

    def want(self, channel: str) -> None:
        self._channels.add(channel)
        self._say("SSUBSCRIBE", channel)
        if self._thread is None:
            thread = threading.Thread(
                target=self._listen, name="locking-shard-listener", daemon=True
            )
            thread.start()
            self._thread = thread

    def leave(self, channel: str) -> None:
        if channel in self._channels:
            self._channels.discard(channel)
            self._say("SUNSUBSCRIBE", channel)

    def close(self) -> None:
        if self._ear:
            self._ear.interrupt()

    def _say(self, word: str, channel: str) -> None:
        if self._ear:
            self._unanswered[channel] += 1
            with suppress(OSError):  # the listening thread finds out by itself
                self._ear.say(word, channel)

    def _listen(self) -> None:
        """Until the connection ends; what was heard there is then to be heard elsewhere."""
        try:
            self._converse()
        except (redis.RedisError, OSError) as error:
            logger.debug("Nothing is heard from a node: %r", error)
        except Exception:
            logger.exception("The listener of a node ends after an error")
        self._shards.doubt()
        self._shards.follow(self._lost())

    def _lost(self) -> set[str]:
        with self._shards.mutex:
            lost, self._channels = self._channels, set()
            self._ear = self._thread = None
            for channel in lost:
                self._shards.turned(channel, up=False)
        return lost

    def _converse(self) -> None:
        ear = Ear(self._dial())
        try:
            with self._shards.mutex:
                self._ear = ear
                self._unanswered.clear()
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
            case [b"ssubscribe" | b"sunsubscribe" as kind, bytes(channel), _]:
                with self._shards.mutex:
                    self._answered(channel.decode(), up=kind == b"ssubscribe")
            case hiredis.ReplyError():
                raise redis.ResponseError(str(message))

    def _answered(self, channel: str, *, up: bool) -> None:
        """Only the answer to what was said last tells how it is."""
        self._unanswered[channel] -= 1
        if self._unanswered[channel] > 0:
            return
        del self._unanswered[channel]
        if channel in self._channels:
            if not up:  # the slot has moved
                raise ConnectionResetError
            self._shards.turned(channel, up=True)
