"""Health asked of a server whose database accepts connections and never answers."""

import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.health.servers import Site

REQUEST = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def one_by_one(site: Site, times: int) -> list[float]:
    """How long each took, in order of length."""
    return sorted(together(site, 1)[0] for _ in range(times))


def together(site: Site, many: int) -> list[float]:
    """Connected first, asked at once. One thread, so that who asks is not who is slow."""
    waiting: dict[socket.socket, bytes] = {}
    for _ in range(many):
        waiting[socket.create_connection(("127.0.0.1", site.port), timeout=10)] = b""
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for connection in waiting:
            connection.sendall(REQUEST)
            selector.register(connection, selectors.EVENT_READ)
        took = list(_replies(selector, waiting, began))
    assert len(took) == many
    return sorted(took)


def _replies(
    selector: selectors.BaseSelector, waiting: dict[socket.socket, bytes], began: float
) -> Iterator[float]:
    while waiting:
        ready = selector.select(timeout=30)
        assert ready, f"{len(waiting)} without a reply"
        for key, _ in ready:
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            data = connection.recv(65536)
            waiting[connection] += data
            if not data:
                assert waiting.pop(connection).startswith(b"HTTP/1.1 503"), "a false answer"
                selector.unregister(connection)
                connection.close()
                yield time.perf_counter() - began


class Size(NamedTuple):
    """Of all processes of a server together; memory in KiB."""

    threads: int
    descriptors: int
    connections: int
    memory: int


def size(site: Site) -> Size:
    sizes = [_size_of(Path(f"/proc/{pid}")) for pid in site.pids()]
    return Size(*map(sum, zip(*sizes, strict=True)))


def _size_of(process: Path) -> Size:
    open_files = [_target(path) for path in (process / "fd").iterdir()]
    lines = (process / "status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return Size(
        threads=len(list((process / "task").iterdir())),
        descriptors=len(open_files),
        connections=sum(name.startswith("socket:") for name in open_files),
        memory=memory,
    )


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def soak(site: Site, *, seconds: float, rate: float = 50.0, every: float = 5.0) -> list[Size]:
    """What the server takes at each moment of a steady load."""
    began = time.monotonic()
    sizes: list[Size] = []
    for number in range(int(seconds * rate)):
        time.sleep(max(began + number / rate - time.monotonic(), 0))
        together(site, 1)
        if time.monotonic() - began >= len(sizes) * every:
            sizes.append(size(site))
    return sizes


def growth(sizes: list[Size]) -> Size:
    """From the most of the second quarter to the most of the last one; the first warms up."""
    quarter = len(sizes) // 4
    early, late = most(sizes[quarter : 2 * quarter]), most(sizes[-quarter:])
    return Size(*(after - before for before, after in zip(early, late, strict=True)))


def most(sizes: list[Size]) -> Size:
    return Size(*map(max, zip(*sizes, strict=True)))
