import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from health.engine.host import Host, this_host
from health.engine.place import Alone
from health.engine.record import Publication
from health.engine.snapshot import Check
from tests.health.probes import Fake


def publication(beat: float | None = None) -> Publication:
    return Publication((Check.of(Fake("cache")),), time.monotonic() if beat is None else beat)


def test_one_leads_until_it_leaves(tmp_path: Path) -> None:
    first, second = Host(tmp_path), Host(tmp_path)
    assert (first.leads(), second.leads(), first.leads()) == (True, False, True)
    first.leave()
    assert (second.leads(), first.leads()) == (True, False)
    second.leave()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_neither_leads_nor_ends_the_lead(tmp_path: Path) -> None:
    parent, other = Host(tmp_path), Host(tmp_path)
    assert parent.leads()
    child = os.fork()
    if child == 0:
        parent.leave()
        os._exit(Host(tmp_path).leads())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (other.leads(), parent.leads()) == (False, True)
    parent.leave()
    other.leave()


def test_who_leads_notices_that_its_file_is_gone(tmp_path: Path) -> None:
    first, second = Host(tmp_path), Host(tmp_path)
    assert first.leads()
    (tmp_path / "leader").unlink()
    assert (second.leads(), first.leads()) == (True, False)
    second.leave()
    first.leave()


def test_what_is_published_is_read_by_the_others(tmp_path: Path) -> None:
    leader, other = Host(tmp_path), Host(tmp_path)
    assert other.latest() is None
    told = publication()
    leader.publish(told)
    assert other.latest() == told
    assert other.latest() is other.latest()
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot"]
    assert (tmp_path / "snapshot").stat().st_mode & 0o777 == 0o600


def test_an_older_publication_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    leader, other = Host(tmp_path), Host(tmp_path)
    told = publication()
    leader.publish(told)
    assert other.latest() == told
    leader.publish(publication(told.beat - 1))
    assert other.latest() == told


def test_who_leads_hears_who_calls(tmp_path: Path) -> None:
    leader, other = Host(tmp_path), Host(tmp_path)
    other.call(["nobody", "listens"])
    assert leader.leads() and not other.leads()
    assert (leader.calls(), other.ear) == (set(), None)
    other.call(["cache", "locks"])
    other.call(["cache"])
    assert leader.calls() == {"cache", "locks"}
    for _ in range(20_000):
        other.call(["cache"])
    assert leader.calls() == {"cache"}
    leader.leave()
    other.call(["cache"])
    assert other.leads()
    assert other.calls() == set()
    other.leave()


def test_a_pipe_that_is_none_keeps_nobody_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "calls").touch()
    host = Host(tmp_path)
    host.call(["cache"])
    assert host.leads() and host.leads()
    assert (host.ear, host.calls()) == (None, set())
    assert caplog.text.count("it is no pipe") == 1
    host.leave()


def planted(path: Path) -> None:
    path.write_bytes(b"{}")


def linked(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def piped(path: Path) -> None:
    os.mkfifo(path)


def opened(path: Path) -> None:
    path.touch()
    path.chmod(0o622)


@pytest.mark.parametrize(
    "plant", [planted, linked, piped, opened], ids=lambda plant: plant.__name__
)
def test_a_file_that_is_not_a_leaders_is_refused_and_told_once(
    tmp_path: Path, plant: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    plant(tmp_path / "snapshot")
    host = Host(tmp_path)
    assert host.latest() is None
    assert host.latest() is None
    assert caplog.text.count("cannot believe") == 1


def test_what_cannot_be_published_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(tmp_path / "gone")
    for _ in range(3):
        host.publish(publication())
        assert not host.leads()
    assert caplog.text.count("cannot publish") == caplog.text.count("cannot lead") == 1


def test_a_refused_directory_leaves_each_process_to_itself(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    settings.HEALTH = {"RUNTIME_DIR": tmp_path}
    assert isinstance(this_host(), Alone)
    assert "RUNTIME_DIR" in caplog.text
