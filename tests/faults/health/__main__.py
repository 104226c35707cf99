"""Plays all of it and prints what came of it; exits 1 if something was wrong."""

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django

from tests.servers import scratch, valkey_url

if TYPE_CHECKING:
    from tests.health.servers import Site

say = sys.stdout.write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.health", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of killing and stopping the prober")
    parser.add_argument("--names", type=int, default=1000, help="invented, of each kind")
    parser.add_argument("--seconds", type=float, default=600, help="of load on a hung database")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[3])
    valkey_url()
    django.setup()
    wrong = [
        *succession(options.rounds),
        *counting(options.rounds, options.names),
        *endurance(options.seconds),
    ]
    say("".join(f"WRONG: {what}\n" for what in wrong) or "nothing was wrong\n")
    return 1 if wrong else 0


def succession(rounds: int) -> Iterator[str]:
    from .succession import BLIND_SECONDS, play
    from .switch import turn

    home = scratch()
    os.environ["TEST_SWITCH"] = str(home)
    turn(on=True)
    with serving("tests.faults.health.settings", home, workers=4) as site:
        tale = play(site, rounds=rounds, say=say)
    gaps = ", ".join(f"{gap:.1f}" for gap in tale.gaps)
    say(f"news after {gaps} s; {len(tale.false_passes())} false of {len(tale.answers)}\n")
    yield from tale.wrong
    yield from (f"no news for {gap:.1f} s" for gap in tale.gaps if gap > BLIND_SECONDS + 1)


def counting(rounds: int, names: int) -> Iterator[str]:
    from . import counting as told
    from .succession import GROWN_UP_SECONDS

    home, token = scratch(), told.token()
    with (
        told.crowded(names),
        serving("tests.health.brisk", home, workers=4, PROMETHEUS_MULTIPROC_DIR=str(home)) as site,
    ):
        workers = told.Workers(site, home)
        for _ in range(rounds):
            for upheaval in (workers.kill, workers.renew):
                workers.ask()
                upheaval()
            time.sleep(GROWN_UP_SECONDS)
        workers.ask()
        sums = workers.sums()
        say(f"asked {workers.asked} times, counted {sums[0]:.0f} and {sums[1]:.0f}\n")
        told.invent(site, token, 1)
        before = told.settled(site)
        told.invent(site, token, names)
        seen = told.scrape(site)
        added, took = told.counted(seen) - before, told.scrapes(site, 200)
        say(f"{6 * names} requests added {len(added)} series; {len(seen)} in all, ")
        say(f"a scrape takes {took[100] * 1000:.0f} ms, at most {took[-1] * 1000:.0f} ms\n")
    if sums != (workers.asked, workers.asked):
        yield f"asked {workers.asked} times, counted {sums}"
    if added or told.shown(seen) != told.SHOWN_OF:
        yield f"series that strangers made: {added or told.shown(seen)}"
    if took[100] >= 0.1:
        yield f"half of all scrapes take more than {took[100]:.3f} s"


def endurance(seconds: float) -> Iterator[str]:
    from . import endurance as load

    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        port = silent.getsockname()[1]
        os.environ["DATABASE_URL"] = f"postgres://shop:hunter2@127.0.0.1:{port}/shop"
        with serving("tests.settings", scratch(), workers=2) as site:
            load.soak(site, seconds=5)
            p99 = load.one_by_one(site, 1000)[989] * 1000
            worst = load.together(site, 100)[-1] * 1000
            say(f"1,000 one by one: p99 {p99:.1f} ms; 100 at once: worst {worst:.0f} ms\n")
            sizes = load.soak(site, seconds=seconds)
            grown = load.growth(sizes)
            say(f"{seconds:.0f} s at 50 a second: {sizes[0]} … {sizes[-1]}, growth {grown}\n")
    if p99 >= 10 or worst >= 100:
        yield f"too slow: p99 {p99:.1f} ms, worst {worst:.0f} ms"
    if max(grown[:3]) > 2 or grown.memory > 2048:
        yield f"it grows: {grown}"


@contextmanager
def serving(settings: str, home: Path, *, workers: int, **env: str) -> Iterator["Site"]:
    from tests.health.servers import Site

    env = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, **env}
    site = Site(env, home / "site.log", workers=workers)
    try:
        site.await_live()
        yield site
    finally:
        site.stop()


if __name__ == "__main__":
    sys.exit(main())
