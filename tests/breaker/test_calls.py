"""What can be guarded, and what stays as it was."""

import asyncio
import gc
import inspect
import os
import pickle
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial, wraps
from itertools import count
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.views import View

from breaker import CircuitOpenError, PolicyError, State, circuit_breaker, get_breaker, retry
from breaker.agent import agent
from breaker.breaker import Breaker
from breaker.circuit import Verb
from breaker.control import act
from breaker.local import LocalStore
from breaker.offload import submit
from breaker.policy import Policy
from breaker.window import Tally
from tests.breaker.test_guard import Down, fail, open_circuit, view
from tests.locking.workers import forked


def plain(broken: bool = False) -> str:
    """A greeting."""
    if broken:
        raise Down("out of order")
    return "hello"


async def coroutine(broken: bool = False) -> str:
    await asyncio.sleep(0)
    return plain(broken)


def stream(broken: bool = False) -> Generator[str, None, None]:
    yield "well"
    yield plain(broken)


async def astream(broken: bool = False) -> AsyncGenerator[str, None]:
    yield "well"
    yield plain(broken)


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that knows nothing of coroutines and generators, and need not."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Called:
    def __call__(self, broken: bool = False) -> str:
        return plain(broken)


class CalledLater:
    async def __call__(self, broken: bool = False) -> str:
        return await coroutine(broken)


class Client:
    def method(self, broken: bool = False) -> str:
        return plain(broken)

    async def amethod(self, broken: bool = False) -> str:
        return await coroutine(broken)

    def items(self, broken: bool = False) -> Generator[str, None, None]:
        yield from stream(broken)


async def outcome(result: Any) -> Any:
    if inspect.isawaitable(result):
        result = await result
    if inspect.isasyncgen(result):
        return [item async for item in result][-1]
    if inspect.isgenerator(result):
        return list(result)[-1]
    return result


ANYTHING: dict[str, Callable[..., Any]] = {
    "function": plain,
    "coroutine function": coroutine,
    "generator": stream,
    "async generator": astream,
    "partial": partial(partial(plain), False),
    "partial of a coroutine function": partial(coroutine),
    "partial of a generator": partial(stream),
    "partial of an async generator": partial(astream),
    "bound method": Client().method,
    "bound async method": Client().amethod,
    "bound generator method": Client().items,
    "object": Called(),
    "async object": CalledLater(),
    "lambda": lambda broken=False: plain(broken),
    "lambda that hands on a coroutine": lambda broken=False: coroutine(broken),
    "wrapped function": logged(plain),
    "wrapped coroutine function": logged(coroutine),
    "wrapped generator": logged(stream),
    "wrapped async generator": logged(astream),
    "coroutine function that gives a stream": lambda broken=False: astream(broken),
}
anything = pytest.mark.parametrize(
    "function", ANYTHING.values(), ids=[name.replace(" ", "-") for name in ANYTHING]
)


@anything
class TestAnything:
    def test_is_counted_when_it_ends(self, function: Callable[..., Any]) -> None:
        guarded = circuit_breaker("any")(function)
        for _ in range(3):
            assert asyncio.run(outcome(guarded())) == "hello"
        assert view("any").tally == Tally(ok=3)

    def test_fails_when_it_fails(self, function: Callable[..., Any]) -> None:
        get_breaker("any").replica.load()
        guarded = circuit_breaker("any", failure_threshold=1)(
            partial(function.func) if isinstance(function, partial) else function
        )
        with pytest.raises(Down):
            asyncio.run(outcome(guarded(broken=True)))
        assert view("any").tally == Tally(failed=1)
        with pytest.raises(CircuitOpenError):
            asyncio.run(outcome(guarded()))

    def test_is_recognised(self, function: Callable[..., Any]) -> None:
        guarded = circuit_breaker("any")(function)
        for is_one in (
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            asyncio.iscoroutinefunction,
            inspect.iscoroutinefunction,
        ):
            called = function if not isinstance(function, CalledLater) else function.__call__
            assert is_one(guarded) == is_one(called)
        assert inspect.signature(guarded) == inspect.signature(function)
        assert guarded.__wrapped__ is function

    def test_has_a_name_of_its_own(self, function: Callable[..., Any]) -> None:
        asyncio.run(outcome(circuit_breaker(function)()))


