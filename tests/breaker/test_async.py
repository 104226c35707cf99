import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from pytest_django.fixtures import Settings

from breaker import CircuitOpenError, Outcome, circuit_breaker, get_breaker
from breaker.breaker import Breaker
from breaker.window import Tally
from tests.breaker.test_guard import Down, open_circuit, view
from tests.servers import Valkey


async def afail() -> None:
    raise Down("out of order")


async def asucceed() -> str:
    return "done"


def test_a_guarded_coroutine_function_is_one() -> None:
    guarded = circuit_breaker("kind")(asucceed)
    assert inspect.iscoroutinefunction(guarded)
    assert asyncio.run(guarded()) == "done"
    assert view("kind").tally == Tally(ok=1)


def test_coroutines_share_the_circuit_with_plain_functions() -> None:
    async def story() -> None:
        guarded = circuit_breaker("shared", failure_threshold=2)(afail)
        for _ in range(2):
            with pytest.raises(Down):
                await guarded()
        with pytest.raises(CircuitOpenError):
            await guarded()

    asyncio.run(story())
    with pytest.raises(CircuitOpenError):
        get_breaker("shared").call(print)


def test_a_rule_judges_the_results_of_coroutines() -> None:
    breaker = get_breaker("judged", failure_threshold=1, classify=lambda end: Outcome.THROTTLED)
    assert asyncio.run(breaker.acall(asucceed)) == "done"
    assert view("judged").tally == Tally(throttled=1)


def test_a_cancelled_call_says_nothing() -> None:
    async def story() -> None:
        breaker = get_breaker("cancelled", failure_threshold=1)
        task = asyncio.create_task(breaker.acall(asyncio.sleep, 60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert view("cancelled").tally == Tally()


def test_a_cancelled_trial_returns_its_permit_at_once() -> None:
    async def story() -> None:
        breaker, entered = get_breaker("trial"), asyncio.Event()

        async def hang() -> None:
            entered.set()
            await asyncio.sleep(60)

        await asyncio.sleep(0.06)
        task = asyncio.create_task(breaker.acall(hang))
        await asyncio.wait_for(entered.wait(), 20)
        assert breaker.state == "half_open"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended = time.monotonic()
        while breaker.state != "closed":
            with suppress(CircuitOpenError):
                assert await breaker.acall(asucceed) == "done"
            assert time.monotonic() < ended + 10  # a permit that lapses takes longer
            await asyncio.sleep(0.05)

    open_circuit("trial", open_timeout=0.05)
    asyncio.run(story())


def test_cancelled_while_asking_for_a_permit_returns_it() -> None:
    async def story() -> None:
        breaker = get_breaker("asking")
        await asyncio.sleep(0.06)
        task = asyncio.create_task(breaker.aallow())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            while breaker.state != "closed":
                await asyncio.sleep(0.05)
                with suppress(CircuitOpenError):
                    (await breaker.aallow()).ok()

    open_circuit("asking", open_timeout=0.05)
    asyncio.run(story())
    assert get_breaker("asking").state == "closed"


def test_the_verdict_of_an_async_body_stands() -> None:
    async def story() -> None:
        async with circuit_breaker("body") as call:
            call.fail(Down("said so"))
        async with circuit_breaker("body"):
            pass
        with pytest.raises(Down):
            async with circuit_breaker("body"):
                await afail()
        with pytest.raises(TypeError):
            async with circuit_breaker():
                pass

    asyncio.run(story())
    assert view("body").tally == Tally(ok=1, failed=2)


async def failing_call(breaker: Breaker) -> None:
    with pytest.raises(Down):
        await breaker.acall(afail)


async def failing_body(breaker: Breaker) -> None:
    async with circuit_breaker(breaker.name) as call:
        call.fail(Down())


@pytest.mark.parametrize("failing", [failing_call, failing_body])
def test_the_loop_runs_on_while_the_store_hangs(
    hasty_store: Valkey, settings: Settings, failing: Callable[[Breaker], Awaitable[None]]
) -> None:
    """The longest gap between two turns of the loop stays far below the store's time-out."""
    options = {**settings.CACHES["breaker"]["OPTIONS"], "SOCKET_TIMEOUT": 1.0}
    cache = {**settings.CACHES["breaker"], "OPTIONS": options}
    settings.CACHES = {**settings.CACHES, "breaker": cache}

    async def gaps(done: asyncio.Event) -> list[float]:
        loop, turns = asyncio.get_running_loop(), []
        while not done.is_set():
            turns.append(loop.time())
            await asyncio.sleep(0.001)
        return [later - earlier for earlier, later in pairwise(turns)]

    async def story() -> float:
        breaker = get_breaker("hang", failure_threshold=100)
        await breaker.acall(asucceed)
        done = asyncio.Event()
        watch = asyncio.create_task(gaps(done))
        await asyncio.sleep(0.01)
        hasty_store.pause()
        await failing(breaker)
        await asyncio.sleep(0.01)
        done.set()
        return max(await watch)

    started = threading.active_count()
    assert asyncio.run(story()) < 0.9
    assert threading.active_count() - started < 10
