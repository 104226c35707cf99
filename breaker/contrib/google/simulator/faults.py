"""What goes wrong on request: one fault per service, drawn for each call."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

SERVICES = ("imagen", "veo", "veo_submit", "veo_poll", "vertex")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """``latency`` delays a call in seconds; ``drip`` is the pause after each byte of its body.

    ``body`` is sent in place of the reply.
    """

    status: int | None = None
    rate: float = 1.0
    latency: float = 0.0
    hang: bool = False
    drip: float = 0.0
    malformed: bool = False
    body: str | None = None
    blocked: bool = False
    retry_after: float | None = None
    operation_code: int | None = None
    model: str | None = None
    times: int | None = None

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Fault":
        """Raises ValueError naming a knob that does not exist or does not turn that way."""
        for name, value in body.items():
            if name not in KNOBS:
                raise ValueError(f"unknown knob: {name}")
            if type(value) not in KNOBS[name]:
                raise ValueError(f"{name} cannot be {value!r}")
        return cls(**body)


NONE = Fault()


def _types(hint: Any) -> tuple[type, ...]:
    types = get_args(hint) or (hint,)
    return (*types, int) if float in types else types


KNOBS = {name: _types(hint) for name, hint in get_type_hints(Fault).items()}


class Faults:
    def __init__(self, draw: Callable[[], float]) -> None:
        """``draw`` gives numbers from 0 to 1; a fault strikes when its rate is above."""
        self._draw = draw
        self._lock = threading.Lock()
        self._by_service: dict[str, Fault] = {}

    def set(self, service: str, fault: Fault) -> None:
        with self._lock:
            self._by_service[service] = fault

    def clear(self) -> None:
        with self._lock:
            self._by_service.clear()

    def strike(self, service: str, model: str) -> Fault:
        """The fault of this call, used up by one of its ``times``."""
        family = service.partition("_")[0]
        with self._lock:
            for name in dict.fromkeys((service, family)):
                fault = self._by_service.get(name, NONE)
                if fault is not NONE and self._hits(fault, model):
                    self._use_up(name, fault)
                    return fault
        return NONE

    def _hits(self, fault: Fault, model: str) -> bool:
        return fault.model in (None, model) and fault.times != 0 and self._draw() < fault.rate

    def _use_up(self, name: str, fault: Fault) -> None:
        if fault.times is not None:
            self._by_service[name] = replace(fault, times=fault.times - 1)
