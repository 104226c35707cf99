import asyncio
import pickle
import traceback
from typing import Any

import pytest

from breaker import CircuitOpenError, Outcome, circuit_breaker, get_breaker
from breaker.control import circuits
from breaker.link import link
from breaker.policy import Policy
from breaker.registry import known
from breaker.store import View
from breaker.window import Tally


class Down(Exception):
    pass


def fail() -> None:
    raise Down("out of order")


def view(name: str) -> View:
    """The shared circuit, with what this process has counted so far."""
    get_breaker(name).replica.flush()
    return link.shared().load(name, Policy())


def open_circuit(name: str, **options: Any) -> None:
    breaker = get_breaker(name, failure_threshold=1, **options)
    with pytest.raises(Down):
        breaker.call(fail)


def test_five_failures_open_the_circuit_and_the_sixth_call_never_happens() -> None:
    calls = []

    @circuit_breaker("five")
    def call() -> None:
        calls.append(1)
        fail()

    for _ in range(5):
        with pytest.raises(Down, match="out of order"):
            call()
    with pytest.raises(CircuitOpenError) as refusal:
        call()
    assert len(calls) == 5
    assert "Down: out of order" in refusal.value.last_failure
    assert 59 < refusal.value.retry_after <= 60
    assert get_breaker("five").state == "open"


def test_a_refusal_is_a_503_that_survives_pickling_and_tells_clients_no_details() -> None:
    error = CircuitOpenError("veo", 12.5, "open", "Down: password=hunter2")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.name, copy.retry_after, copy.state) == ("veo", 12.5, "open")
    assert copy.last_failure == error.last_failure
    assert (error.status, error.code) == (503, "circuit_open")
    assert str(copy) == "The circuit 'veo' is open; retry in 12.5 s."


def test_a_bare_decorator_names_the_circuit_after_the_function() -> None:
    @circuit_breaker
    def call(left: int, *, right: int) -> int:
        """Adds."""
        return left + right

    assert call(1, right=2) == 3
    assert (call.__name__, call.__doc__) == ("call", "Adds.")
    name = f"{__name__}.test_a_bare_decorator_names_the_circuit_after_the_function.<locals>.call"
    assert view(name).tally.ok == 1


def test_a_function_may_be_given_together_with_options() -> None:
    guarded = circuit_breaker(fail, failure_threshold=1, fallback=lambda: "instead")
    with pytest.raises(Down):
        guarded()
    assert guarded() == "instead"


@pytest.mark.parametrize("thing", [5, None, dict], ids=repr)
def test_what_cannot_be_guarded_leaves_no_circuit_behind(thing: Any) -> None:
    with pytest.raises(TypeError, match="Functions and methods can be decorated"):
        circuit_breaker(thing)
    assert not known(f"{type(thing).__module__}.{type(thing).__qualname__}")
    assert not known("builtins.dict")


def test_methods_are_guarded_with_their_self() -> None:
    class Client:
        @circuit_breaker("method")
        def get(self) -> object:
            return self

        @classmethod
        @circuit_breaker("method")
        def make(cls) -> object:
            return cls

    client = Client()
    assert client.get() is client
    assert Client.make() is Client
    assert view("method").tally.ok == 2


def test_a_key_gives_each_endpoint_a_circuit() -> None:
    @circuit_breaker("partner", key=lambda host, **_: host, failure_threshold=1)
    def call(host: str, *, broken: bool = False) -> None:
        if broken:
            fail()

    with pytest.raises(Down):
        call("a", broken=True)
    with pytest.raises(CircuitOpenError, match="partner:a"):
        call("a")
    call("b")


def test_the_original_exception_passes_unchanged() -> None:
    error = Down("mine")

    def raises() -> None:
        raise error

    with pytest.raises(Down) as caught:
        get_breaker("original", failure_threshold=1).call(raises)
    assert caught.value is error
    assert error.__cause__ is error.__context__ is None
    assert traceback.extract_tb(error.__traceback__)[-1].name == "raises"


