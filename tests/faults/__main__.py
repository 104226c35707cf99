"""Fights one battle and prints what came of it; exits 1 if the history shows a violation."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import django
import psycopg

from tests.servers import postgres_url, scratch

if TYPE_CHECKING:
    from .battle import Plan, Report

MOST_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--grants", type=int, default=100_000, help="at least so many")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--names", type=int, default=64, help="how many locks to fight over")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", type=Path, help="directory for the journals")
    options = vars(parser.parse_args())
    directory = options.pop("keep") or scratch()
    directory.mkdir(parents=True, exist_ok=True)
    _set_up()

    from .battle import Plan, fight

    plan = Plan(**options)
    report = fight(plan, directory)
    say = sys.stdout.write
    say(summary(plan, report))
    for violation in report.violations[:MOST_SHOWN]:
        say(f"{violation}\n")
    return 1 if report.violations or report.grants < plan.grants else 0


def _set_up() -> None:
    home = scratch()
    os.environ["DATABASE_URL"] = _database(home)
    os.environ["REDIS_URL"] = f"unix://{home}/line.sock"
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.settings"
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    django.setup()


def _database(home: Path) -> str:
    if os.environ.get("TEST_DATABASE") != "postgres":
        return f"sqlite:///{home}/database.sqlite3"
    server, name = postgres_url(), f"faults_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


def summary(plan: "Plan", report: "Report") -> str:
    from .checker import undisturbed_waiters

    operations, faults = report.history.operations, report.faults
    outcomes = report.outcomes
    writes = report.writes
    return (
        f"{plan.processes} processes, {plan.names} locks, {report.seconds:.0f} s of faults, "
        f"seed {plan.seed}\n"
        f"grants {report.grants} ({report.grants / report.seconds:.0f}/s), "
        f"waited in line {sum(wish.queued is not None for wish in operations)} "
        f"({undisturbed_waiters(report.history)} of them undisturbed), "
        f"busy {outcomes['busy']}, unavailable {outcomes['unavailable']}, "
        f"lost {outcomes['lost']}, cancelled {outcomes['cancelled']}\n"
        f"kills {faults['kill']}, stops {faults['stop']}, flushes {faults['flush']}, "
        f"restarts {faults['restart']} + {faults['restart-empty']} without data, "
        f"pauses {faults['pause']}, scripts forgotten {faults['scripts']}\n"
        f"replies dropped {report.replies_lost}, lines muted {faults['drop']}, "
        f"broken {faults['break'] + faults['cut']}, stalled {faults['stall']}, "
        f"slow {faults['lag']}\n"
        f"writes {writes['ok']}, stale writes refused {writes['stale']}, "
        f"violations: {len(report.violations)}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
