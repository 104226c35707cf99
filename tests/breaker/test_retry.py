import asyncio
import logging
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Generator
from math import inf
from typing import Any, ClassVar

import pytest

from breaker import (
    BulkheadFull,
    CircuitNameError,
    CircuitOpenError,
    Outcome,
    PolicyError,
    RetryBudget,
    TimeLimitExceeded,
    retry,
    time_limit,
)
from breaker.retry import FIRST, Retry
from tests.breaker.test_guard import Down

SWIFT = {"delay": 0.001, "throttled_delay": 0.001}


class Status(Exception):
    def __init__(self, code: int, retry_after: float | None = None) -> None:
        self.code = code
        self.retry_after = retry_after


class Flaky:
    """Ends so many times in the given exceptions, and then in a result."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, result: str = "done") -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return result

    async def acall(self, result: str = "done") -> str:
        return self(result)


Run = Callable[[Retry, Flaky], str]


def run(part: Retry, flaky: Flaky) -> str:
    return part.call(flaky)


def arun(part: Retry, flaky: Flaky) -> str:
    return asyncio.run(part.acall(flaky.acall))


colours = pytest.mark.parametrize("run", [run, arun], ids=["sync", "async"])


@colours
class TestCalls:
    def test_a_call_that_goes_well_is_made_once(self, run: Run) -> None:
        flaky = Flaky()
        assert run(retry(**SWIFT), flaky) == "done"
        assert flaky.calls == 1

    def test_a_failed_call_is_made_again(self, run: Run) -> None:
        flaky = Flaky(Down(), TimeLimitExceeded(1))
        assert run(retry(**SWIFT), flaky) == "done"
        assert flaky.calls == 3

    def test_the_last_exception_passes_unchanged(self, run: Run) -> None:
        error = Down("the last")
        flaky = Flaky(Down("first"), Down("second"), error, Down("never"))
        with pytest.raises(Down) as caught:
            run(retry(**SWIFT), flaky)
        assert caught.value is error
        assert error.__cause__ is error.__context__ is None
        assert not hasattr(error, "__notes__")
        assert traceback.extract_tb(error.__traceback__)[-1].name == "__call__"
        assert flaky.calls == 3

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(CircuitOpenError("x", 0, "open"), id="a refusal of a circuit"),
            pytest.param(BulkheadFull("x", 1, 0), id="a refusal of a bulkhead"),
            pytest.param(Status(404), id="a mistake of the caller"),
            pytest.param(Status(429, retry_after=21), id="asked for longer than we wait"),
            pytest.param(KeyboardInterrupt(), id="an interrupt"),
            pytest.param(asyncio.CancelledError(), id="a cancellation"),
        ],
    )
    def test_not_retried_is(self, run: Run, error: BaseException) -> None:
        flaky = Flaky(error)
        with pytest.raises(type(error)) as caught:
            run(retry(**SWIFT), flaky)
        assert caught.value is error
        assert flaky.calls == 1

    def test_a_refusal_ends_the_attempts(self, run: Run) -> None:
        flaky = Flaky(Down(), CircuitOpenError("x", 0, "open"), Down())
        with pytest.raises(CircuitOpenError):
            run(retry(**SWIFT), flaky)
        assert flaky.calls == 2

    def test_not_even_if_the_rules_call_it_a_failure(self, run: Run) -> None:
        flaky = Flaky(CircuitOpenError("x", 0, "open"))
        with pytest.raises(CircuitOpenError):
            run(retry(classify=lambda end: Outcome.FAILURE, **SWIFT), flaky)
        assert flaky.calls == 1

    def test_the_wait_is_no_shorter_than_asked_for(self, run: Run) -> None:
        started = time.monotonic()
        assert run(retry(**SWIFT), Flaky(Status(503, retry_after=0.05))) == "done"
        assert time.monotonic() - started >= 0.05

    def test_what_could_not_begin_in_time_is_not_tried(self, run: Run) -> None:
        flaky = Flaky(Status(503, retry_after=10))
        started = time.monotonic()
        with pytest.raises(Status), time_limit(5):
            run(retry(), flaky)
        assert time.monotonic() - started < 4
        assert flaky.calls == 1

    def test_without_budget_there_is_one_attempt(self, run: Run) -> None:
        budget = RetryBudget(burst=3)
        flaky = Flaky(*[Down() for _ in range(20)])
        for _ in range(10):
            with pytest.raises(Down):
                run(retry(budget=budget, **SWIFT), flaky)
        assert flaky.calls == 10 + 3

    def test_calls_that_go_well_earn_retries(self, run: Run) -> None:
        budget = RetryBudget(burst=1, share=0.5)
        part = retry(budget=budget, **SWIFT)
        assert budget.spend(budget.price)
        run(part, Flaky())
        with pytest.raises(Down):
            run(part, Flaky(Down()))
        run(part, Flaky())
        assert run(part, Flaky(Down())) == "done"
        assert budget.tokens == budget.price, "the retry that saved the call is free"

    def test_a_rule_judges_results(self, run: Run) -> None:
        ends = iter([Outcome.FAILURE, Outcome.THROTTLED, Outcome.OK, Outcome.NEUTRAL])
        part = retry(classify=lambda end: next(ends), **SWIFT)
        flaky = Flaky()
        assert run(part, flaky) == "done"
        assert flaky.calls == 3
        assert run(part, flaky) == "done"
        assert flaky.calls == 4

    def test_a_result_that_counts_as_a_failure_is_asked_for_again(self, run: Run) -> None:
        flaky = Flaky()
        part = retry(record_result=lambda result: flaky.calls < 3, **SWIFT)
        assert run(part, flaky) == "done"
        assert flaky.calls == 3

    def test_the_last_result_is_the_callers_however_bad(self, run: Run) -> None:
        budget = RetryBudget(burst=10)
        flaky = Flaky()
        part = retry(classify=lambda end: Outcome.FAILURE, budget=budget, **SWIFT)
        assert run(part, flaky) == "done"
        assert flaky.calls == 3
        assert budget.tokens == 8 * budget.price

    def test_only_the_errors_it_is_told(self, run: Run) -> None:
        part = retry(on=(ConnectionError,), **SWIFT)
        assert run(part, Flaky(ConnectionResetError())) == "done"
        with pytest.raises(Down):
            run(part, Flaky(Down()))

    def test_the_rules_are_those_of_circuits(self, run: Run) -> None:
        part = retry(ignore=(KeyError,), record=(Status,), **SWIFT)
        assert run(part, Flaky(Status(404))) == "done"
        with pytest.raises(KeyError):
            run(part, Flaky(KeyError()))


def another(end: Exception, *, left: float = inf, random: float = 0, **options: Any) -> Any:
    part = retry(**options)
    return part.another(end, part.rules.outcome(end), FIRST, time_left=left, random=random)


class TestDecisions:
    @pytest.mark.parametrize(
        ("end", "random", "wait"),
        [
            pytest.param(Down(), 1.0, 0.1, id="failed"),
            pytest.param(Down(), 0.0, 0.0, id="jitter goes down to nothing"),
            pytest.param(Status(429), 1.0, 1.0, id="throttled"),
            pytest.param(Status(503, retry_after=2), 0.5, 2.05, id="asked for"),
        ],
    )
    def test_waits(self, end: Exception, random: float, wait: float) -> None:
        found = another(end, random=random)
        assert (found.number, found.wait) == (2, pytest.approx(wait))

    def test_no_wait_goes_to_the_end_of_the_time(self) -> None:
        assert another(Down(), delay=1, left=0.5, random=0.4)
        assert not another(Down(), delay=1, left=0.5, random=0.5)
        assert not another(Down(), delay=1, left=-1)

    def test_what_is_not_tried_again_costs_nothing(self) -> None:
        budget = RetryBudget()
        for end in (Status(404), Status(503, retry_after=60), StopIteration()):
            assert not another(end, budget=budget)
        assert not another(Down(), attempts=1, budget=budget)
        assert budget.tokens == RetryBudget().tokens

    def test_a_time_out_costs_more(self) -> None:
        prices = [another(end).price for end in (Down(), TimeLimitExceeded(1), TimeoutError())]
        assert prices == [5, 10, 10]


class TestDecorator:
    def test_a_decorated_function_stays_what_it_is(self) -> None:
        @retry
        def call(left: int, *, right: int) -> int:
            """Adds."""
            return left + right

        assert call(1, right=2) == 3
        assert (call.__name__, call.__doc__) == ("call", "Adds.")

    def test_a_bare_decorator_may_stand_above_others(self) -> None:
        class Client:
            calls: ClassVar[list[int]] = []

            @retry
            @classmethod
            def call(cls) -> int:
                cls.calls.append(1)
                if len(cls.calls) < 2:
                    raise Down
                return len(cls.calls)

        assert Client.call() == 2
        with pytest.raises(TypeError):
            retry(5)

    def test_a_name_is_a_budget(self) -> None:
        name = "test_a_name_is_a_budget"
        flaky = Flaky(*[Down() for _ in range(500)])
        for _ in range(60):
            with pytest.raises(Down):
                retry(name, **SWIFT)(flaky)()
        assert flaky.calls == 60 + 100
        assert retry(name).budget.tokens == 0

    def test_without_a_name_it_is_the_functions_own(self) -> None:
        def one() -> None: ...
        def two() -> None: ...

        part = retry()
        budgets = [part._named_after(function).budget for function in (one, one, two)]
        assert budgets[0] is budgets[1] is not budgets[2]
        own = retry(budget=RetryBudget())
        assert own._named_after(one).budget is own.budget

    def test_each_retry_is_told_without_the_words_of_the_error(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, logger="breaker.retry"):
            retry("veo", **SWIFT).call(Flaky(Down("hunter2")))
        (record,) = caplog.records
        assert record.getMessage().startswith(
            "Attempt 1 at veo ended in Down; the next comes in 0."
        )

    @pytest.mark.parametrize(
        "options",
        [
            {"attempts": 0},
            {"attempts": "3"},
            {"delay": -1},
            {"max_delay": None},
            {"on": Down},
            {"on": (BaseException,)},
            {"on": []},
            {"ignore": 1},
            {"ignore": False},
            {"classify": 0},
            {"record_result": ""},
            {"budget": 5},
            {"budget": 0},
            {"budget": RetryBudget},
        ],
        ids=str,
    )
    def test_options_that_make_no_sense_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(PolicyError, match=f"{next(iter(options))} must be"):
            retry(**options)

    def test_unknown_options_are_refused(self) -> None:
        with pytest.raises(TypeError, match="atempts"):
            retry(atempts=2)  # type: ignore[call-overload]

    def test_a_name_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(CircuitNameError):
            retry("x" * 201)


class TestStreams:
    def test_a_stream_is_begun_anew_until_its_first_item(self) -> None:
        flaky = Flaky(Down(), Down())

        @retry(**SWIFT)
        def numbers() -> Generator[str, str, str]:
            sent = yield flaky()
            try:
                yield sent
            except KeyError:
                yield "caught"
            return "the end"

        stream = numbers()
        assert next(stream) == "done"
        assert flaky.calls == 3
        assert stream.send("sent") == "sent"
        assert stream.throw(KeyError()) == "caught"
        with pytest.raises(StopIteration, match="the end"):
            next(stream)

    def test_an_async_stream_too(self) -> None:
        flaky = Flaky(Down(), Down())

        @retry(**SWIFT)
        async def numbers() -> AsyncGenerator[str, str]:
            sent = yield flaky()
            try:
                yield sent
            except KeyError:
                yield "caught"

        async def story() -> list[str]:
            stream = numbers()
            return [
                await anext(stream),
                await stream.asend("sent"),
                await stream.athrow(KeyError()),
                await anext(stream, "the end"),
            ]

        assert asyncio.run(story()) == ["done", "sent", "caught", "the end"]
        assert flaky.calls == 3

    def test_what_breaks_after_the_first_item_is_not_begun_anew(self) -> None:
        begun = []

        @retry(**SWIFT)
        def numbers() -> Generator[int, None, None]:
            begun.append(1)
            yield 1
            raise Down

        stream = numbers()
        assert next(stream) == 1
        with pytest.raises(Down):
            next(stream)
        assert len(begun) == 1

    def test_an_async_stream_that_breaks_later_is_not_begun_anew(self) -> None:
        begun = []

        @retry(**SWIFT)
        async def numbers() -> AsyncGenerator[int, None]:
            begun.append(1)
            yield 1
            raise Down

        async def story() -> None:
            async for _ in numbers():
                pass

        with pytest.raises(Down):
            asyncio.run(story())
        assert len(begun) == 1

    def test_an_empty_stream_is_an_answer(self) -> None:
        begun = []

        @retry(**SWIFT)
        def none() -> Generator[int, None, str]:
            begun.append(1)
            return "nothing"
            yield

        @retry(**SWIFT)
        async def anone() -> AsyncGenerator[int, None]:
            begun.append(1)
            return
            yield

        async def story() -> list[int]:
            return [item async for item in anone()]

        with pytest.raises(StopIteration, match="nothing"):
            next(none())
        assert asyncio.run(story()) == []
        assert len(begun) == 2

    def test_a_stream_that_is_closed_closes_its_source(self) -> None:
        closed = []

        @retry
        def numbers() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                closed.append(1)

        stream = numbers()
        next(stream)
        stream.close()
        assert closed
