import asyncio
from contextvars import ContextVar

from breaker.offload import offload

worker: ContextVar[str] = ContextVar("worker", default="nobody")


async def work_as(name: str) -> str:
    worker.set(name)
    return await offload(worker.get)


async def two_at_once() -> list[str]:
    return await asyncio.gather(work_as("ada"), work_as("grace"))


def test_a_trip_knows_whom_its_coroutine_works_for() -> None:
    assert asyncio.run(two_at_once()) == ["ada", "grace"]