def test_names_given_to_the_guarded_function_do_not_clash_with_ours() -> None:
    def call(*, self: int, function: int, part: int = 0) -> int:
        return self + function + part

    for fallback in (None, call):
        guarded = circuit_breaker("clash", fallback=fallback, key=lambda **_: "1")(call)
        assert guarded(self=1, function=2, part=3) == 6
    open_circuit("clash:1")
    assert guarded(self=1, function=2, part=3) == 6


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_interruptions_say_nothing(error: type[BaseException]) -> None:
    def interrupted() -> None:
        raise error

    breaker = get_breaker("interrupted", failure_threshold=1)
    with pytest.raises(error):
        breaker.call(interrupted)
    assert view("interrupted").tally.calls == 0


def test_a_refusal_of_an_inner_circuit_does_not_open_the_outer() -> None:
    open_circuit("inner")
    outer = get_breaker("outer", failure_threshold=1)
    with pytest.raises(CircuitOpenError, match="inner"):
        outer.call(get_breaker("inner").call, print)
    assert outer.state == "closed"


def test_a_rule_judges_results() -> None:
    breaker = get_breaker(
        "judged",
        failure_threshold=2,
        classify=lambda end: Outcome.OK if end == "good" else Outcome.FAILURE,
    )
    assert [breaker.call(str, text) for text in ("good", "bad", "bad")] == ["good", "bad", "bad"]
    assert breaker.state == "open"


def test_retry_after_of_the_failure_lengthens_the_open_time() -> None:
    open_circuit("asked", retry_after=lambda end: 90.0)
    with pytest.raises(CircuitOpenError) as refusal:
        get_breaker("asked").allow()
    assert 89 < refusal.value.retry_after <= 90


class TestContextManager:
    def test_the_verdict_of_the_body_stands(self) -> None:
        with circuit_breaker("body") as call:
            call.fail(Down("said so"))
        with circuit_breaker("body") as call:
            call.neutral()
        with circuit_breaker("body") as call:
            call.ok()
            call.fail()
        with circuit_breaker("body"):
            pass
        assert view("body").tally == Tally(ok=2, failed=1)
        assert "said so" in view("body").last_error

    def test_an_exception_of_the_body_is_judged(self) -> None:
        with pytest.raises(Down), circuit_breaker("stern", failure_threshold=1):
            fail()
        with pytest.raises(CircuitOpenError), circuit_breaker("stern"):
            pytest.fail("the body must not run")

    def test_a_guard_is_one_use_at_a_time(self) -> None:
        guard = circuit_breaker("body")
        with guard, pytest.raises(TypeError):
            guard.__enter__()
        with guard:
            pass

    @pytest.mark.parametrize("guard", [circuit_breaker(), circuit_breaker("x", key=str)])
    def test_it_must_know_its_name(self, guard: Any) -> None:
        with pytest.raises(TypeError):
            guard.__enter__()


class TestTwoBeats:
    def test_allow_then_verdict(self) -> None:
        breaker = get_breaker("beats", failure_threshold=1)
        breaker.allow().ok()
        breaker.allow().fail(Down("no"))
        with pytest.raises(CircuitOpenError):
            breaker.allow()

    def test_a_late_failure_of_an_earlier_epoch_is_nothing(self) -> None:
        breaker = get_breaker("late", failure_threshold=1)
        late = breaker.allow()
        breaker.allow().fail()
        before = view("late")
        late.fail()
        assert view("late").epoch == before.epoch
        assert view("late").tally == before.tally


def test_status_of_a_circuit_in_use() -> None:
    open_circuit("status")
    for _ in range(3):
        with pytest.raises(CircuitOpenError):
            get_breaker("status").allow()
    get_breaker("status").replica.flush()
    (status,) = circuits()
    assert (status.name, status.state, status.source) == ("status", "open", "shared")
    assert (status.calls, status.failures, status.rejected) == (1, 1, 3)
    assert 59 < status.retry_after <= 60
    assert status.opened_at is not None
    assert "Down: out of order" in status.last_error
