"""The WSGI program: finds the service, strikes it with its fault, answers in its shape."""

import json
import re
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from . import replies
from .faults import SERVICES, Fault, Faults
from .ledger import Ledger
from .replies import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CALL = re.compile(
    r"/v1(?:beta1)?/(?P<path>projects/[^/]+/locations/[^/]+/publishers/google/models/(?P<model>[^/:]+))"
    r":(?P<verb>\w+)"
)
SERVICE_OF = {
    "predict": "imagen",
    "predictLongRunning": "veo_submit",
    "fetchPredictOperation": "veo_poll",
    "generateContent": "vertex",
    "streamGenerateContent": "vertex",
}


class Application:
    def __init__(self, ledger: Ledger, faults: Faults, stopping: threading.Event) -> None:
        self._ledger = ledger
        self._faults = faults
        self._stopping = stopping

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        body = _body(environ)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/_simulator/"):
            status, reply = self._control(method, path.removeprefix("/_simulator/"), body)
            return _json(start_response, status, reply)
        if method == "POST" and (call := CALL.fullmatch(path)) and call["verb"] in SERVICE_OF:
            if not environ.get("HTTP_AUTHORIZATION", "").startswith("Bearer "):
                return _json(start_response, 401, replies.error(401))
            return self._serve(call, body, _trace(environ), start_response)
        return _json(start_response, 404, replies.error(404, "no such path"))

    def _control(self, method: str, path: str, body: Any) -> tuple[int, Json]:
        match method, path.split("/"):
            case "GET", ["requests"]:
                return 200, self._ledger.report()
            case "DELETE", ["faults"]:
                self._faults.clear()
                return 200, {}
            case "PUT", ["faults", service] if service in SERVICES and isinstance(body, dict):
                try:
                    self._faults.set(service, Fault.read(body))
                except ValueError as error:
                    return 400, replies.error(400, str(error))
                return 200, body
        return 404, replies.error(404, "no such control")

    def _serve(
        self,
        call: re.Match[str],
        body: Any,
        trace: dict[str, str],
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        service, model = SERVICE_OF[call["verb"]], call["model"]
        if service == "vertex" and isinstance(body, dict) and replies.wants_image(body):
            service = "imagen"
        entry = self._ledger.arrived(service, model, trace)
        fault = self._faults.strike(service, model)
        self._stopping.wait(fault.latency)
        if fault.hang:
            self._stopping.wait()
        entry["status"], blocks = self._answer(call, body, fault)
        return self._send(start_response, entry["status"], blocks, call["verb"], fault)

    def _answer(self, call: re.Match[str], body: Any, fault: Fault) -> tuple[int, list[Json]]:
        if fault.status is not None and fault.status != HTTPStatus.OK:
            return fault.status, [replies.error(fault.status)]
        try:
            return 200, list(self._reply(call, body, fault))
        except (KeyError, IndexError, TypeError) as error:
            status = 404 if call["verb"] == "fetchPredictOperation" else 400
            return status, [replies.error(status, f"not understood: {error!r}")]

    def _reply(self, call: re.Match[str], body: Any, fault: Fault) -> Iterator[Json]:
        match call["verb"]:
            case "predict":
                yield replies.predict(body, blocked=fault.blocked)
            case "generateContent":
                yield replies.generate_content(body, blocked=fault.blocked)
            case "streamGenerateContent":
                yield from replies.stream_generate_content(body, blocked=fault.blocked)
            case "predictLongRunning":
                yield {"name": self._ledger.submit(call["path"], body["instances"][0]["prompt"])}
            case "fetchPredictOperation":
                name = body["operationName"]
                done, prompt = self._ledger.operation(name)
                yield (
                    replies.operation(
                        name, prompt, blocked=fault.blocked, code=fault.operation_code
                    )
                    if done
                    else {"name": name}
                )

    def _send(
        self,
        start_response: "StartResponse",
        status: int,
        blocks: list[Json],
        verb: str,
        fault: Fault,
    ) -> Iterable[bytes]:
        headers = []
        if fault.retry_after is not None:
            headers.append(("Retry-After", f"{fault.retry_after:g}"))
        streamed = verb == "streamGenerateContent" and status == HTTPStatus.OK
        data = _events(blocks) if streamed else json.dumps(blocks[0]).encode()
        if fault.body is not None:
            data = fault.body.encode()
        if fault.malformed:
            data = data[: len(data) // 2]
        kind = "text/event-stream" if streamed else "application/json"
        _start(start_response, status, kind, len(data), headers)
        return self._dripping(data, fault.drip) if fault.drip else [data]

    def _dripping(self, data: bytes, pause: float) -> Iterator[bytes]:
        for byte in data:
            if self._stopping.wait(pause):
                return
            yield bytes([byte])


def _body(environ: "WSGIEnvironment") -> Any:
    """The request's JSON, or None for anything else."""
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _trace(environ: "WSGIEnvironment") -> dict[str, str]:
    """What the request says of the trace it belongs to."""
    names = ("traceparent", "tracestate")
    return {name: environ[key] for name in names if (key := f"HTTP_{name.upper()}") in environ}


def _events(blocks: list[Json]) -> bytes:
    return b"".join(b"data: " + json.dumps(block).encode() + b"\r\n\r\n" for block in blocks)


def _json(start_response: "StartResponse", status: int, reply: Json) -> Iterable[bytes]:
    data = json.dumps(reply).encode()
    _start(start_response, status, "application/json", len(data), [])
    return [data]


def _start(
    start_response: "StartResponse",
    status: int,
    kind: str,
    length: int,
    headers: list[tuple[str, str]],
) -> None:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    start_response(
        f"{status} {phrase}", [("Content-Type", kind), ("Content-Length", str(length)), *headers]
    )
