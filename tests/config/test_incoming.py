from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from rest_framework.decorators import api_view

from config.incoming import BrokenOff, IncomingBodies, TooManyReaders
from config.leftovers import Leftovers


class Pending(BytesIO):
    """A body that comes when it is told to."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.asked, self.come = Event(), Event()

    def read(self, size: int | None = -1) -> bytes:
        self.asked.set()
        assert self.come.wait(30)
        return super().read(size)


@pytest.fixture
def pending() -> Iterator[Callable[[], Pending]]:
    made: list[Pending] = []

    def make() -> Pending:
        made.append(Pending(b"late"))
        return made[-1]

    yield make
    for body in made:
        body.come.set()


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    return [environ["wsgi.input"].read(4)]


def sent(body: BytesIO) -> dict[str, Any]:
    return {"wsgi.input": body, "CONTENT_LENGTH": "4", "PATH_INFO": "/"}


def test_some_threads_are_left_for_those_who_need_no_body(
    pending: Callable[[], Pending],
) -> None:
    application = IncomingBodies(echo, threads=4)
    slow = [pending() for _ in range(3)]
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(application, sent(body), print) for body in slow]
        assert all(body.asked.wait(30) for body in slow)
        with pytest.raises(TooManyReaders):
            application(sent(BytesIO(b"soon")), print)
        slow[0].come.set()
        assert answers[0].result(30) == [b"late"]
        assert application(sent(BytesIO(b"soon")), print) == [b"soon"]
        for body in slow:
            body.come.set()
        assert [answer.result(30) for answer in answers] == [[b"late"]] * 3


@pytest.mark.parametrize("size", [-1, 3, 4, 100])
def test_a_body_that_broke_off_is_none(size: int) -> None:
    def view(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        return list(iter(lambda: environ["wsgi.input"].read(size), b""))

    application = IncomingBodies(view, threads=4)
    assert b"".join(application(sent(BytesIO(b"whole")), print)) == b"whol"
    with pytest.raises(BrokenOff):
        application(sent(BytesIO(b"par")), print)


def test_what_comes_in_pieces_is_put_together() -> None:
    class Pieces(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(1)

    assert IncomingBodies(echo, threads=4)(sent(Pieces(b"late")), print) == [b"late"]


@pytest.mark.parametrize("size", [-1, 10])
def test_lines_end_with_the_body(size: int) -> None:
    def view(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        return [environ["wsgi.input"].readline(size) for _ in range(3)]

    application = IncomingBodies(view, threads=4)
    assert application(sent(BytesIO(b"a\nbcd")), print) == [b"a\n", b"bc", b""]
    with pytest.raises(BrokenOff):
        application(sent(BytesIO(b"a\nb")), print)


def test_what_a_view_left_is_not_waited_for_then(pending: Callable[[], Pending]) -> None:
    application = IncomingBodies(Leftovers(lambda *_: [b"done"]), threads=1)
    slow = pending()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(application, sent(slow), print)
        assert slow.asked.wait(30)
        assert application(sent(BytesIO(b"left")), print) == [b"done"]
        slow.come.set()
        assert first.result(30) == [b"done"]


def test_who_has_to_come_again_is_told_when(rf: RequestFactory) -> None:
    class Full(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise TooManyReaders

    @api_view(["POST"])
    def view(request: Any) -> HttpResponse:
        return HttpResponse(request.data["name"])

    view.cls.authentication_classes = view.cls.permission_classes = ()
    request: HttpRequest = rf.post("/api/x", "{}", content_type="application/json")
    request._stream = Full()  # type: ignore[attr-defined]
    answer = view(request)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "1"), answer.content
    assert b"server_unavailable" in answer.content
