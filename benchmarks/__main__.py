"""``python -m benchmarks [NAME…] [--json]``: exit code 1 when a budget is exceeded."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

from . import (
    arena,
    authenticated,
    crash,
    crowd,
    fight,
    guarded,
    handover,
    idle,
    stack,
    traffic,
    uncontended,
)
from .rows import Row, record, table

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "uncontended": uncontended.measure,
    "handover": handover.measure,
    "fight": fight.measure,
    "crowd": crowd.measure,
    "crash": crash.measure,
    "guarded": guarded.measure,
    "traffic": traffic.measure,
    "idle": idle.measure,
    "authenticated": authenticated.measure,
    "stack": stack.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="rows for programs")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    with arena.opened():
        rows = [row for name in options.names or BENCHMARKS for row in _measured(name)]
    print(json.dumps([record(row) for row in rows], indent=2) if options.json else table(rows))
    return int(any(row.verdict == "OVER" for row in rows))


def _measured(name: str) -> list[Row]:
    began = time.monotonic()
    rows = BENCHMARKS[name]()
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    sys.exit(main())
