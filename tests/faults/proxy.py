"""A bad line between workers and the store: one thread, any number of connections.

It knows the process behind each connection, so that the history can tell whom a fault touched.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import monotonic

Touched = Callable[["Wire"], None]


class Bad(StrEnum):
    DROP = "requests arrive, no reply ever does"
    BREAK = "the next request arrives, then the line breaks instead of the reply"
    CUT = "the line breaks now"
    STALL = "nothing moves for a while"
    LAG = "requests arrive at once, their replies only after a while"


class Wire:
    """One client's connection and its twin to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.pid = peer(client)
        self.bad: Bad | None = None
        self.until = 0.0
        # What the selector watches of it.
        self.heard: list[socket.socket] = []
        self.closed: Touched = lambda wire: None


def peer(client: socket.socket) -> int:
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


class Proxy:
    def __init__(self, path: Path, upstream: Path) -> None:
        self.path, self.upstream = path, upstream
        self.swallowed = 0
        self._selector = selectors.DefaultSelector()
        self._wires: set[Wire] = set()
        self._stalled: list[Wire] = []
        self._wishes: list[Callable[[], None]] = []
        self._bell, self._ear = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(512)
        for sock in (self._listener, self._ear):
            sock.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._ear, selectors.EVENT_READ, self._listen)
        self._thread = threading.Thread(target=self._serve, name="bad line", daemon=True)
        self._thread.start()

    def harm(
        self,
        bad: Bad,
        pick: Callable[[list[Wire]], list[Wire]],
        *,
        seconds: float = 0.0,
        touched: Touched,
        healed: Touched,
    ) -> None:
        """``pick`` chooses wires; ``touched`` and ``healed`` run in the proxy's thread."""
        self._wishes.append(lambda: self._harm(bad, pick, seconds, touched, healed))
        self._bell.send(b"!")

    def heal(self) -> None:
        """Break every half-dead line and let the others flow."""
        self._wishes.append(self._heal)
        self._bell.send(b"!")

    def _harm(
        self,
        bad: Bad,
        pick: Callable[[list[Wire]], list[Wire]],
        seconds: float,
        touched: Touched,
        healed: Touched,
    ) -> None:
        for wire in pick([wire for wire in self._wires if wire.bad is None]):
            touched(wire)
            wire.bad, wire.until, wire.closed = bad, monotonic() + seconds, healed
            if bad is Bad.CUT:
                self._close(wire)
            elif bad is Bad.STALL:
                self._mute(wire, wire.client, wire.server)
            elif bad is Bad.LAG:
                self._mute(wire, wire.server)

    def _heal(self) -> None:
        for wire in [wire for wire in self._wires if wire.bad is not None]:
            self._close(wire)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._resume()

    def _patience(self) -> float | None:
        ends = [wire.until for wire in self._stalled]
        return max(min(ends) - monotonic(), 0) if ends else None

    def _resume(self) -> None:
        for wire in [wire for wire in self._stalled if wire.until <= monotonic()]:
            self._stalled.remove(wire)
            wire.bad = None
            wire.closed(wire)
            wire.closed = lambda wire: None
            self._watch(wire)

    def _listen(self) -> None:
        self._ear.recv(64)
        while self._wishes:
            self._wishes.pop(0)()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.upstream))
        except OSError:
            client.close()
            server.close()
            return
        wire = Wire(client, server)
        self._wires.add(wire)
        self._watch(wire)

    def _watch(self, wire: Wire) -> None:
        acts = {wire.client: self._request, wire.server: self._reply}
        for sock in acts.keys() - set(wire.heard):
            self._selector.register(sock, selectors.EVENT_READ, partial(acts[sock], wire))
            wire.heard.append(sock)

    def _mute(self, wire: Wire, *deaf: socket.socket) -> None:
        for sock in deaf:
            self._selector.unregister(sock)
            wire.heard.remove(sock)
        self._stalled.append(wire)

    def _request(self, wire: Wire) -> None:
        if wire.client in wire.heard:  # not closed or muted since the selector reported
            self._pass(wire, wire.client, wire.server)

    def _reply(self, wire: Wire) -> None:
        if wire.server not in wire.heard:
            return
        match wire.bad:
            case Bad.DROP:
                self._swallow(wire)
            case Bad.BREAK:
                self.swallowed += 1
                self._close(wire)
            case _:
                self._pass(wire, wire.server, wire.client)

    def _swallow(self, wire: Wire) -> None:
        with suppress(OSError):
            if wire.server.recv(65536):
                self.swallowed += 1
                return
        self._close(wire)

    def _pass(self, wire: Wire, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            if chunk := source.recv(65536):
                target.sendall(chunk)
                return
        self._close(wire)

    def _close(self, wire: Wire) -> None:
        self._wires.discard(wire)
        if wire in self._stalled:
            self._stalled.remove(wire)
        while wire.heard:
            self._selector.unregister(wire.heard.pop())
        wire.client.close()
        wire.server.close()
        wire.closed(wire)
