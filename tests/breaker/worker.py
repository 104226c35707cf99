"""A process of a fleet, driven line by line over two pipes; answers are JSON.

Called with options for the circuit and with the descriptors of each process's pipes. All of them
are forked once Django is ready, but the last: it is who was called.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import IO, Any

import django
from django.conf import settings


def main() -> None:
    django.setup()
    *others, pipes = sys.argv[2:]
    for its in others:
        if os.fork() == 0:
            pipes = its
            break
    questions, answers = map(int, pipes.split(":"))
    with os.fdopen(questions) as asked, os.fdopen(answers, "w") as told:
        work(json.loads(sys.argv[1]), asked, told)


def work(options: dict[str, Any], asked: Iterable[str], told: IO[str]) -> None:
    def answer(value: object) -> None:
        told.write(f"{json.dumps(value)}\n")
        told.flush()

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
    answer(os.getpid())
    for line in asked:
        answer(actions[line.strip()]())


if __name__ == "__main__":
    main()
