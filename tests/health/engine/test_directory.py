from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from health.engine.directory import DirectoryRefused, prepare, runtime_directory


def test_a_directory_is_made_private(tmp_path: Path) -> None:
    made = prepare(tmp_path / "run" / "health")
    assert made.stat().st_mode & 0o777 == 0o700
    assert prepare(made) == made


def readable(path: Path) -> None:
    path.mkdir(mode=0o755)


def a_link(path: Path) -> None:
    path.symlink_to(path.parent)


def a_file(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [readable, a_link, a_file], ids=lambda make: make.__name__)
def test_any_other_directory_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "run")
    with pytest.raises(DirectoryRefused, match="run"):
        prepare(tmp_path / "run")


def test_a_project_that_names_no_directory_has_one_that_nobody_can_foresee(
    settings: Settings,
) -> None:
    settings.HEALTH = {}
    mine = runtime_directory()
    settings.SECRET_KEY = "another one, of another project on this machine"
    assert runtime_directory() != mine
