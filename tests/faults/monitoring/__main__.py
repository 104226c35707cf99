"""Prints what each outage was told as; exits 1 if an alert or its end came never or twice."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from tests.product import Product, call
from tests.servers import scratch

from .mailbox import Mailbox, Notice
from .patients import PASSWORD, Database, Google, Patient, Redis
from .tower import Tower

PATIENTS: dict[str, Callable[[], Patient]] = {
    "redis": Redis,
    "database": Database,
    "google": Google,
}
PATIENCE = 150.0
# Whoever tells something twice does so by then.
REST = 15.0
# It always fires, and Alertmanager repeats it.
HEARTBEAT = "Watchdog"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.monitoring", description=__doc__)
    parser.add_argument("patients", nargs="*", choices=[*PATIENTS, []], metavar="|".join(PATIENTS))
    names = parser.parse_args().patients or list(PATIENTS)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    problems = [problem for name in names for problem in outage(name, PATIENTS[name]())]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


def outage(name: str, patient: Patient) -> Iterator[str]:
    with ExitStack() as stack:
        stack.callback(patient.stop)
        mailbox = Mailbox()
        stack.callback(mailbox.close)
        product = Product(
            scratch(),
            DJANGO_SETTINGS_MODULE="tests.live_settings",
            OPERATOR_PASSWORD=PASSWORD,
            **patient.env(),
        )
        stack.callback(product.stop)
        tower = Tower(scratch(), product=product.url, mailbox=mailbox.url)
        stack.callback(tower.stop)
        waited(lambda: health(product) == (200, "pass") and tower.sees())
        waited(lambda: tower.firing() == {HEARTBEAT})
        before = mailbox.notices.copy()

        began = time.monotonic()
        patient.fall(product)
        seen = waited(lambda: health(product) == patient.health)
        told = waited(lambda: all_told(mailbox, patient, "firing"))
        patient.rise(product)
        well = waited(lambda: health(product) == (200, "pass"))
        over = waited(lambda: all_told(mailbox, patient, "resolved"))
        time.sleep(REST)
        came = mailbox.notices - before
    lasted = time.monotonic() - began
    sys.stdout.write(
        f"{name}: {patient.health[1]} after {seen:.1f} s, told after {told:.1f} s more;"
        f" back: pass after {well:.1f} s, told after {over:.1f} s more; {lasted:.0f} s in all\n"
    )
    yield from judged(name, patient, came)


def judged(name: str, patient: Patient, came: Counter[Notice]) -> Iterator[str]:
    for alert, about in sorted(patient.alerts):
        for status in ("firing", "resolved"):
            times = came.pop(Notice(alert, about, status), 0)
            if times != 1:
                yield f"{name}: {alert} of {about} was told {times} times as {status}"
    others = sorted({f"{one.alert} of {one.about}" for one in came if one.alert != HEARTBEAT})
    if others:
        sys.stdout.write(f"{name}: also told: {', '.join(others)}\n")


def all_told(mailbox: Mailbox, patient: Patient, status: str) -> bool:
    return all(mailbox.notices[Notice(*about, status)] for about in patient.alerts)


def health(product: Product) -> tuple[int, str]:
    with suppress(OSError):
        reply = call("GET", f"{product.url}/health")
        return reply.status, reply.json["status"]
    return 0, ""


def waited(holds: Callable[[], bool]) -> float:
    """Seconds until it held, or for as long as there was hope."""
    began = time.monotonic()
    while not holds() and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
