"""What the simulator was asked: counts, the last requests without their prompts, operations."""

import threading
import time
from collections import Counter, deque
from typing import Any
from uuid import uuid4

COUNTED = ("imagen", "veo_submit", "veo_poll", "vertex")
REMEMBERED = 200


class Ledger:
    def __init__(self, operation_seconds: float) -> None:
        self._operation_seconds = operation_seconds
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self._recent: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._operations: dict[str, tuple[float, str]] = {}

    def arrived(self, service: str, model: str, trace: dict[str, str]) -> dict[str, Any]:
        """Counts on arrival: a request that hangs or is cut off may have been charged for."""
        entry = {"time": time.time(), "service": service, "model": model, "status": None, **trace}
        with self._lock:
            self._counts[service] += 1
            self._recent.append(entry)
        return entry

    def report(self) -> dict[str, Any]:
        with self._lock:
            return {"counts": dict(self._counts), "recent": [dict(e) for e in self._recent]}

    def submit(self, model_path: str, prompt: str) -> str:
        name = f"{model_path}/operations/{uuid4()}"
        with self._lock:
            self._operations[name] = (time.monotonic() + self._operation_seconds, prompt)
        return name

    def operation(self, name: str) -> tuple[bool, str]:
        """Whether it is done, and its prompt; KeyError for a name never given out."""
        with self._lock:
            done_at, prompt = self._operations[name]
        return time.monotonic() >= done_at, prompt
