"""Who works under a lease: a task, or a thread outside of tasks."""

import asyncio
from threading import Thread, current_thread
from typing import Any

Owner = Thread | asyncio.Task[Any]


def current() -> Owner:
    loop = asyncio._get_running_loop()
    return (loop and asyncio.current_task(loop)) or current_thread()


def ended(owner: Owner) -> bool:
    # Asked this way round, because gevent has threads of other classes.
    return owner.done() if isinstance(owner, asyncio.Future) else not owner.is_alive()


def returned(owner: Owner, value: object) -> bool:
    """Whether a task ended by giving the value to whoever awaited it.

    ``wait_for`` and ``gather`` run what they are given as a task of its own.
    """
    if not isinstance(owner, asyncio.Future) or not owner.done() or owner.cancelled():
        return False
    # exception() would pass for somebody having dealt with it.
    return owner._exception is None and owner.result() is value
