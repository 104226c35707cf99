"""Whatever is done to them, the pure circuit and its Lua twin never differ."""

from collections.abc import Callable

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breaker.circuit import Seed, State
from breaker.classify import Outcome
from breaker.policy import Policy
from breaker.store import Report, Store, View
from breaker.window import Tally
from tests.breaker.benches import LocalBench, SharedBench

Step = Callable[[Store, int], View]

policies = st.builds(
    Policy,
    failure_threshold=st.integers(1, 4),
    minimum_calls=st.integers(1, 6),
    failure_rate=st.sampled_from([None, 0.3, 0.5, 1.0]),
    window=st.just(60.0),
    open_timeout=st.sampled_from([5.0, 20.0]),
    max_open_timeout=st.sampled_from([None, 45.0]),
    backoff_factor=st.sampled_from([1.0, 1.7, 2.0]),
    half_open_permits=st.integers(1, 3),
    success_threshold=st.integers(1, 3),
)
tokens = st.sampled_from("abcd")
reports = st.builds(Report, retry_after=st.sampled_from([0, 0, 12_000]), error=st.just("Boom"))
counts = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([6, 12, 24, 48, 66])),
    st.tuples(st.just("record"), st.builds(Tally, counts, counts, counts), reports),
    st.tuples(st.just("admit"), tokens),
    st.tuples(st.just("renew"), tokens),
    st.tuples(st.just("settle"), tokens, st.sampled_from(Outcome), reports),
    st.tuples(st.just("seed"), st.sampled_from(State), st.sampled_from([0, 30_000])),
)


def act(bench: LocalBench | SharedBench, policy: Policy, step: tuple) -> View:
    store = bench.store
    epoch = store.load("x").epoch
    match step:
        case "advance", seconds:
            bench.advance(seconds)
        case "record", tally, report:
            return store.record("x", policy, tally, epoch=epoch, report=report)
        case "admit", token:
            return store.admit_trial("x", policy, epoch=epoch, token=token)
        case "renew", token:
            return store.renew_trial("x", token=token)
        case "settle", token, outcome, report:
            return store.record_trial("x", policy, outcome, epoch=epoch, token=token, report=report)
        case "seed", state, remaining:
            seed = Seed(state=state, epoch=epoch + 1, remaining=remaining, attempt=1)
            return store.seed("x", policy, seed)
    return store.load("x")


def comparable(view: View) -> tuple:
    """All but the clocks; the open time to the nearest second."""
    plain = view._replace(epoch=0, opened_at=bool(view.opened_at), at=0)
    return tuple(plain._replace(remaining=round(view.remaining / 1000)))


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(policy=policies, script=st.lists(steps, max_size=25))
def test_the_twins_agree_on_any_script(
    server: "redis.Redis", policy: Policy, script: list[tuple]
) -> None:
    server.flushall()
    twins = LocalBench(), SharedBench(server)
    skipped = 0
    for step in script:
        twins[0].now = server_ms(server) + skipped
        local, shared = (comparable(act(bench, policy, step)) for bench in twins)
        assert local == shared, step
        skipped += step[1] * 1000 if step[0] == "advance" else 0


def server_ms(server: "redis.Redis") -> int:
    seconds, micros = server.time()
    return seconds * 1000 + micros // 1000
