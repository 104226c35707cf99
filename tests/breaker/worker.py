"""A process of a fleet, driven line by line over its standard streams; answers are JSON."""

import json
import sys
import threading
import time
from collections.abc import Callable

import django
from django.conf import settings


def main() -> None:
    django.setup()
    options = json.loads(sys.argv[1])
    if host := options.pop("host", None):
        settings.BREAKER = {**settings.BREAKER, "HOST": host}
    from breaker import CircuitOpenError, circuit_breaker, get_breaker

    @circuit_breaker("fleet", **options)
    def call(action: Callable[[], object]) -> None:
        action()

    def fail() -> None:
        raise ConnectionError("refused")

    def attempt(action: Callable[[], object]) -> str:
        try:
            call(action)
        except CircuitOpenError:
            return "refused"
        except ConnectionError:
            return "failed"
        return "ok"

    def crowd(size: int, seconds: float) -> list[str]:
        """Many callers at one instant; those who are let in stay for a while."""
        ready, answers = threading.Barrier(size), []

        def caller() -> None:
            ready.wait()
            answers.append(attempt(lambda: time.sleep(seconds)))

        callers = [threading.Thread(target=caller) for _ in range(size)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
        return answers

    def opens() -> float:
        """When this process comes to know that the circuit is open."""
        while get_breaker("fleet").state != "open":
            time.sleep(0.0005)
        return time.monotonic()

    actions = {
        "fail": lambda: (attempt(fail), time.monotonic()),
        "ok": lambda: attempt(lambda: None),
        "state": lambda: get_breaker("fleet").state,
        "opens": opens,
        "crowd": lambda: crowd(50, 1.5),
        "hang": lambda: attempt(lambda: time.sleep(600)),
    }
    get_breaker("fleet").state  # noqa: B018
    answer("ready")
    for line in sys.stdin:
        answer(actions[line.strip()]())


def answer(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
