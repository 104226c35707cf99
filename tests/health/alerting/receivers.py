"""Who hears of alerts in tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from health.alerting.notices import Notice
from health.alerting.states import Word


class Ear:
    """A channel that remembers what it was sent, or what ``hear`` makes of it."""

    def __init__(self, name: str = "ear", hear: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.hear = hear
        self.messages: list[list[tuple[Word, str]]] = []

    def send(self, notices: list[Notice]) -> None:
        self.hear()
        self.messages.append([(one.word, one.record.labels.service) for one in notices])

    @property
    def words(self) -> list[tuple[Word, str]]:
        return [one for message in self.messages for one in message]


class Hook(ThreadingHTTPServer):
    """Takes webhooks; ``answer`` is the status it gives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = 200
        self.posts: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?key=hunter2"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers), body))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def listening() -> Iterator[Hook]:
    with Hook() as hook:
        thread = Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield hook
        hook.shutdown()
        thread.join()
