"""Nodes that share a database, or have lost it, and who hears what. Times are made up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction

from health import CheckResult, Reason, Status
from health.alerting import book, ledger
from health.alerting.channels import Line
from health.alerting.desk import REST_SECONDS, Desk
from health.alerting.history import Transition
from health.alerting.memory import Memory
from health.alerting.rules import Seen
from health.alerting.states import REPORT_SECONDS, Record, Word
from health.conf import AlertSettings
from health.models import Alert, HealthTransition, Silence
from tests.health.conftest import eventually

from .receivers import Ear

pytestmark = pytest.mark.django_db(transaction=True)

NOW = 1_795_478_400.0
WANTED = AlertSettings(waits={"ServiceDegraded": 60}, floor_seconds=0)
DOWN = (Word.FIRING, "database")
UP = (Word.RESOLVED, "database")


def shown(service: str, status: Status, *, critical: bool = True, flapping: bool = False) -> Seen:
    reason = None if status is Status.PASS else Reason.REFUSED
    return Seen(
        service=service,
        component="default",
        critical=critical,
        status=status,
        reason=reason,
        flapping=flapping,
        local=False,
        result=CheckResult(status, reason),
    )


GOOD = [shown("database", Status.PASS)]
BAD = [shown("database", Status.FAIL)]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    """A host by its name; the same name again is its next leader."""
    # A disk that is busy with others must not look like a database that is lost.
    monkeypatch.setattr(book, "PATIENCE_SECONDS", 60)

    def make(name: str, *ears: Ear, wanted: AlertSettings = WANTED) -> Desk:
        memory = Memory(tmp_path / name)
        return Desk(wanted, map(quick, ears), memory, node="same", reporter=name)

    return make


class QuickLine(Line):
    def deliver(self, notices: list, *, pauses: object = ()) -> bool:  # type: ignore[type-arg]
        return super().deliver(notices, pauses=())


def quick(ear: Ear) -> Line:
    return QuickLine(ear)


@contextmanager
def broken_database() -> Iterator[None]:
    """To each query about alerts it answers with an error."""
    rename("health_alert", "health_alert_away")
    try:
        yield
    finally:
        rename("health_alert_away", "health_alert")


def rename(name: str, to: str) -> None:
    with connection.schema_editor() as editor:
        editor.execute(f"ALTER TABLE {name} RENAME TO {to}")


def test_one_outage_is_two_messages(node: Callable[..., Desk]) -> None:
    ear = Ear()
    desk = node("a", ear)
    for second in range(0, 200):
        desk.round(BAD if 20 <= second < 120 else GOOD, NOW + second)
    assert ear.messages == [[DOWN], [UP]]
    row = Alert.objects.get()
    assert (row.alert, row.severity, row.state) == ("ServiceCheckFailing", "page", "quiet")
    assert (row.fired_at.timestamp(), row.resolved_at.timestamp()) == (NOW + 80, NOW + 120)


def test_a_blip_is_none(node: Callable[..., Desk]) -> None:
    ear = Ear()
    desk = node("a", ear)
    for second in range(0, 120, 2):
        desk.round(BAD if second < 58 else GOOD, NOW + second)
    assert ear.messages == []


def test_a_service_and_its_followers_are_one_message(node: Callable[..., Desk]) -> None:
    ear = Ear()
    desk = node("a", ear)
    for second in range(0, 90):
        both = [
            shown("cache", Status.FAIL, critical=False),
            shown("locks", Status.FAIL if second > 5 else Status.PASS, critical=False),
        ]
        desk.round(both, NOW + second)
    [message] = ear.messages
    assert sorted(message) == [(Word.FIRING, "cache"), (Word.FIRING, "locks")]


def test_of_several_nodes_one_speaks(node: Callable[..., Desk]) -> None:
    ears = [Ear(), Ear()]
    desks = [node(name, ear) for name, ear in zip("ab", ears, strict=True)]
    for second in range(0, 160, 2):
        for desk in desks:
            desk.round(BAD if second < 80 else GOOD, NOW + second)
    assert ears[0].words + ears[1].words == [DOWN, UP]


@pytest.mark.race
def test_of_several_nodes_at_once_one_speaks(node: Callable[..., Desk]) -> None:
    ears = [Ear(), Ear(), Ear()]
    desks = [node(name, ear) for name, ear in zip("abc", ears, strict=True)]
    barrier = Barrier(len(desks))

    def live(desk: Desk) -> None:
        for second in range(0, 160, 10):
            barrier.wait(30)
            desk.round(BAD if second < 80 else GOOD, NOW + second)

    threads = [Thread(target=live, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(word for ear in ears for word in ear.words) == [DOWN, UP]


def test_it_is_over_when_no_node_sees_it(node: Callable[..., Desk]) -> None:
    ear = Ear()
    first, second = node("a", ear), node("b", ear)
    for time in range(0, 100, 10):
        first.round(BAD, NOW + time)
        second.round(BAD, NOW + time)
    for time in range(100, 140, 10):
        first.round(GOOD, NOW + time)
        second.round(BAD, NOW + time)
    assert ear.words == [DOWN]
    # The second node dies without a word.
    for time in range(140, 140 + int(REPORT_SECONDS) + 20, 10):
        first.round(GOOD, NOW + time)
    assert ear.words == [DOWN, UP]


def test_a_leader_that_dies_is_followed_by_one_that_knows(node: Callable[..., Desk]) -> None:
    ear = Ear()
    until_told(node("a", ear))
    successor = node("a", ear)
    successor.round(BAD, NOW + 100)
    successor.round(GOOD, NOW + 110)
    successor.round(GOOD, NOW + 120)
    successor.round(GOOD, NOW + 130)
    assert ear.words == [DOWN, UP]


def test_so_is_one_whose_host_has_forgotten_everything(
    node: Callable[..., Desk], tmp_path: Path
) -> None:
    ear = Ear()
    until_told(node("a", ear))
    (tmp_path / "a").unlink()
    successor = node("a", ear)
    for time in (100, 110, 120):
        successor.round(GOOD, NOW + time)
    assert ear.words == [DOWN, UP]


def test_what_a_dead_node_meant_to_say_is_said_by_another(node: Callable[..., Desk]) -> None:
    ear = Ear()
    dying, other = node("a", Ear()), node("b", ear)
    dying.round(BAD, NOW)
    dying.round(BAD, NOW + 61)
    [record] = ledger.live().values()
    assert claim(record, until=NOW + 130)
    for time in (75, 100, 129):
        other.round(BAD, NOW + time)
    assert ear.words == []
    other.round(BAD, NOW + 131)
    assert ear.words == [DOWN]


def claim(record: Record, *, until: float) -> list[Record]:
    """As a node that is about to tell the ear of it, and dies."""
    hearing = {record.fingerprint: ["ear"]}
    return ledger.claim([record], "a", hearing=hearing, until=until, now=NOW + 71)


def test_who_may_have_heard_of_it_from_a_dead_node_hears_that_it_is_over(
    node: Callable[..., Desk],
) -> None:
    ear = Ear()
    dying, other = node("a", Ear()), node("b", ear)
    dying.round(BAD, NOW)
    dying.round(BAD, NOW + 61)
    [record] = ledger.live().values()
    assert claim(record, until=NOW + 130)
    node("a", Ear("another")).round(GOOD, NOW + 75)
    for time in (80, 131, 142):
        other.round(GOOD, NOW + time)
    assert ear.words == [UP]
    assert not ledger.live()


def test_who_follows_a_dead_leader_need_not_wait_for_its_claim(node: Callable[..., Desk]) -> None:
    ear = Ear()
    dying = node("a", Ear())
    dying.round(BAD, NOW)
    dying.round(BAD, NOW + 61)
    [record] = ledger.live().values()
    assert claim(record, until=NOW + 130)
    node("a", ear).round(BAD, NOW + 75)
    assert ear.words == [DOWN]


def test_what_was_said_before_a_crash_is_not_said_again(node: Callable[..., Desk]) -> None:
    """The message is out, and the database does not hear of it any more."""
    ear = Ear()
    desk = node("a", ear)
    for time in (0, 61):
        desk.round(BAD, NOW + time)
    ear.hear = lambda: rename("health_alert", "health_alert_away")
    desk.round(BAD, NOW + 71)
    rename("health_alert_away", "health_alert")
    ear.hear = lambda: None
    successor = node("a", ear)
    for time in (75, 85, 95):
        successor.round(BAD, NOW + time)
    assert ear.words == [DOWN]


def test_without_the_database_each_host_speaks_for_itself_and_once(
    node: Callable[..., Desk],
) -> None:
    ears = {"a": Ear(), "b": Ear()}
    desks = {name: node(name, ear) for name, ear in ears.items()}
    with broken_database():
        for second in range(0, 130, 5):
            for desk in desks.values():
                desk.round(BAD, NOW + second)
        assert [ear.words for ear in ears.values()] == [[DOWN], [DOWN]]
        # Killed, and still without a database.
        desks["a"] = node("a", ears["a"])
        desks["a"].round(BAD, NOW + 130)
        desks["a"].round(BAD, NOW + 145)
    for second in range(150, 200, 5):
        for desk in desks.values():
            desk.round(GOOD, NOW + second)
    assert sorted(ears["a"].words + ears["b"].words) == [DOWN, DOWN, UP]


def test_what_ended_without_the_database_is_told_without_it(node: Callable[..., Desk]) -> None:
    ear = Ear()
    desk = node("a", ear)
    with broken_database():
        for second in range(0, 200, 5):
            desk.round(BAD if second < 130 else GOOD, NOW + second)
        assert ear.words == [DOWN, UP]
    desk.round(GOOD, NOW + 210)
    desk.round(GOOD, NOW + 220)
    assert ear.words == [DOWN, UP]


def test_a_database_that_hangs_holds_nobody_up(
    node: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "PATIENCE_SECONDS", 0.1)
    ear = Ear()
    desk = node("a", ear)
    with transaction.atomic():
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("LOCK TABLE health_alert IN ACCESS EXCLUSIVE MODE")
            else:  # the lock of all writers
                cursor.execute("UPDATE health_alert SET version = version")
        for time in (0, 11, 72, 83):
            desk.round(BAD, NOW + time)
        assert ear.words == [DOWN]
    monkeypatch.setattr(book, "PATIENCE_SECONDS", 30)
    eventually(lambda: desk.round(GOOD, NOW + 200) and not desk.alone)
    desk.round(GOOD, NOW + 211)
    desk.round(GOOD, NOW + 222)
    assert ear.words == [DOWN, UP]


def test_one_error_of_the_database_makes_nobody_speak_twice(node: Callable[..., Desk]) -> None:
    ears = [Ear(), Ear()]
    first, second = (node(name, ear) for name, ear in zip("ab", ears, strict=True))
    for time in (0, 61):
        first.round(BAD, NOW + time)
        second.round(BAD, NOW + time)
    with broken_database():
        second.round(BAD, NOW + 72)
    first.round(BAD, NOW + 72)
    second.round(BAD, NOW + 73)
    assert (ears[0].words, ears[1].words) == ([DOWN], [])


def test_a_channel_that_fails_is_tried_again_and_the_others_are_not(
    node: Callable[..., Desk],
) -> None:
    good, bad = Ear("good"), Ear("bad", hear=refuse)
    desk = node("a", good, bad)
    until_told(desk)
    assert (good.words, bad.words) == ([DOWN], [])
    bad.hear = lambda: None
    for time in (100, 110, 71 + REST_SECONDS):
        desk.round(BAD, NOW + time)
    assert (good.words, bad.words) == ([DOWN], [DOWN])


def test_who_did_not_hear_of_it_need_not_hear_that_it_is_over(node: Callable[..., Desk]) -> None:
    deaf = Ear("deaf", hear=refuse)
    desk = node("a", Ear("good"), deaf)
    until_told(desk)
    deaf.hear = lambda: None
    for time in (100, 110, 120, 200):
        desk.round(GOOD, NOW + time)
    assert deaf.words == []


def test_a_silence_holds_notices_back_until_it_expires(node: Callable[..., Desk]) -> None:
    Silence.objects.create(
        service="database", author="ada", reason="moving", created_at=moment(-1),
        expires_at=moment(300),
    )  # fmt: skip
    ear = Ear()
    desk = node("a", ear)
    for time in range(0, 300, 10):
        desk.round(BAD, NOW + time)
    assert ear.words == []
    desk.round(BAD, NOW + 301)
    assert ear.words == [DOWN]


def test_it_is_said_again_after_hours(node: Callable[..., Desk]) -> None:
    ear = Ear()
    desk = node("a", ear)
    for time in range(0, 8 * 3600, 600):
        desk.round(BAD, NOW + time)
    assert ear.words == [DOWN, DOWN]


def test_what_flaps_is_told_as_flapping_and_then_only_what_has_come_to_stay(
    node: Callable[..., Desk],
) -> None:
    first_heard: dict[str, int] = {}
    ear = Ear()
    desk = node("a", ear, wanted=AlertSettings(waits={"ServiceCheckFailing": 0}, floor_seconds=0))
    for time in range(0, 900, 10):
        down = time % 20 == 0 if time < 400 else time >= 440
        status = Status.FAIL if down else Status.PASS
        desk.round([shown("database", status, flapping=True)], NOW + time)
        for alert in Alert.objects.exclude(told={}).values_list("alert", flat=True):
            first_heard.setdefault(alert, time)
    assert first_heard == {"HealthFlapping": 10, "ServiceCheckFailing": 740}
    assert len(ear.messages) == 2


def transition(before: str, after: str, *, at: float, service: str = "database") -> Transition:
    return Transition(
        service=service, component="default", node="a", before=before, after=after,
        reason="refused" if after != "pass" else "", source="active", at=at,
    )  # fmt: skip


def test_what_followed_from_an_outage_is_not_told_while_it_ends(
    node: Callable[..., Desk],
) -> None:
    """Nobody has looked at it yet since its cause was mended; nor has who follows a dead leader."""
    ear = Ear()
    desk = node("a", ear)
    ill, well = (
        shown("migrations", status, critical=False) for status in (Status.FAIL, Status.PASS)
    )
    for time in range(0, 400, 5):
        desk.round([*(BAD if time < 200 else GOOD), ill if time < 260 else well], NOW + time)
        if time == 200:
            desk = node("a", ear)
    assert ear.words == [DOWN, UP]
    for time in range(400, 600, 5):
        desk.round([*GOOD, ill], NOW + time)
    assert ear.words == [DOWN, UP, (Word.FIRING, "migrations")]


def test_history_waits_for_the_database(node: Callable[..., Desk]) -> None:
    desk = node("a", Ear())
    with broken_database():
        desk.note(transition("pass", "fail", at=NOW))
        desk.round(BAD, NOW)
        assert not HealthTransition.objects.exists()
        # Killed meanwhile.
        desk = node("a", Ear())
        desk.note(transition("fail", "pass", at=NOW + 50))
        desk.round(GOOD, NOW + 50)
    desk.round(GOOD, NOW + 60)
    desk.round(GOOD, NOW + 70)
    rows = HealthTransition.objects.order_by("at").values_list("before", "after", "reason")
    assert list(rows) == [("pass", "fail", "refused"), ("fail", "pass", "")]


def until_told(desk: Desk) -> None:
    for time in (0, 61, 71):
        desk.round(BAD, NOW + time)


def refuse() -> None:
    raise ConnectionRefusedError


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)
