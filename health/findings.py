"""What a doctor says of one thing, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    id: str
    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Ward:
    """Numbers the findings of one app."""

    app: str

    def ok(self, number: int, message: str) -> Finding:
        return self._finding(number, Level.OK, message)

    def warning(self, number: int, message: str, hint: str) -> Finding:
        return self._finding(number, Level.WARNING, message, hint)

    def error(self, number: int, message: str, hint: str) -> Finding:
        return self._finding(number, Level.ERROR, message, hint)

    def _finding(self, number: int, level: Level, message: str, hint: str = "") -> Finding:
        return Finding(id=f"{self.app}.D{number:03}", level=level, message=message, hint=hint)
