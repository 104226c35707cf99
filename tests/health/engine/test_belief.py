"""Several processes of one host: here several checkers of one process, which meet in one place."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from health import CheckResult, Status, signals
from health.engine.checker import Checker
from health.engine.host import Host
from health.engine.leadership import FRESH_SECONDS, Source
from tests.health.conftest import eventually
from tests.health.probes import FAIL, PASS, Fake

Run = Callable[..., Checker]


class Ward(Host):
    """A place whose leader can be made to fall silent, as one that is stopped."""

    silent = False

    def publish(self, publication: Any) -> None:
        if not self.silent:
            super().publish(publication)


def status(running: Checker, name: str = "heart") -> Status:
    return running.edition.snapshot.status_of(name)


def published(directory: Path) -> Status:
    latest = Host(directory).latest()
    return latest.checks[0].status if latest else Status.UNKNOWN


def said(running: Checker) -> tuple[Source, Status]:
    snapshot = running.edition.snapshot
    return snapshot.source, snapshot.status_of("heart")


def source(running: Checker) -> Source:
    return running.edition.snapshot.source


def rests(follower: Checker, probe: Fake) -> bool:
    """There is news, and not from its own probe."""
    runs, taken = probe.runs, follower.edition.snapshot.taken
    eventually(lambda: follower.edition.snapshot.taken > taken + 0.2)
    return probe.runs == runs


@pytest.fixture
def changes() -> Iterator[list[tuple[Status, Status]]]:
    seen: list[tuple[Status, Status]] = []

    def receive(check: Any, before: Status, **_: Any) -> None:
        # Not what a checker of the whole process says meanwhile.
        if check.name == "heart":
            seen.append((before, check.status))

    signals.status_changed.connect(receive)
    yield seen
    signals.status_changed.disconnect(receive)


def test_one_probes_and_all_know(run: Run, tmp_path: Path) -> None:
    leader = run(Fake("heart", critical=True), place=Host(tmp_path))
    idle = Fake("heart", critical=True)
    follower = run(idle, place=Host(tmp_path))
    assert source(leader) is Source.LEADER
    eventually(lambda: rests(follower, idle) and said(follower) == (Source.HOST, Status.PASS))


def test_a_process_that_starts_beside_others_knows_at_once(run: Run, tmp_path: Path) -> None:
    run(Fake("heart", lambda: FAIL, critical=True), place=Host(tmp_path))
    eventually(lambda: published(tmp_path) is Status.FAIL)
    newcomer = run(Fake("heart", critical=True), wait=False, place=Host(tmp_path))
    assert (status(newcomer), newcomer.edition.overall.code) == (Status.FAIL, 503)
    assert newcomer.edition.snapshot.reason is None


def test_another_leads_when_the_leader_has_gone_and_goes_on_from_there(
    run: Run, tmp_path: Path, changes: list[tuple[Status, Status]]
) -> None:
    leads: list[bool] = []

    def receive(leading: bool, **_: Any) -> None:
        leads.append(leading)

    signals.leadership_changed.connect(receive)
    leader = run(Fake("heart", lambda: FAIL, critical=True), place=Host(tmp_path))
    heir_probe = Fake("heart", lambda: FAIL, critical=True)
    heir = run(heir_probe, place=Host(tmp_path))
    leader.stop()
    eventually(lambda: heir.leading and heir_probe.runs > 1)
    assert status(heir) is Status.FAIL
    heir_probe.answer = lambda: PASS
    eventually(lambda: status(heir) is Status.PASS)
    signals.leadership_changed.disconnect(receive)
    assert leads[:3] == [True, False, True]
    assert changes == [(Status.UNKNOWN, Status.FAIL), (Status.FAIL, Status.PASS)]


def test_when_the_leader_is_silent_the_others_look_for_themselves(run: Run, tmp_path: Path) -> None:
    place = Ward(tmp_path)
    leader = run(Fake("heart", critical=True), place=place)
    probe = Fake("heart", lambda: FAIL, critical=True)
    follower = run(probe, place=Host(tmp_path))
    eventually(lambda: said(follower) == (Source.HOST, Status.PASS))
    place.silent = True
    eventually(lambda: said(follower) == (Source.SELF, Status.FAIL))
    assert leader.leading and not follower.leading
    place.silent = False
    eventually(lambda: said(follower) == (Source.HOST, Status.PASS))

    eventually(lambda: rests(follower, probe))


def test_a_wake_in_any_process_reaches_who_probes(run: Run, tmp_path: Path) -> None:
    probe = Fake("heart", interval=600)
    run(probe, place=Host(tmp_path))
    follower = run(Fake("heart", interval=600), place=Host(tmp_path))
    probe.answer = lambda: FAIL

    def failed() -> bool:
        follower.wake(["heart", "nobody"])
        return said(follower) == (Source.HOST, Status.FAIL)

    eventually(failed)


def test_a_leader_who_asks_something_else_is_not_believed(run: Run, tmp_path: Path) -> None:
    run(Fake("cache"), place=Host(tmp_path))
    other = run(Fake("heart", lambda: FAIL, critical=True), place=Host(tmp_path))
    assert said(other) == (Source.SELF, Status.FAIL)


def test_where_an_answer_comes_from_is_told_in_its_details(run: Run, tmp_path: Path) -> None:
    running = run(Fake("heart", critical=True), place=Host(tmp_path))
    _, details = running.edition.detailed
    assert json.loads(details.body())["source"] == "leader"


def test_a_process_that_has_slept_believes_nothing_it_knew(
    run: Run, tmp_path: Path, changes: list[tuple[Status, Status]]
) -> None:
    probe = Fake("heart", critical=True, interval=60)
    running = run(probe, place=Host(tmp_path))

    def slowly() -> CheckResult:
        seen.append(running.edition.overall.code)
        return PASS

    seen: list[int] = []
    probe.answer = slowly

    def asleep() -> bool:
        # As if it had been stopped since.
        if not seen:
            running._beat -= 2 * FRESH_SECONDS
        return bool(seen)

    eventually(asleep)
    assert set(seen) == {503}
    eventually(lambda: running.edition.overall.code == 200)
    assert changes == [(Status.UNKNOWN, Status.PASS)]


def test_what_a_receiver_raises_stops_nothing(run: Run) -> None:
    def receive(**_: Any) -> None:
        raise RuntimeError("from a receiver")

    probe = Fake("heart")
    signals.status_changed.connect(receive)
    try:
        running = run(probe)
        probe.answer = lambda: FAIL
        eventually(lambda: status(running) is Status.FAIL)
    finally:
        signals.status_changed.disconnect(receive)
