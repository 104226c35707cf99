import logging
from pathlib import Path

import pytest

from health.alerting.history import Transition
from health.alerting.memory import Memory, Notebook
from health.alerting.mutes import Silence
from health.alerting.states import Labels, Record, State, Told, Word

RECORD = Record(
    labels=Labels(alert="ServiceCheckFailing", service="database", severity="page"),
    state=State.FIRING,
    reason="refused",
    since=1.5,
    changed_at=61.5,
    reporters={"a": 61.5},
    told={"mail": Told(Word.FIRING, 71.5)},
)
CHANGE = Transition(
    service="database", component="default", node="a", before="pass", after="fail",
    reason="refused", source="active", at=1.5,
)  # fmt: skip
KNOWN = Notebook(
    records=(RECORD,), silences=(Silence(service="x", starts=0, expires=9),), unwritten=(CHANGE,)
)


def test_the_next_process_knows_what_this_one_knew(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    Memory(path).keep(KNOWN)
    assert Memory(path).recall() == KNOWN
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    memory = Memory(path)
    memory.keep(KNOWN)
    path.unlink()
    memory.keep(KNOWN)
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b"{}", b'{"records": [{"state": "odd"}]}', b'{"records": 1}'],
    ids=["empty", "binary", "list", "without members", "odd record", "odd records"],
)
def test_what_cannot_be_read_is_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "alerts"
    path.write_bytes(content)
    path.chmod(0o600)
    memory = Memory(path)
    assert memory.recall() == Notebook()
    assert "cannot be read" in caplog.text
    memory.keep(KNOWN)
    assert Memory(path).recall() == KNOWN


def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    Memory(path).keep(KNOWN)
    path.chmod(0o666)
    assert Memory(path).recall() == Notebook()


def test_without_a_directory_it_lasts_as_long_as_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    memory = Memory(tmp_path / "gone" / "alerts")
    memory.keep(KNOWN)
    assert "cannot be kept" in caplog.text
    nowhere = Memory(None)
    nowhere.keep(KNOWN)
    assert nowhere.recall() == Notebook()
