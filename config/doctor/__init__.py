"""Is the site set up well? What the apps cannot know of it; each of them has a doctor of its own.

Cheap questions first: what a database or a cache leaves unanswered must not hide the others.
"""

from collections.abc import Iterator
from itertools import chain

from health.findings import Finding

from . import database, machine, settled, site, stores


def examine() -> Iterator[Finding]:
    return chain(
        site.examine(), machine.examine(), settled.examine(), stores.examine(), database.examine()
    )
