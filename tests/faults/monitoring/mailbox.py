"""Takes in what Alertmanager sends."""

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Notice(NamedTuple):
    """``about`` is the service or the circuit."""

    alert: str
    about: str
    status: str


class Mailbox:
    def __init__(self) -> None:
        self.notices: Counter[Notice] = Counter()
        mailbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                mailbox.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        for alert in json.loads(body)["alerts"]:
            labels = alert["labels"]
            about = labels.get("breaker") or labels.get("service") or labels.get("instance", "")
            self.notices[Notice(labels["alertname"], about, alert["status"])] += 1

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
