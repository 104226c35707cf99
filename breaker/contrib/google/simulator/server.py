import random
import threading
from socketserver import ThreadingMixIn
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from .application import Application
from .faults import Faults
from .ledger import Ledger


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Silent: a request line is what /_simulator/requests is for."""


class _Server(ThreadingMixIn, WSGIServer):
    # Not waited for at the end, because a hanging request is one of the things simulated.
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # WSGIServer would look its own name up, and a resolver may take seconds to say no.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent: clients that give up on a hang or a drip are expected."""


class Simulator:
    """Listens from construction on; ``port`` 0 takes a free one. Use it in a ``with`` to serve."""

    def __init__(self, port: int = 0, *, operation_seconds: float = 2.0) -> None:
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.set_app(
            Application(Ledger(operation_seconds), Faults(random.random), self._stopping)
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends hanging and dripping requests too."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
