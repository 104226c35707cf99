"""Options given at run time, by name or by pattern."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from select import select
from typing import Any

import pytest
import redis
from django.core.exceptions import ValidationError
from django.db import transaction
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from breaker import PolicyError, configs, control, get_breaker
from breaker.agent import agent
from breaker.errors import CommandInvalid, ConfigInvalid, ConfigUnknown
from breaker.link import link
from breaker.models import BreakerConfig
from breaker.overlay import Overlay, current, sound
from breaker.policy import Policy
from config.children import end_with_parent
from tests.breaker.test_guard import Down, fail
from tests.breaker.test_outages import eventually
from tests.rounds import can
from tests.servers import Valkey


@pytest.fixture
def history(transactional_db: None, settings: Settings) -> Iterator[None]:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    yield
    assert agent.flush(30)


def threshold(name: str) -> int:
    return get_breaker(name).replica.policy.failure_threshold


class TestOverlay:
    """Which of several rows wins."""

    @pytest.mark.parametrize(
        ("name", "merged"),
        [
            ("veo:eu:submit", {"window": 3, "open_timeout": 30, "jitter": 0.5}),
            ("veo:eu:poll", {"window": 2, "open_timeout": 20, "jitter": 0.5}),
            ("veo:us", {"window": 5, "jitter": 0.5}),
            ("imagen", {"window": 1, "jitter": 0.5}),
        ],
    )
    @pytest.mark.parametrize("direction", [1, -1])
    def test_a_name_goes_before_patterns_and_a_longer_pattern_before_a_shorter(
        self, name: str, merged: dict[str, Any], direction: int
    ) -> None:
        rows = [
            ("veo:eu:submit", {"window": 3, "open_timeout": 30}),
            ("[v]*:eu:[a-z]*", {"window": 2, "open_timeout": 20}),
            ("veo:*", {"window": 5}),
            ("*", {"window": 1, "jitter": 0.5}),
        ]
        assert Overlay(rows[::direction]).of(name) == merged

    @pytest.mark.parametrize(
        ("pattern", "name", "matches"),
        [
            ("veo:?", "veo:a", True),
            ("veo:?", "veo:", False),
            ("VEO", "veo", False),
            ("veo:[!a]", "veo:b", True),
            ("veo:[!a]", "veo:a", False),
            ("host:[::1]", "host:[::1]", True),
            ("a[[]b", "a[b", True),
            ("host:[[]::1[]]", "host:[::1]", True),
            ("host:[[]::1[]]", "host::", False),
            ("veo", "veo:a", False),
        ],
    )
    def test_patterns_are_those_of_the_shell_and_also_names_as_they_are(
        self, pattern: str, name: str, matches: bool
    ) -> None:
        assert bool(Overlay([(pattern, {"window": 1})]).of(name)) is matches

    @pytest.mark.parametrize("pattern", ["a*", "a[*]"])
    def test_a_name_with_signs_of_patterns_may_be_spelled_either_way(self, pattern: str) -> None:
        overlay = Overlay([(pattern, {"window": 1}), ("[a]*****", {"window": 2})])
        assert overlay.of("a*") == {"window": 1}

    def test_of_rows_that_clash_only_those_are_left_out_and_told_of_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rows = [
            ("*", {"window": 30}),
            ("veo:*", {"max_open_timeout": 10, "jitter": 0.5}),
            ("veo:eu", {"failure_threshold": 2}),
            ("veo:us", {"open_timeout": 5}),
        ]
        overlay = Overlay(rows)
        for _ in range(2):
            assert overlay.policy("veo:eu", Policy()) == Policy(window=30, failure_threshold=2)
        resolved = Policy(window=30, max_open_timeout=10, jitter=0.5, open_timeout=5)
        assert overlay.policy("veo:us", Policy()) == resolved
        assert [record.args[:2] for record in caplog.records] == [("veo:*", "veo:eu")]

    def test_rows_that_nobody_checked_are_told_of_and_left_out(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rows = [("[a", {}), ("b", {"windows": 1}), ("c", [1]), ("d", {"window": 0}), ("e", {})]
        assert list(sound(rows)) == [("e", {})]
        assert [record.args[0] for record in caplog.records] == ["[a", "b", "c", "d"]


@pytest.mark.parametrize(
    "pattern",
    ["", "x" * 201, "a\x00b", "a\nb", "\x1b[31m", "\ud800", "veo[", "veo]", "[]", "[!]", "a[b[c]"],
    ids=ascii,
)
def test_hostile_patterns_are_refused(db: None, pattern: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"[Pp]attern"):
        configs.save(pattern, {"window": 1}, actor="ada")
    assert not BreakerConfig.objects.exists()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"failure_threshold": 0}, "failure_threshold"),
        ({"failure_threshold": "5"}, "failure_threshold"),
        ({"window": -1}, "window"),
        ({"window": [1]}, "window"),
        ({"windows": 1}, "windows"),
        ({"windows": None}, "windows"),
        ({"ignore": []}, "ignore"),
        ({"on_store_error": "allowed"}, "on_store_error"),
        ({"consecutive": True, "failure_rate": 0.5}, "consecutive"),
        ({"max_open_timeout": 30}, "max_open_timeout"),
        ({"open_timeout": 60, "max_open_timeout": 30}, "max_open_timeout"),
        ({"window": 10, "slow_rate": 2}, "slow_rate"),
    ],
    ids=repr,
)
def test_impossible_options_are_refused_and_nothing_is_changed(
    db: None, options: dict[str, Any], names: str
) -> None:
    configs.save("kept", {"window": 5}, actor="ada")
    for pattern in ("kept", "new"):
        with pytest.raises(ConfigInvalid, match=names) as refusal:
            configs.save(pattern, options, actor="bob")
        assert isinstance(refusal.value, PolicyError)
        assert refusal.value.status == 400
    row = BreakerConfig.objects.get()
    assert (row.pattern, row.options, row.version, row.updated_by) == (
        "kept",
        {"window": 5},
        1,
        "ada",
    )


@pytest.mark.parametrize("actor", ["", "a" * 151])
def test_somebody_must_have_done_it(db: None, actor: str) -> None:
    with pytest.raises(CommandInvalid, match="actor"):
        configs.save("any", {"window": 1}, actor=actor)


def test_options_are_checked_beside_those_in_code(db: None) -> None:
    get_breaker("quick", open_timeout=10)
    configs.save("quick", {"max_open_timeout": 30}, actor="ada")
    get_breaker("patient", open_timeout=50)
    with pytest.raises(ConfigInvalid, match="'patient' could not work with this"):
        configs.save("patient", {"max_open_timeout": 30}, actor="ada")
    with pytest.raises(ConfigInvalid, match="max_open_timeout"):
        configs.save("unheard-of", {"max_open_timeout": 30}, actor="ada")
    assert BreakerConfig.objects.get().pattern == "quick"


def test_options_are_checked_beside_those_of_other_rows(db: None) -> None:
    get_breaker("crowded:one")
    configs.save("crowded:*", {"open_timeout": 100}, actor="ada")
    with pytest.raises(ConfigInvalid, match="max_open_timeout"):
        configs.save("crowded:one", {"max_open_timeout": 90}, actor="ada")


def test_options_join_those_given_before_and_null_takes_one_away(db: None) -> None:
    configs.save("joined", {"window": 5, "open_timeout": 6}, actor="ada")
    row = configs.save("joined", {"window": None, "jitter": 0.1}, actor="bob")
    assert row.options == {"open_timeout": 6, "jitter": 0.1}
    assert (row.version, row.updated_by) == (2, "bob")


def test_the_row_goes_with_its_last_option(db: None) -> None:
    configs.save("emptied", {"window": 5}, actor="ada")
    for given in ({"window": None}, {"window": None}, {}):
        configs.save("emptied", given, actor="ada")
        assert not BreakerConfig.objects.exists()


def test_a_row_stays_enabled_or_not_unless_told(db: None) -> None:
    assert configs.save("off", {"window": 5}, actor="ada").enabled
    assert not configs.save("off", {}, actor="ada", enabled=False).enabled
    assert not configs.save("off", {"window": 6}, actor="ada").enabled
    assert configs.save("off", {}, actor="ada", enabled=True).enabled


@pytest.mark.parametrize("change", [{"window": 6}, {"windows": None, "window": 6}], ids=str)
def test_an_option_that_no_longer_exists_goes_with_the_next_change(
    db: None, change: dict[str, Any]
) -> None:
    BreakerConfig.objects.create(pattern="old", options={"windows": 5, "window": 5})
    assert configs.save("old", change, actor="ada").options == {"window": 6}


@pytest.mark.parametrize("options", [[1, 2], "x", 5], ids=str)
def test_what_are_no_options_is_replaced(db: None, options: Any) -> None:
    BreakerConfig.objects.create(pattern="odd", options=options)
    assert configs.save("odd", {"window": 6}, actor="ada").options == {"window": 6}


def test_a_clash_between_others_keeps_nothing_from_being_saved(db: None) -> None:
    get_breaker("clash:one", open_timeout=60)
    BreakerConfig.objects.create(pattern="clash:*", options={"max_open_timeout": 10})
    configs.save("clash:one", {"window": 7}, actor="ada")
    configs.save("*", {"jitter": 0.2}, actor="ada")
    with pytest.raises(ConfigInvalid, match="max_open_timeout"):
        configs.save("clash:*", {"window": 5}, actor="ada")  # its own fault stays one


def test_nothing_is_saved_that_would_make_another_clash(db: None) -> None:
    get_breaker("clash:two")
    configs.save("clash:two", {"max_open_timeout": 90}, actor="ada")
    with pytest.raises(ConfigInvalid, match="max_open_timeout"):
        configs.save("clash:*", {"open_timeout": 100}, actor="ada")


def test_removing_what_is_not_there_is_told(db: None) -> None:
    with pytest.raises(ConfigUnknown, match="'nothing'"):
        configs.remove("nothing", actor="ada")


def test_forms_find_the_same_mistakes(db: None) -> None:
    with pytest.raises(ValidationError, match="window must be a number"):
        BreakerConfig(pattern="form", options={"window": 0}).full_clean()
    with pytest.raises(ValidationError, match="brackets"):
        BreakerConfig(pattern="[", options={"window": 1}).full_clean()
    with pytest.raises(ValidationError, match="object"):
        BreakerConfig(pattern="form", options=[1]).full_clean()
    BreakerConfig(pattern="form", options={"window": 1}).full_clean()


def test_patterns_that_match_nothing_are_told(db: None) -> None:
    for pattern in ("veo:*", "vep:*", "imagen", "[z-a]"):
        configs.save(pattern, {"window": 1}, actor="ada")
    assert configs.unmatched(["veo:eu", "imagen"]) == ["[z-a]", "vep:*"]


class TestInThisProcess:
    def test_rows_are_read_at_the_first_use_and_win_over_the_code(self, history: None) -> None:
        configs.save("first:*", {"failure_threshold": 2}, actor="ada")
        assert configs.of("first:use") == {}  # nobody has used a circuit yet
        breaker = get_breaker("first:use", failure_threshold=9, window=30)
        breaker.call(int)
        eventually(lambda: configs.of("first:use") == {"failure_threshold": 2})
        assert breaker.replica.policy.failure_threshold == 2
        assert breaker.replica.policy.window == 30
        for _ in range(2):
            with pytest.raises(Down):
                breaker.call(fail)
        assert breaker.state == "open"

    def test_a_change_counts_at_once_and_so_does_its_end(self, history: None) -> None:
        breaker = get_breaker("watched", slow_call_seconds=3)
        breaker.call(int)
        configs.save("watched", {"slow_call_seconds": 1, "open_timeout": 7}, actor="ada")
        eventually(lambda: breaker.replica.snapshot.slow_after == 1)
        assert breaker.replica.snapshot.patience == 7
        configs.remove("watched", actor="ada")
        eventually(lambda: breaker.replica.snapshot.slow_after == 3)

    def test_rows_saved_and_deleted_by_themselves_count_too(self, history: None) -> None:
        get_breaker("admin").call(int)
        row = BreakerConfig.objects.create(pattern="admin", options={"failure_threshold": 3})
        eventually(lambda: threshold("admin") == 3)
        row.enabled = False
        row.save()
        eventually(lambda: threshold("admin") == 5)
        row.enabled = True
        row.save()
        eventually(lambda: threshold("admin") == 3)
        BreakerConfig.objects.all().delete()
        eventually(lambda: threshold("admin") == 5)

    def test_nothing_counts_before_the_commit_or_after_a_rollback(self, history: None) -> None:
        get_breaker("atomic").call(int)
        agent.flush()
        announced = link.shared().version().config
        with pytest.raises(Down), transaction.atomic():
            configs.save("atomic", {"failure_threshold": 3}, actor="ada")
            assert link.shared().version().config == announced
            fail()
        assert link.shared().version().config == announced
        with transaction.atomic():
            configs.save("atomic", {"failure_threshold": 4}, actor="ada")
            control.circuit("atomic")
            assert threshold("atomic") == 5
        eventually(lambda: threshold("atomic") == 4)

    def test_a_change_behind_everybodys_back_is_found_by_the_sweep(
        self, history: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("breaker.agent.TIDY_EVERY", 0.2)
        get_breaker("swept").call(int)
        BreakerConfig.objects.bulk_create(
            [BreakerConfig(pattern="swept", options={"failure_threshold": 3})]
        )
        eventually(lambda: threshold("swept") == 3)

    def test_a_setting_changed_in_a_test_still_counts(
        self, history: None, settings: Settings
    ) -> None:
        configs.save("set", {"failure_threshold": 3}, actor="ada")
        breaker = get_breaker("set")
        breaker.call(int)
        eventually(lambda: threshold("set") == 3)
        settings.BREAKER = {**settings.BREAKER, "WINDOW": 7, "FAILURE_THRESHOLD": 8}
        assert (breaker.replica.policy.window, threshold("set")) == (7, 3)

    def test_a_row_that_no_circuit_can_have_is_ignored_and_told_of_once(
        self, history: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        BreakerConfig.objects.create(pattern="odd:*", options={"max_open_timeout": 30})
        BreakerConfig.objects.create(pattern="odd:[", options={"window": 30})
        for name in ("odd:one", "odd:two"):
            for _ in range(3):
                get_breaker(name, failure_threshold=7).call(int)
        eventually(lambda: configs.of("odd:one"))
        for name in ("odd:one", "odd:two"):
            get_breaker(name).call(int)
            assert get_breaker(name).replica.policy == Policy(failure_threshold=7)

        def told() -> list[str]:
            return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]

        # It may be the agent's thread that tells.
        eventually(lambda: len(told()) >= 2)
        of_no_use, of_one = told()
        assert "'odd:['" in of_no_use
        assert "'odd:*' is ignored by 'odd:" in of_one and "max_open_timeout (30)" in of_one

    def test_a_database_that_is_down_leaves_what_is_known(
        self, history: None, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configs.save("down", {"failure_threshold": 3}, actor="ada")
        get_breaker("down").call(int)
        eventually(lambda: threshold("down") == 3)
        agent.flush()
        row = BreakerConfig.objects.get()
        with django_db_blocker.block():
            link.shared().announce_configuration()
            assert not agent.flush(0.3) or True
            agent.reconfigure()
            assert not agent.flush(0.3)
            assert threshold("down") == 3
            get_breaker("down").call(int)
        row.options = {"failure_threshold": 4}
        row.save()
        eventually(lambda: threshold("down") == 4)

    def test_a_child_forked_while_rows_are_read_reads_its_own(self, history: None) -> None:
        get_breaker("forked-config").call(int)
        agent.flush()
        with current._reading:
            if (child := os.fork()) == 0:
                with suppress(BaseException):
                    os._exit(0 if current.read(lambda: [("a", {"window": 1})]) else 1)
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_a_store_that_lost_its_data_changes_nothing(self, history: None) -> None:
        configs.save("flushed", {"failure_threshold": 3}, actor="ada")
        get_breaker("flushed").call(int)
        eventually(lambda: threshold("flushed") == 3)
        get_redis_connection("breaker").flushall()
        time.sleep(1.3)
        assert threshold("flushed") == 3
        configs.save("flushed", {"failure_threshold": 4}, actor="ada")
        eventually(lambda: threshold("flushed") == 4)

    def test_without_history_the_database_is_left_alone(
        self, transactional_db: None, settings: Settings
    ) -> None:
        configs.save("alone", {"failure_threshold": 3}, actor="ada")
        get_breaker("alone").call(int)
        agent.reconfigure()
        agent.flush()
        assert threshold("alone") == 5

    def test_a_save_without_circuits_starts_no_thread(self, history: None) -> None:
        configs.save("quiet", {"failure_threshold": 3}, actor="ada")
        assert agent.names() == set()
        assert configs.of("quiet") == {}

    @pytest.mark.race
    def test_a_store_that_is_out_of_reach_is_made_up_for_when_it_is_back(
        self, history: None, own_store: Valkey
    ) -> None:
        get_breaker("back").call(int)
        own_store.stop()
        # As another process would change it, whose announcement is lost.
        BreakerConfig.objects.bulk_create(
            [BreakerConfig(pattern="back", options={"failure_threshold": 3})]
        )
        with pytest.raises(redis.RedisError):
            link.shared().announce_configuration()
        get_breaker("back").call(int)
        eventually(lambda: not link.up)
        own_store.restart()
        eventually(lambda: threshold("back") == 3)

    @pytest.mark.race
    def test_saving_while_the_store_is_out_of_reach_counts_here(
        self, history: None, own_store: Valkey, caplog: pytest.LogCaptureFixture
    ) -> None:
        get_breaker("here").call(int)
        own_store.stop()
        configs.save("here", {"failure_threshold": 3}, actor="ada")
        eventually(lambda: threshold("here") == 3)
        assert "learn late" in caplog.text

    @pytest.mark.race
    def test_a_new_way_without_the_store_is_gone_at_once(
        self, history: None, own_store: Valkey
    ) -> None:
        breaker = get_breaker("ways", on_store_error="reject")
        breaker.call(int)
        own_store.stop()
        eventually(lambda: breaker.replica.snapshot.suspended)
        assert not breaker.replica.snapshot.admits
        configs.save("ways", {"on_store_error": "allow"}, actor="ada")
        eventually(lambda: breaker.replica.snapshot.admits)


WORKER = """
import sys, time, django
django.setup()
from breaker import get_breaker
breaker = get_breaker("pushed", failure_threshold=9)
breaker.call(int)
time.sleep(0.5)
print(breaker.replica.policy.failure_threshold, flush=True)
for line in sys.stdin:
    while breaker.replica.policy.failure_threshold != int(line):
        time.sleep(0.001)
    print(time.monotonic(), flush=True)
