"""A bad line: stands between client and server and mistreats chosen script calls."""

import socket
import threading
from collections import deque
from contextlib import suppress
from enum import StrEnum
from pathlib import Path


class Fault(StrEnum):
    BREAK = "the call lands, then the connection ends"
    HANG = "the call lands, its reply never comes"
    LATE = "the call lands, its reply comes only with that of the next call"
    STALL = "the call is kept back until proxy.resume is set"
    PASS = "nothing happens"


class Proxy:
    def __init__(self, path: Path, upstream: Path) -> None:
        self.path = path
        self.upstream = upstream
        self.about = b"EVAL"
        """What chosen calls contain: threads of the process may have business of their own."""
        self.faults: deque[Fault] = deque()
        self.calls: list[bytes] = []
        self.resume = threading.Event()
        self.delivered = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def plan(self, *faults: Fault) -> None:
        """What happens to the next script calls, in their order."""
        self.faults.extend(faults)

    def close(self) -> None:
        self.resume.set()
        for sock in self.sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                self.sockets += [client, server]
                server.connect(str(self.upstream))
                Connection(self, client, server)


class Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.fault = Fault.PASS
        self.late = b""
        for target in (self._requests, self._replies):
            threading.Thread(target=target, daemon=True).start()

    def _requests(self) -> None:
        with suppress(OSError):
            while chunk := self.client.recv(65536):
                if b"EVAL" in chunk and self.proxy.about in chunk:
                    self.proxy.calls.append(chunk)
                    self.fault = self.proxy.faults.popleft() if self.proxy.faults else Fault.PASS
                if self.fault is Fault.STALL:
                    self.proxy.resume.wait(10)
                    self.fault = Fault.PASS
                self.server.sendall(chunk)
            if not self.proxy.resume.is_set():
                self.server.shutdown(socket.SHUT_WR)

    def _replies(self) -> None:
        with suppress(OSError):
            while chunk := self.server.recv(65536):
                self.proxy.delivered.set()
                match self.fault:
                    case Fault.BREAK:
                        self.client.shutdown(socket.SHUT_RDWR)
                    case Fault.HANG:
                        pass
                    case Fault.LATE:
                        self.late = chunk
                    case _:
                        self.client.sendall(self.late + chunk)
                        self.late = b""
