"""One connection of a process on which the store tells what was given to it and what was taken.

A thread listens, however many threads and tasks wait. The news may be lost: then a waiter asks by
itself a little later, and a lock handed to nobody is free again after its claim time.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import hiredis
import redis
from django.core.signals import setting_changed
from django.dispatch import receiver

from . import connections, flows, holders, names, renewal
from .conf import conf
from .flows import News

logger = logging.getLogger(__name__)

# Silence for so long is questioned, and an unanswered question means a dead connection.
SILENCE = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0

Declined = Callable[[str, str], None]


class Listener:
    """``channel`` is this process's own; ``declined`` is told of grants that nobody waits for."""

    def __init__(self, alias: str, declined: Declined) -> None:
        self.channel = f"{conf().prefix}:c:{holders.process()}"
        self.up = False
        self._alias = alias
        self._declined = declined
        self._wakes: dict[str, Callable[[], None]] = {}
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._socket: socket.socket | None = None

    @property
    def news(self) -> News:
        return News.PUSHED if self.up else News.POLLED

    def start(self) -> None:
        if self._thread:
            return
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._listen, name="locking-listener", daemon=True
                )
                self._thread.start()

    def add(self, token: str, wake: Callable[[], None]) -> None:
        """Have ``wake`` called, from the listening thread, whenever asking anew may pay."""
        self._wakes[token] = wake

    def remove(self, token: str) -> None:
        self._wakes.pop(token, None)

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            if self._socket:
                self._socket.shutdown(socket.SHUT_RDWR)

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
        connection = connections.dial(self._alias)
        try:
            self._socket = connection._sock
            self._socket.sendall(_packed("SUBSCRIBE", self.channel))
            for message in _messages(self._socket):
                self._heard(message)
        finally:
            connection.disconnect()

    def _heard(self, message: Any) -> None:
        match message:
            case [b"message", _, text]:
                kind, token, key = text.decode().split(" ", 2)
                self._told(kind, token, key)
            case [b"subscribe", *_]:
                self._turn(up=True)
            case hiredis.ReplyError():
                raise redis.ResponseError(str(message))

    def _told(self, kind: str, token: str, key: str) -> None:
        if kind == "x":
            if lease := renewal.find(token):
                lease.revoked()
        elif wake := self._wakes.get(token):
            wake()
        else:
            self._declined(token, key)

    def _turn(self, *, up: bool) -> None:
        self.up = up
        # News may have been missed until now, or will be from now on.
        self._wake_all()

    def _wake_all(self) -> None:
        for wake in list(self._wakes.values()):
            wake()


def _packed(*words: str) -> bytes:
    return hiredis.pack_command(words)  # type: ignore[arg-type,no-any-return]  # stub: a tuple of one


def _messages(sock: socket.socket) -> Iterator[Any]:
    reader = hiredis.Reader()
    sock.settimeout(SILENCE)
    asked = True
    while True:
        try:
            chunk = sock.recv(65536)
        except TimeoutError:
            if asked:
                return
            sock.sendall(_packed("PING"))
            asked = True
            continue
        if not chunk:
            return
        asked = False
        reader.feed(chunk)
        while (message := reader.gets()) is not False:
            yield message


# By process, because a child must not listen for its parent.
_listeners: dict[tuple[int, str], Listener] = {}
_making = threading.Lock()


def listener(alias: str) -> Listener:
    key = os.getpid(), alias
    found = _listeners.get(key)
    if found is None:
        with _making:
            found = _listeners.setdefault(key, Listener(alias, partial(_decline, alias)))
    return found


def channel(alias: str) -> str:
    """Where this process is told, from now on: also that its leases are revoked."""
    found = listener(alias)
    found.start()
    return found.channel


def _decline(alias: str, token: str, holder_key: str) -> None:
    # Whatever comes of it, the claim time ends by itself.
    connections.line(alias).run_many([flows.declining(names.keys_of(holder_key), token)])


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("CACHES", "LOCKING"):
        while _listeners:
            _listeners.popitem()[1].close()


def _drop_in_child() -> None:
    global _making
    _making = threading.Lock()
    _listeners.clear()


os.register_at_fork(after_in_child=_drop_in_child)