class TestMethods:
    def test_of_every_kind(self) -> None:
        class Guarded:
            @circuit_breaker("methods")
            def method(self) -> object:
                return self

            @classmethod
            @circuit_breaker("methods")
            def of_class(cls) -> object:
                return cls

            @circuit_breaker("methods")
            @classmethod
            def above_of_class(cls) -> object:
                return cls

            @staticmethod
            @circuit_breaker("methods")
            def static() -> str:
                return "static"

            @circuit_breaker("methods")
            @staticmethod
            def above_static() -> str:
                return "static"

            @property
            @circuit_breaker("methods")
            def value(self) -> object:
                return self

        one = Guarded()
        assert one.method() is one.value is one
        assert Guarded.of_class() is one.of_class() is Guarded.above_of_class() is Guarded
        assert Guarded.static() == Guarded.above_static() == one.above_static() == "static"
        assert view("methods").tally == Tally(ok=8)

    def test_bare_above_a_class_method(self) -> None:
        class Guarded:
            @circuit_breaker
            @classmethod
            def call(cls) -> object:
                return cls

        assert Guarded.call() is Guarded

    @pytest.mark.parametrize(
        "thing", [Called, 5, None, property(plain)], ids=lambda one: type(one).__name__
    )
    def test_nothing_else(self, thing: Any) -> None:
        with pytest.raises(TypeError):
            circuit_breaker(thing)
        with pytest.raises(TypeError):
            circuit_breaker("named")(thing)


@circuit_breaker("by name")
def by_name(left: int, *, right: int = 2) -> int:
    """Adds."""
    return left + right


def test_a_guarded_function_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(by_name)) is by_name
    assert by_name(1) == 3
    assert str(inspect.signature(by_name)) == "(left: int, *, right: int = 2) -> int"
    assert by_name.__doc__ == "Adds."


class TestContextManagers:
    """The decorator stands beneath ``contextmanager``: what it wraps is the generator."""

    def test_a_body_that_fails_has_failed(self) -> None:
        @contextmanager
        @circuit_breaker("session")
        def session() -> Generator[str, None, None]:
            yield "session"

        with session() as value:
            assert value == "session"
        with pytest.raises(Down), session():
            fail()
        assert view("session").tally == Tally(ok=1, failed=1)

    def test_async(self) -> None:
        @asynccontextmanager
        @circuit_breaker("session")
        async def session() -> AsyncGenerator[str, None]:
            yield "session"

        async def story() -> None:
            async with session() as value:
                assert value == "session"
            with pytest.raises(Down):
                async with session():
                    fail()

        asyncio.run(story())
        assert view("session").tally == Tally(ok=1, failed=1)


