import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Terminal(BaseCommand):
    """What verbs say, ask and fail by."""

    def tell(self, document: Any) -> None:
        self.stdout.write(json.dumps(document, default=str))

    def demand(self, question: str, *, yes: bool) -> None:
        """Raises CommandError unless the operator wants it."""
        if not yes and not self._sure(question):
            raise refusal("Nothing was done.")

    def _sure(self, question: str) -> bool:
        try:
            return input(f"{question} [y/N] ").lower() == "y"
        except EOFError:
            return False


def brief(text: str) -> str:
    """The type of an argument that is kept on record, where it has so much room."""
    if not 0 < len(text.strip()) <= 200:
        raise ArgumentTypeError("a reason has 1 to 200 characters")
    return text.strip()


def refusal(error: Exception | str) -> CommandError:
    return CommandError(str(error), returncode=1)
