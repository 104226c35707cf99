from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from rest_framework.decorators import api_view

from config.leftovers import Leftovers
from config.slow import SlowBodies, TooManyReaders


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
    application = SlowBodies(echo, threads=4)
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


def test_what_a_view_left_is_not_waited_for_then(pending: Callable[[], Pending]) -> None:
    application = SlowBodies(Leftovers(lambda *_: [b"done"]), threads=1)
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
