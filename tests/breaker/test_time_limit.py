import asyncio
import pickle
import time
import traceback
from collections.abc import AsyncGenerator, Generator

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from breaker import Outcome, PolicyError, TimeLimitExceeded, default_outcome, time_left, time_limit
from breaker.deadline import ends_at
from tests.breaker.test_guard import Down


async def hang() -> None:
    await asyncio.sleep(60)


def close_to(seconds: float) -> object:
    return pytest.approx(seconds, abs=0.5)


class TestOfCoroutines:
    def test_a_call_in_time_is_let_be(self) -> None:
        @time_limit(60)
        async def call(number: int, *, more: int) -> int:
            """Adds."""
            await asyncio.sleep(0)
            return number + more

        assert asyncio.run(call(1, more=2)) == 3
        assert call.__doc__ == "Adds."

    def test_a_call_is_ended_when_its_time_is_over(self) -> None:
        with pytest.raises(TimeLimitExceeded, match=r"longer than 0.01 s"):
            asyncio.run(time_limit(0.01)(hang)())

    def test_the_error_tells_where_the_time_was_spent(self) -> None:
        with pytest.raises(TimeLimitExceeded) as ended:
            asyncio.run(time_limit(0.01)(hang)())
        cause = ended.value.__cause__
        assert isinstance(cause, asyncio.CancelledError)
        assert "hang" in {frame.name for frame in traceback.extract_tb(cause.__traceback__)}

    def test_a_body_is_ended_too(self) -> None:
        async def story() -> None:
            async with time_limit(0.01):
                await hang()

        with pytest.raises(TimeLimitExceeded):
            asyncio.run(story())

    def test_a_cancellation_from_elsewhere_stays_one(self) -> None:
        async def story() -> None:
            task = asyncio.create_task(time_limit(60)(hang)())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(story())

    def test_a_cancellation_at_the_same_moment_is_not_swallowed(self) -> None:
        async def story() -> None:
            task = asyncio.create_task(time_limit(0.01)(hang)())
            await asyncio.sleep(0)
            time.sleep(0.02)  # the alarm is due in the turn in which the task is cancelled
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(story())

    def test_a_shorter_limit_around_it_ends_it_as_a_cancellation_does(self) -> None:
        ends = []

        async def story() -> None:
            try:
                await time_limit(60)(hang)()
            except BaseException as end:
                ends.append(type(end))
                raise

        with pytest.raises(TimeLimitExceeded, match=r"longer than 0.01 s"):
            asyncio.run(time_limit(0.01)(story)())
        assert ends == [asyncio.CancelledError]

    def test_time_outs_of_others_pass_as_they_are(self) -> None:
        error = TimeoutError("not ours")

        @time_limit(60)
        async def call() -> None:
            raise error

        with pytest.raises(TimeoutError) as caught:
            asyncio.run(call())
        assert caught.value is error

    def test_the_task_lives_on_after_a_limit(self) -> None:
        async def story() -> int:
            with pytest.raises(TimeLimitExceeded):
                await time_limit(0.01)(hang)()
            task = asyncio.current_task()
            assert task
            await asyncio.sleep(0)
            return task.cancelling()

        assert asyncio.run(story()) == 0

    def test_a_body_that_will_not_end_keeps_its_result(self) -> None:
        @time_limit(0.01)
        async def stubborn() -> str:
            try:
                await hang()
            except asyncio.CancelledError:
                return "done"
            return "never"

        assert asyncio.run(stubborn()) == "done"

    def test_without_a_task_there_is_nothing_to_limit(self) -> None:
        async def story() -> None:
            call = time_limit(60)(hang)()
            outcome: list[object] = []

            def step() -> None:
                try:
                    call.send(None)
                except RuntimeError as error:
                    outcome.append(str(error))

            asyncio.get_running_loop().call_soon(step)
            await asyncio.sleep(0)
            assert outcome == ["There is no task to limit."]

        asyncio.run(story())
        assert time_left() is None