class TestViews:
    """A view is guarded like any function; of a stream, ``guard_stream`` waits for the end."""

    request = staticmethod(RequestFactory().get)
    arequest = staticmethod(AsyncRequestFactory().get)

    def test_a_view_made_of_a_class(self) -> None:
        class Plain(View):
            def get(self, request: HttpRequest, broken: bool = False) -> HttpResponse:
                return HttpResponse(plain(broken))

        guarded = circuit_breaker("view")(Plain.as_view())
        assert guarded(self.request("/")).content == b"hello"
        with pytest.raises(Down):
            guarded(self.request("/"), broken=True)
        assert view("view").tally == Tally(ok=1, failed=1)
        assert guarded.view_class is Plain

    def test_an_async_view_made_of_a_class(self) -> None:
        class Async(View):
            async def get(self, request: HttpRequest, broken: bool = False) -> HttpResponse:
                return HttpResponse(await coroutine(broken))

        guarded = circuit_breaker("view")(Async.as_view())
        assert iscoroutinefunction(guarded)
        self.check_async(guarded)

    @pytest.mark.parametrize("name", ["get", "dispatch"])
    def test_methods_of_a_view(self, name: str) -> None:
        @method_decorator(circuit_breaker("view"), name=name)
        class Plain(View):
            def get(self, request: HttpRequest, broken: bool = False) -> HttpResponse:
                return HttpResponse(plain(broken))

        assert Plain.as_view()(self.request("/")).content == b"hello"
        with pytest.raises(Down):
            Plain.as_view()(self.request("/"), broken=True)
        assert view("view").tally == Tally(ok=1, failed=1)

    @pytest.mark.parametrize("name", ["get", "dispatch"])
    def test_methods_of_an_async_view(self, name: str) -> None:
        @method_decorator(circuit_breaker("view"), name=name)
        class Async(View):
            async def get(self, request: HttpRequest, broken: bool = False) -> HttpResponse:
                return HttpResponse(await coroutine(broken))

        self.check_async(Async.as_view())

    def check_async(self, guarded: Callable[..., Awaitable[HttpResponse]]) -> None:
        async def story() -> None:
            assert (await guarded(self.arequest("/"))).content == b"hello"
            with pytest.raises(Down):
                await guarded(self.arequest("/"), broken=True)

        asyncio.run(story())
        assert view("view").tally == Tally(ok=1, failed=1)

    def test_a_streamed_answer(self) -> None:
        def answer(broken: bool) -> StreamingHttpResponse:
            return StreamingHttpResponse(get_breaker("view").guard_stream(stream(broken)))

        assert b"".join(answer(False)) == b"wellhello"
        with pytest.raises(Down):
            list(answer(True))
        assert view("view").tally == Tally(ok=1, failed=1)

    def test_an_answer_streamed_to_a_client_that_leaves(self) -> None:
        async def endless() -> AsyncGenerator[str, None]:
            yield "well"
            await asyncio.sleep(60)

        async def story() -> None:
            begun = asyncio.Event()

            async def send() -> None:
                answer = StreamingHttpResponse(get_breaker("view").guard_stream(endless()))
                async for _ in answer:
                    begun.set()

            sending = asyncio.create_task(send())
            await begun.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

        asyncio.run(story())
        assert view("view").tally == Tally()


class TestTheOriginalException:
    def functions(self, breaker: Breaker) -> dict[str, Callable[[], Any]]:
        async def body() -> None:
            async with circuit_breaker(breaker.name):
                raise error

        def with_body() -> None:
            with circuit_breaker(breaker.name):
                raise error

        error = Down("mine")
        self.error = error

        def raises() -> None:
            raise error

        async def araises() -> None:
            raise error

        def items() -> Generator[int, None, None]:
            yield 1
            raise error

        async def aitems() -> AsyncGenerator[int, None]:
            yield 1
            raise error

        return {
            "call": circuit_breaker(breaker.name)(raises),
            "acall": lambda: asyncio.run(circuit_breaker(breaker.name)(araises)()),
            "lazily": lambda: asyncio.run(
                outcome(circuit_breaker(breaker.name)(logged(araises))())
            ),
            "items": lambda: list(circuit_breaker(breaker.name)(items)()),
            "aitems": lambda: asyncio.run(outcome(circuit_breaker(breaker.name)(aitems)())),
            "body": with_body,
            "abody": lambda: asyncio.run(body()),
        }

    @pytest.mark.parametrize(
        "kind", ["call", "acall", "lazily", "items", "aitems", "body", "abody"]
    )
    @pytest.mark.parametrize("threshold", [1, 5], ids=["tripping", "closed"])
    @pytest.mark.parametrize("slow", [None, 60.0], ids=["plain", "watched"])
    def test_is_the_callers(self, kind: str, threshold: int, slow: float | None) -> None:
        breaker = get_breaker("original", failure_threshold=threshold, slow_call_seconds=slow)
        breaker.replica.load()
        function = self.functions(breaker)[kind]
        with pytest.raises(Down) as caught:
            function()
        error = caught.value
        assert error is self.error
        assert error.__cause__ is error.__context__ is None
        assert not error.__suppress_context__
        assert vars(error) == {}
        frames = traceback.extract_tb(error.__traceback__)
        assert frames[-1].line == "raise error"
        places = [(frame.filename, frame.lineno, frame.name) for frame in frames]
        assert len(places) == len(set(places)), "a frame is there twice"
        assert breaker.state == (State.OPEN if threshold == 1 else State.CLOSED)


