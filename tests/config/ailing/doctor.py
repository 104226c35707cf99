import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings


@dataclass
class Own:
    """Like a finding, and akin to none."""

    id: str
    level: str
    message: str
    hint: str = ""


def examine() -> Iterator[Own]:
    yield Own("ailing.D001", "ok", "It breathes.")
    match settings.AILING:
        case "hangs":
            time.sleep(60)
        case "raises":
            raise ValueError("postgresql://shop:hunter2@db.example/shop is no address")
        case "tells":
            yield Own("ailing.D002", "error", "“hunter2” was\nrefused.", "See\tto it.")
        case "warns":
            yield Own("ailing.D003", "warning", "It coughs.", "Let it rest.")
        case "escapes":
            yield Own("ailing.D004", "error", "\x1b[2J")