"""


class Worker:
    """A process with a circuit, that tells when it learned of a threshold."""

    def __init__(self, env: dict[str, str]) -> None:
        program = "from django.conf import settings\n"
        program += "settings.BREAKER = {**settings.BREAKER, 'HISTORY': True}\n" + WORKER
        self.popen = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            preexec_fn=end_with_parent,
        )

    def hear(self) -> str:
        ready, _, _ = select([self.popen.stdout], [], [], 60)
        assert ready, "no answer"
        return self.popen.stdout.readline().strip()

    def wait_for(self, threshold: int) -> None:
        self.popen.stdin.write(f"{threshold}\n")
        self.popen.stdin.flush()

    def end(self) -> None:
        self.popen.stdin.close()
        assert self.popen.wait(30) == 0
        self.popen.stdout.close()


@pytest.mark.race
@pytest.mark.parametrize("messages", [True, False], ids=["pushed", "polled"])
def test_other_processes_learn_of_a_change(
    process_env: dict[str, str],
    own_store: Valkey,
    messages: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if not messages:
        own_store.ask("ACL", "SETUSER", "default", "resetchannels")
    env = {**process_env, "REDIS_URL": own_store.url}
    workers = [Worker(env) for _ in range(3)]
    assert [worker.hear() for worker in workers] == ["9"] * 3
    thresholds = count(10)

    def soon() -> bool:
        threshold = next(thresholds)
        for worker in workers:
            worker.wait_for(threshold)
        time.sleep(0.1)
        begun = time.monotonic()
        configs.save("push*", {"failure_threshold": threshold}, actor="ada")
        delays = [float(worker.hear()) - begun for worker in workers]
        return max(delays) < (0.5 if messages else 1.5)

    assert can(soon)
    for worker in workers:
        worker.end()
    assert "learn late" not in caplog.text
