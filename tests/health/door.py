"""A TCP port in front of a unix socket, which may be open, shut, or silent."""

import socket
from contextlib import suppress
from threading import Thread


def bound(port: int) -> socket.socket:
    """Others may be bound to the same port, if they are ours; nobody else gets it meanwhile."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("127.0.0.1", port))
    return found


def listening(port: int) -> socket.socket:
    found = bound(port)
    found.listen(128)
    return found


class Door:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._kept = bound(0)
        self.port: int = self._kept.getsockname()[1]
        self._passing: list[socket.socket] = []
        self._listener = self._kept
        self.open()

    def open(self) -> None:
        self.shut()
        self._listener = listening(self.port)
        Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def silence(self) -> None:
        """Accept connections and never say a word."""
        self.shut()
        self._listener = listening(self.port)

    def shut(self) -> None:
        """Refuse connections, and break those that there are."""
        for sock in (*self._passing, self._listener):
            if sock is not self._kept:
                _close(sock)
        self._passing.clear()

    def close(self) -> None:
        self.shut()
        self._kept.close()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._upstream)
                self._passing += (client, server)
                for ends in ((client, server), (server, client)):
                    Thread(target=_pass, args=ends, daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for sock in (source, target):
        _close(sock)


def _close(sock: socket.socket) -> None:
    """Also for those who wait for it in other threads."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
