"""Whom a process believes: itself, or who probes for its host."""

import logging
from collections.abc import Sequence

from . import leadership
from .leadership import FRESH_SECONDS, Source
from .record import Publication
from .watch import Watch

logger = logging.getLogger(__name__)


class Belief:
    """Owned by the scheduler thread; ``source`` is where its answers come from."""

    def __init__(self, watches: Sequence[Watch], *, now: float) -> None:
        self.source = Source.HOST
        self._watches = watches
        self._heard = self._since = now
        self._shown: Publication | None = None

    def form(self, now: float, *, leads: bool, latest: Publication | None) -> bool:
        """Find out whom to believe; True when there is something else to show."""
        if latest and not self._credible(latest, now):
            latest = None
        if latest:
            self._heard = latest.beat
        source = leadership.source(leads=leads, silence=now - self._heard)
        changed = source is not self.source
        if changed:
            self._turn(source, now)
        if latest is None or latest is self._shown:
            return changed
        self._adopt(latest)
        return True

    def forget(self) -> None:
        self._shown = None

    def _credible(self, publication: Publication, now: float) -> bool:
        """It is fresh, answers the same questions, and is no older than what was found here."""
        checks = publication.checks
        questions = {watch.check.question for watch in self._watches}
        return (
            now - publication.beat <= FRESH_SECONDS
            and questions == {check.question for check in checks}
            and (self.source is Source.HOST or all(check.taken >= self._since for check in checks))
        )

    def _turn(self, source: Source, now: float) -> None:
        before, self.source, self._since = self.source, source, now
        for watch in self._watches:
            if source is Source.HOST:
                watch.rest()
            elif before is Source.HOST:
                watch.hurry(now)
        logger.info("Answers of this process come from: %s", source)

    def _adopt(self, publication: Publication) -> None:
        self._shown = publication
        found = {check.question: check for check in publication.checks}
        for watch in self._watches:
            watch.adopt(found[watch.check.question])
