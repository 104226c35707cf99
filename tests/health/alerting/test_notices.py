from dataclasses import replace

from health.alerting.mutes import Mutes, Silence
from health.alerting.notices import Notice, Tempo, due
from health.alerting.states import Labels, Record, State, Told, Word

NOW = 1_000_000.0
TEMPO = Tempo(group=10, remind=3600, floor=30)
FREE = {"mail": 0.0, "log": 0.0}


def firing(service: str, *, ago: float, **known: object) -> Record:
    found = Record(
        labels=Labels(alert="ServiceDegraded", service=service),
        state=State.FIRING,
        changed_at=NOW - ago,
    )
    return replace(found, **known)  # type: ignore[arg-type]


def said(batches: dict[str, list[Notice]]) -> dict[str, set[str]]:
    return {
        channel: {notice.record.labels.service for notice in batch}
        for channel, batch in batches.items()
    }


def test_what_happens_within_a_moment_is_one_message() -> None:
    first, second = firing("cache", ago=10), firing("locks", ago=1)
    assert due([second], FREE, Mutes(), TEMPO, now=NOW) == {}
    together = due([first, second], FREE, Mutes(), TEMPO, now=NOW)
    assert said(together) == {"mail": {"cache", "locks"}, "log": {"cache", "locks"}}


def test_a_channel_hears_what_it_has_not_heard() -> None:
    known = firing("cache", ago=60, told={"log": Told(Word.FIRING, NOW - 50)})
    assert said(due([known], FREE, Mutes(), TEMPO, now=NOW)) == {"mail": {"cache"}}


def test_a_channel_rests_between_messages_and_the_others_do_not() -> None:
    resting = {"mail": NOW + 5, "log": 0.0}
    assert set(due([firing("cache", ago=60)], resting, Mutes(), TEMPO, now=NOW)) == {"log"}
    assert due([firing("cache", ago=60)], {"mail": NOW + 5}, Mutes(), TEMPO, now=NOW) == {}


def test_what_is_muted_neither_is_said_nor_makes_others_be_said_early() -> None:
    mutes = Mutes(silences=(Silence(service="cache", starts=0, expires=NOW + 60),))
    old, new = firing("cache", ago=60), firing("locks", ago=1)
    assert due([old, new], FREE, mutes, TEMPO, now=NOW) == {}
    later = due([old, new], FREE, mutes, TEMPO, now=NOW + 9)
    assert said(later) == {"mail": {"locks"}, "log": {"locks"}}
    assert said(due([old], FREE, mutes, TEMPO, now=NOW + 60))["mail"] == {"cache"}


def test_a_reminder_says_that_it_is_one() -> None:
    known = firing("cache", ago=7200, told={"mail": Told(Word.FIRING, NOW - 3600)})
    assert due([known], {"mail": 0.0}, Mutes(), TEMPO, now=NOW) == {
        "mail": [Notice(known, Word.FIRING, reminder=True)]
    }


def test_what_may_have_been_said_is_said_as_if_it_were_new() -> None:
    perhaps = firing("cache", ago=60, told={"mail": Told(Word.FIRING, NOW - 50, sure=False)})
    assert due([perhaps], {"mail": 0.0}, Mutes(), TEMPO, now=NOW) == {
        "mail": [Notice(perhaps, Word.FIRING)]
    }
