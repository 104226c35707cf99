"""CPython 3.11: a SimpleQueue whose get() is out of time at its second look waits for ever.

That look comes after an item that was put and taken again, so the next reader is not warned. A
watchdog that slept on lost its leases; what reads with a time-out has a Queue.
"""

import re
from pathlib import Path

import pytest
from django.conf import settings

SOURCES = [
    path
    for app in ("accounts", "breaker", "config", "health", "locking")
    for path in (Path(settings.BASE_DIR) / app).rglob("*.py")
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_simple_queue_is_read_with_a_time_out(path: Path) -> None:
    text = path.read_text()
    assert not ("SimpleQueue[" in text and re.search(r"\.get\(.*timeout", text))