class TestRefusals:
    @pytest.mark.parametrize("kind", ["call", "acall", "items", "aitems", "body", "abody"])
    def test_have_no_chain_and_all_facts(self, kind: str) -> None:
        open_circuit("refusing")
        functions = TestTheOriginalException().functions(get_breaker("refusing"))
        with pytest.raises(CircuitOpenError) as caught:
            functions[kind]()
        refusal = caught.value
        assert refusal.__cause__ is refusal.__context__ is None
        assert (refusal.name, refusal.state) == ("refusing", "open")
        assert 59 < refusal.retry_after <= 60
        assert refusal.last_failure.endswith("Down: out of order")
        copy = pickle.loads(pickle.dumps(refusal))
        assert (copy.name, copy.retry_after, copy.state, copy.last_failure) == (
            refusal.name, refusal.retry_after, refusal.state, refusal.last_failure,
        )  # fmt: skip


class TestNesting:
    def test_each_circuit_counts_a_call_once(self) -> None:
        @circuit_breaker("outer")
        @circuit_breaker("inner")
        def call(broken: bool) -> str:
            return plain(broken)

        call(False)
        with pytest.raises(Down):
            call(True)
        assert view("outer").tally == view("inner").tally == Tally(ok=1, failed=1)

    def test_a_refusal_further_in_is_neutral_for_coroutines_too(self) -> None:
        open_circuit("inner")
        guarded = circuit_breaker("outer", failure_threshold=1)(circuit_breaker("inner")(coroutine))
        with pytest.raises(CircuitOpenError, match="inner"):
            asyncio.run(guarded())
        assert view("outer").tally == Tally()

    def test_a_refusal_further_in_gives_the_permit_back(self) -> None:
        open_circuit("inner")
        open_circuit("outer", open_timeout=0.01)
        guarded = circuit_breaker("outer")(circuit_breaker("inner")(plain))
        time.sleep(0.05)
        for _ in range(3):
            with pytest.raises(CircuitOpenError, match="inner"):
                guarded()
        assert get_breaker("outer").call(int) == 0
        assert get_breaker("outer").state == "closed"

    def test_a_trial_that_comes_by_its_own_circuit_again_is_one_trial(self) -> None:
        @circuit_breaker("again")
        def countdown(number: int) -> int:
            return number and countdown(number - 1)

        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        assert countdown(3) == 0
        assert view("again").state == "closed"
        assert view("again").totals == Tally(ok=1, failed=1)

    def test_an_async_trial_comes_by_its_own_circuit_again(self) -> None:
        @circuit_breaker("again")
        async def countdown(number: int) -> int:
            return number and await countdown(number - 1)

        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        assert asyncio.run(countdown(3)) == 0
        assert view("again").state == "closed"

    @pytest.mark.parametrize("slow", [None, 60.0], ids=["plain", "watched"])
    def test_so_do_the_tasks_and_threads_of_a_trial(self, slow: float | None) -> None:
        fetch = circuit_breaker("again")(coroutine)
        read = circuit_breaker("again")(plain)

        @circuit_breaker("again")
        async def page() -> list[str]:
            return await asyncio.gather(
                fetch(), fetch(), asyncio.to_thread(read), sync_to_async(read)()
            )

        open_circuit("again", open_timeout=0.01, slow_call_seconds=slow)
        time.sleep(0.05)
        assert asyncio.run(page()) == ["hello"] * 4
        assert view("again").state == "closed"
        assert view("again").totals == Tally(ok=1, failed=1)

    def test_so_do_those_of_a_stream_that_is_one(self) -> None:
        @circuit_breaker("again")
        async def items() -> AsyncGenerator[str, None]:
            yield "well"
            yield await asyncio.create_task(get_breaker("again").acall(coroutine))

        async def story() -> list[str]:
            return [item async for item in items()]

        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        assert asyncio.run(story()) == ["well", "hello"]
        assert view("again").state == "closed"

    def test_a_task_that_outlives_its_trial_is_inside_no_other(self) -> None:
        breaker = get_breaker("again")
        released = asyncio.Event()

        async def later() -> str:
            await released.wait()
            return await breaker.acall(coroutine)

        async def trial() -> "asyncio.Task[str]":
            return asyncio.create_task(later())

        async def story() -> None:
            task = await breaker.acall(trial)
            open_circuit("again", open_timeout=0.01)
            await asyncio.sleep(0.05)
            second = await breaker.aallow()
            released.set()
            with pytest.raises(CircuitOpenError):
                await task
            second.ok()

        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        asyncio.run(story())
        assert view("again").state == "closed"

    def test_an_operators_word_holds_inside_a_trial_too(self) -> None:
        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        with circuit_breaker("again"):
            act("again", Verb.OPEN, actor="ada", reason="maintenance")
            with pytest.raises(CircuitOpenError, match="forced_open"):
                get_breaker("again").allow()

    def test_a_thread_without_the_context_is_not_inside_the_trial(self) -> None:
        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        with ThreadPoolExecutor(1) as pool, circuit_breaker("again"):
            refused = pool.submit(get_breaker("again").call, int).exception()
        assert isinstance(refused, CircuitOpenError)
        assert get_breaker("again").state == "closed"

    def test_nor_is_a_second_call_of_the_same_thread(self) -> None:
        breaker = get_breaker("again")
        open_circuit("again", open_timeout=0.01)
        time.sleep(0.05)
        trial = breaker.allow()
        with pytest.raises(CircuitOpenError):
            breaker.allow()
        trial.ok()


