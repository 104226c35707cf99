"""A limit on a whole HTTP exchange, where httpx2 only limits each read.

A server that sends one byte now and then never meets a read time-out. So each socket operation
is given no more than what is left of the exchange, from the connect to the last byte of the body,
and of every time limit around it. Async calls need none of this: they are ended from outside.
"""

import ssl
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any

import httpcore2
import httpx2

from breaker.deadline import Deadline, ends_at


def _left(expired: type[Exception]) -> float:
    left = ends_at() - monotonic()
    if left <= 0:
        raise expired("the time limit of the whole exchange is over")
    return left


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(httpcore2.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = _left(httpcore2.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        left = _left(httpcore2.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options))


class _Body(httpx2.SyncByteStream):
    """``left`` are the seconds it may still be waited for."""

    def __init__(self, body: httpx2.SyncByteStream, left: float) -> None:
        self._body = body
        self._left = left

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._body)
        while True:
            # Only around the read: the time of the reader is its own, and so are its deadlines.
            began = monotonic()
            with Deadline(self._left):
                chunk = next(chunks, None)
            self._left -= monotonic() - began
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        self._body.close()


class DeadlineTransport(httpx2.HTTPTransport):
    """Takes the request's read time-out as the limit of the whole exchange."""

    def __init__(self, *, proxy: str | None = None) -> None:
        super().__init__(proxy=proxy)
        # httpx2 has no public way to choose the backend of its pool.
        self._pool._network_backend = _Backend()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        with Deadline(request.extensions["timeout"]["read"]):
            if ends_at() <= monotonic():
                raise httpx2.ConnectTimeout("too late to begin", request=request)
            response = super().handle_request(request)
            assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101
            response.stream = _Body(response.stream, ends_at() - monotonic())
        return response
