"""How often somebody may come. Values only; ``limiter`` counts."""

from collections.abc import Iterable
from dataclasses import dataclass

MINUTE = 60
# A /48 is a site, and a site has more than one person in it.
PEOPLE_OF_A_SITE = 4


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``tries`` within any ``window`` seconds, counted for each subject by itself."""

    name: str
    subject: str
    tries: int
    window: int


def logins(blocks: Iterable[str], tries: int) -> list[Limit]:
    return for_blocks("logins", blocks, tries)


def failed_logins(blocks: Iterable[str], tries: int) -> list[Limit]:
    return for_blocks("failed logins", blocks, tries)


def for_blocks(name: str, blocks: Iterable[str], tries: int) -> list[Limit]:
    return [Limit(name, block, tries * _people(block), MINUTE) for block in blocks]


def _people(block: str) -> int:
    return PEOPLE_OF_A_SITE if block.endswith("/48") else 1