class TestForks:
    """A call is its parent's to judge."""

    def test_a_child_that_leaves_a_trial_decides_nothing(self) -> None:
        open_circuit("forked", open_timeout=0.01)
        time.sleep(0.05)
        trial = get_breaker("forked").allow()
        assert forked(lambda: trial.ok()) == 0
        assert forked(lambda: trial.fail(Down())) == 0
        assert view("forked").state == "half_open"
        trial.ok()
        assert view("forked").totals == Tally(ok=1, failed=1)

    def test_a_child_that_fails_within_a_call_counts_nothing(self) -> None:
        breaker = get_breaker("forked")
        breaker.call(int)

        def in_child() -> None:
            breaker.call(int)  # knows the circuit again
            call.judge(Down())

        call = breaker.allow()
        assert forked(in_child) == 0
        call.ok()
        breaker.call(int)
        assert view("forked").totals.failed == 0

    def test_a_child_that_leaves_a_guarded_function_counts_nothing(self) -> None:
        child = -1

        def function() -> None:
            nonlocal child
            child = os.fork()
            if child == 0:
                raise Down

        try:
            get_breaker("forked").call(function)
        except Down:
            get_breaker("forked").replica.flush()
        finally:
            if child == 0:
                os._exit(0)
        os.waitpid(child, 0)
        assert view("forked").totals == Tally(ok=1)