class TestOfPlainCode:
    def test_the_code_within_asks_what_is_left(self) -> None:
        @time_limit(60)
        def call() -> tuple[float | None, float, float]:
            return time_left(), time_left(5), time_left(100)

        assert call() == (close_to(60), 5, close_to(60))
        assert (time_left(), time_left(5)) == (None, 5)

    def test_there_is_no_time_left_once_it_is_over(self) -> None:
        with time_limit(0.001):
            time.sleep(0.002)
            with pytest.raises(TimeLimitExceeded, match=r"longer than 0.001 s"):
                time_left()
            with pytest.raises(TimeLimitExceeded):
                time_left(5)

    def test_a_late_result_is_not_thrown_away(self) -> None:
        @time_limit(0.001)
        def call() -> str:
            time.sleep(0.002)
            return "paid for"

        assert call() == "paid for"

    def test_the_earliest_end_holds(self) -> None:
        with time_limit(10):
            with time_limit(60):
                assert time_left() == close_to(10)
            with time_limit(5):
                assert time_left() == close_to(5)
            assert time_left() == close_to(10)

    def test_exceptions_pass_and_end_the_limit(self) -> None:
        with pytest.raises(Down), time_limit(60):
            raise Down
        assert time_left() is None

    def test_a_guard_is_one_use_at_a_time(self) -> None:
        limit = time_limit(60)
        with limit, pytest.raises(TypeError):
            limit.__enter__()
        with limit:
            assert time_left() == close_to(60)
        assert time_left() is None

    def test_the_limit_is_known_across_threads_and_colours(self) -> None:
        async def story() -> list[float | None]:
            async with time_limit(60):
                return [
                    await asyncio.to_thread(time_left),
                    await sync_to_async(time_left)(),
                    await asyncio.create_task(asyncio.sleep(0, time_left())),
                ]

        assert asyncio.run(story()) == [close_to(60)] * 3

        async def inner() -> float | None:
            return time_left()

        with time_limit(30):
            assert async_to_sync(inner)() == close_to(30)


class TestOfStreams:
    def test_the_time_of_the_reader_does_not_count(self) -> None:
        @time_limit(10)
        def numbers() -> Generator[float, None, None]:
            for _ in range(3):
                yield time_left(60)

        seen = []
        for left in numbers():
            assert ends_at() == float("inf"), "the reader has no limit"
            seen.append(left)
            time.sleep(0.6)
        assert len(seen) == 3
        assert min(seen) > 9

    def test_the_time_of_the_source_adds_up(self) -> None:
        @time_limit(10)
        def numbers() -> Generator[float, None, None]:
            while True:
                time.sleep(0.01)
                yield time_left(60)

        stream = numbers()
        first, second, third = next(stream), next(stream), next(stream)
        assert first - second >= 0.01
        assert second - third >= 0.01

    def test_the_time_of_an_async_source_adds_up(self) -> None:
        @time_limit(0.5)
        async def numbers() -> AsyncGenerator[int, None]:
            for number in range(10):
                await asyncio.sleep(0.15)
                yield number

        async def story() -> list[int]:
            items = []
            with pytest.raises(TimeLimitExceeded):
                async for item in numbers():
                    items.append(item)
            return items

        assert len(asyncio.run(story())) <= 3

    def test_a_stream_that_hangs_is_ended(self) -> None:
        @time_limit(0.02)
        async def numbers() -> AsyncGenerator[int, None]:
            yield 1
            await hang()

        async def story() -> list[int]:
            items = []
            with pytest.raises(TimeLimitExceeded, match=r"longer than 0.02 s"):
                async for item in numbers():
                    items.append(item)
                    await asyncio.sleep(0.03)
            return items

        assert asyncio.run(story()) == [1]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), None, "5", True])
def test_a_limit_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(PolicyError, match="seconds"):
        time_limit(seconds)


def test_the_error_is_a_time_out_of_the_dependency_and_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(TimeLimitExceeded(2.5)))
    assert isinstance(error, TimeoutError)
    assert (error.seconds, error.status, error.code) == (2.5, 504, "time_limit_exceeded")
    assert str(error) == "It took longer than 2.5 s."
    assert default_outcome(error) is Outcome.FAILURE
