"""Who says something to circuits, as records name them."""

from .errors import CommandInvalid

LONGEST_ACTOR = 150


def check_actor(actor: str) -> None:
    """Raises CommandInvalid."""
    if not 1 <= len(actor) <= LONGEST_ACTOR:
        raise CommandInvalid(f"An actor is named by 1 to {LONGEST_ACTOR} characters.")
