"""What is to be said now, and to whom: one message for all that happened within a moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .mutes import Mutes
from .states import NOTHING, Record, Word, owed


@dataclass(frozen=True, slots=True)
class Notice:
    record: Record
    word: Word
    reminder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Seconds: how long to wait for what belongs together, after which time to say it again, and
    how long a channel rests after each message.
    """

    group: float
    remind: float
    floor: float


def due(
    records: Iterable[Record],
    resting_until: Mapping[str, float],
    mutes: Mutes,
    tempo: Tempo,
    *,
    now: float,
) -> dict[str, list[Notice]]:
    """Notices by channel, for the channels that are keys of ``resting_until``.

    Nothing until one of them has waited long enough, and then everything there is.
    """
    known = sorted(records, key=lambda record: record.fingerprint)
    if not any(now >= time for time in _times(known, resting_until, mutes, tempo, now)):
        return {}
    found = {
        channel: list(_notices(known, channel, mutes, tempo, now))
        for channel, rests in resting_until.items()
        if rests <= now
    }
    return {channel: notices for channel, notices in found.items() if notices}


def _times(
    records: list[Record],
    resting_until: Mapping[str, float],
    mutes: Mutes,
    tempo: Tempo,
    now: float,
) -> Iterable[float]:
    for channel, rests in resting_until.items():
        for notice in _notices(records, channel, mutes, tempo, now):
            yield max(notice.record.changed_at + tempo.group, rests)


def _notices(
    records: list[Record], channel: str, mutes: Mutes, tempo: Tempo, now: float
) -> Iterable[Notice]:
    for record in records:
        word = owed(record, channel, remind=tempo.remind, now=now)
        if word and not mutes.hold_back(record, word, now=now):
            told = record.told.get(channel, NOTHING)
            again = word is Word.FIRING and told.word is word and told.sure
            yield Notice(record, word, reminder=again)