class TestPermits:
    """A trial that says nothing gives its permit back at once."""

    @pytest.fixture
    def breaker(self) -> Breaker:
        open_circuit("permit", open_timeout=0.01)
        time.sleep(0.05)
        return get_breaker("permit")

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    def test_when_it_is_interrupted(self, breaker: Breaker, error: type[BaseException]) -> None:
        def interrupted() -> None:
            raise error

        for _ in range(3):
            with pytest.raises(error):
                breaker.call(interrupted)
        assert breaker.call(int) == 0

    def test_when_its_reader_closes_it(self, breaker: Breaker) -> None:
        for _ in range(3):
            items = breaker.guard_stream([1, 2])
            assert next(items) == 1
            with pytest.raises(CircuitOpenError):
                breaker.allow()
            breaker.replica.snapshot.refuse_until = 0
            items.close()
        assert breaker.call(int) == 0

    def test_when_the_reader_of_an_async_stream_leaves(self, breaker: Breaker) -> None:
        async def story() -> None:
            for _ in range(3):
                items = breaker.guard_stream(astream())
                assert await anext(items) == "well"
                await items.aclose()
                await asyncio.sleep(0.05)
            assert await breaker.acall(coroutine) == "hello"

        asyncio.run(story())


class TestRecordResult:
    @pytest.mark.parametrize("slow", [None, 60.0], ids=["plain", "watched"])
    def test_a_result_may_be_a_failure_and_is_returned_all_the_same(
        self, slow: float | None
    ) -> None:
        breaker = get_breaker(
            "results",
            slow_call_seconds=slow,
            failure_threshold=2,
            record_result=lambda answer: answer == "bad",
        )
        assert breaker.call(str, "good") == "good"
        assert breaker.call(str, "bad") == "bad"
        assert view("results").tally == Tally(ok=1, failed=1)

        async def bad() -> str:
            return "bad"

        assert asyncio.run(breaker.acall(bad)) == "bad"
        assert breaker.state == "open"

    def test_a_predicate_that_raises_is_logged_and_left_out(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        breaker = get_breaker("results", record_result=lambda answer: answer.status >= 500)
        assert breaker.call(str, "paid for") == "paid for"
        assert view("results").tally == Tally(ok=1)
        assert len(caplog.records) == 1

    def test_it_is_not_asked_about_exceptions(self) -> None:
        breaker = get_breaker("results", record_result=lambda answer: True, ignore=(Down,))
        with pytest.raises(Down):
            breaker.call(fail)
        assert view("results").tally == Tally()

    @pytest.mark.parametrize("rule", ["record_result", "classify", "retry_after", "key"])
    @pytest.mark.parametrize(
        "value",
        [5, "yes", True, coroutine, stream, astream, CalledLater(), partial(coroutine, True)],
        ids=["number", "text", "true", "async", "items", "async items", "object", "partial"],
    )
    def test_it_is_a_plain_function(self, rule: str, value: Any) -> None:
        with pytest.raises(PolicyError, match=f"{rule} must be a plain function"):
            circuit_breaker("results", **{rule: value})


def shy() -> Exception:
    """Like a lazy object, which would have to work to tell its class, and cannot."""

    def no_class(self: object) -> type:
        raise RuntimeError("asked for its class")

    return type("Shy", (Exception,), {"__class__": property(no_class)})()


numbers = count()
RULES: dict[str, Any] = {
    "default": {},
    "slow": {"slow_call_seconds": 60},
    "results": {"record_result": lambda result: False},
    "ignored": {"ignore": (KeyError,), "record": (OSError,)},
}
every_rule = pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())


@every_rule
@pytest.mark.parametrize("grouped", [False, True], ids=["alone", "in a group"])
def test_an_exception_that_cannot_be_asked_for_its_class_is_the_callers(
    rules: dict[str, Any], grouped: bool
) -> None:
    error = ExceptionGroup("two", [Down(), shy()]) if grouped else shy()

    def fail() -> None:
        raise error

    name = f"shy:{next(numbers)}"
    guarded = circuit_breaker(name, **rules)(fail)
    retried = retry(name, attempts=2, delay=0)(fail)
    # Told by true and false, because pytest could not show what is raised instead.
    assert [raises(guarded, error), raises(retried, error)] == [True, True]
    assert view(name).tally.failures == 1


