"""A process that checks and alerts as a server does, and says what it shows when that changes."""

import json
import sys
import time

import django

if __name__ == "__main__":
    django.setup()
    from health import checker

    shown: dict[str, str] = {}
    while True:
        snapshot = checker.current().edition.snapshot
        words = {name: str(snapshot.status_of(name)) for name in snapshot.names}
        words["source"] = str(snapshot.source)
        if words != shown:
            shown = words
            sys.stdout.write(f"{json.dumps(words)}\n")
            sys.stdout.flush()
        time.sleep(0.05)
