"""Hashers that tell how often a password was really looked at."""

from typing import ClassVar

from tests.hashers import QuickArgon2


class Counting(QuickArgon2):
    checked: ClassVar[list[str]] = []

    def encode(self, password: str, salt: str) -> str:
        self.checked.append("encode")
        return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        self.checked.append("verify")
        return bool(super().verify(password, encoded))