def raises(function: Callable[[], object], error: Exception) -> bool:
    try:
        function()
    except Exception as caught:
        return caught is error
    return False


@every_rule
def test_a_lazy_result_is_not_made_to_work(rules: dict[str, Any]) -> None:
    name = f"lazy:{next(numbers)}"
    result = SimpleLazyObject(pytest.fail)
    get_breaker(name, **rules)
    assert circuit_breaker(name)(lambda: result)() is result
    assert retry(name, attempts=2, delay=0, **rules_of(rules))(lambda: result)() is result
    assert view(name).tally.calls == 1


def rules_of(rules: dict[str, Any]) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name != "slow_call_seconds"}


class Abandoned:
    """Garbage that calls the dependency a last time, as a stream may that nobody closed."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.itself = self

    def __del__(self) -> None:
        with suppress(Down):
            self.breaker.call(fail)


def test_the_collector_may_end_a_call_in_the_midst_of_another() -> None:
    def work() -> None:
        breaker = get_breaker("garbage", failure_threshold=1_000_000)
        breaker.replica.load()
        gc.freeze()  # or each collection would look at all that pytest has
        for allocations in range(1, 200):
            gc.collect()
            gc.set_threshold(allocations)
            Abandoned(breaker)
            with suppress(Down):
                breaker.call(fail)

    assert forked(work) == 0


def test_the_collector_may_open_a_circuit_while_an_earlier_answer_is_taken_over() -> None:
    def work() -> None:
        gc.freeze()
        for allocations in range(1, 150):
            breaker = get_breaker(f"overtaken-{allocations}", failure_threshold=2)
            gc.collect()
            Abandoned(breaker)
            gc.set_threshold(allocations)
            with suppress(Down, CircuitOpenError):
                breaker.call(fail)
            gc.set_threshold(700)
            gc.collect()
            # Another thread may be the one that collects.
            deadline = time.monotonic() + 30
            while not view(breaker.name).state is breaker.replica.snapshot.state is State.OPEN:
                assert time.monotonic() < deadline

    assert forked(work) == 0


def test_the_collector_may_end_a_call_while_the_agent_starts() -> None:
    def work() -> None:
        gc.freeze()
        for allocations in range(1, 150):
            agent.forget()
            breaker = get_breaker("starting", failure_threshold=1_000_000)
            gc.collect()
            Abandoned(breaker)
            gc.set_threshold(allocations)
            breaker.call(int)
            gc.set_threshold(700)

    assert forked(work) == 0


class Last:
    """Garbage with something left to do."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.itself = self

    def __del__(self) -> None:
        self.act()


def test_the_collector_may_count_in_the_midst_of_a_count_without_the_store() -> None:
    def work() -> None:
        policy = Policy(failure_threshold=1_000_000, window=3600)
        gc.freeze()
        for allocations in range(1, 150):
            store = LocalStore()

            def count(store: LocalStore = store) -> None:
                store.record("collected", policy, Tally(failed=1), epoch=0)

            count()
            gc.collect()
            Last(count)
            gc.set_threshold(allocations)
            count()
            gc.set_threshold(700)
            gc.collect()
            assert store.load("collected", policy).tally.failed == 3, allocations

    assert forked(work) == 0


def test_the_collector_may_send_a_trip_in_the_midst_of_sending_one() -> None:
    def work() -> None:
        trips: list[Future[int]] = []
        gc.freeze()
        for allocations in range(1, 150):
            gc.collect()
            Last(lambda: trips.append(submit(int)))
            gc.set_threshold(allocations)
            trips.append(submit(int))
            gc.set_threshold(700)
        gc.collect()
        assert {trip.result(20) for trip in trips} == {0}
        assert len(trips) == 2 * 149

    assert forked(work) == 0
