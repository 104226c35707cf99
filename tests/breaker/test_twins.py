"""Whatever is done to them, the pure circuit and its Lua twin never differ."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from breaker.circuit import Override, State, Verb
from breaker.classify import Outcome
from breaker.policy import Policy
from breaker.seed import Seed
from breaker.store import NO_REPORT, Report, Store, View
from breaker.window import Tally
from tests.breaker.benches import LocalBench, SharedBench

Step = Callable[[Store, int], View]


def policy_of(*, consecutive: bool, failure_rate: float | None, **rest: Any) -> Policy:
    rate = None if consecutive else failure_rate
    return Policy(consecutive=consecutive, failure_rate=rate, **rest)


policies = st.builds(
    policy_of,
    consecutive=st.booleans(),
    failure_threshold=st.integers(1, 4),
    minimum_calls=st.integers(1, 6),
    failure_rate=st.sampled_from([None, 0.3, 0.5, 1.0]),
    window=st.just(60.0),
    open_timeout=st.sampled_from([5.0, 20.0]),
    max_open_timeout=st.sampled_from([None, 45.0]),
    backoff_factor=st.sampled_from([1.0, 1.7, 2.0]),
    jitter=st.just(0),
    slow_rate=st.sampled_from([0.3, 1.0]),
    trip_quorum=st.integers(1, 2),
    half_open_permits=st.integers(1, 3),
    success_threshold=st.integers(1, 3),
)
tokens = st.sampled_from("abcd")
reports = st.builds(Report, retry_after=st.sampled_from([0, 0, 12_000]), error=st.just("Boom"))
counts = st.integers(0, 3)
hosts = st.sampled_from(["one", "two"])
windows = st.sampled_from([60.0, 60.0, 30.0])


def tally_of(ok: int, failed: int, throttled: int, slow: int) -> Tally:
    return Tally(ok, failed, throttled, slow, streak=failed + throttled)


steps = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([6, 12, 24, 48, 66])),
    st.tuples(
        st.just("record"),
        st.builds(tally_of, counts, counts, counts, counts),
        hosts,
        reports,
        windows,
    ),
    st.tuples(st.just("admit"), tokens),
    st.tuples(st.just("renew"), tokens),
    st.tuples(st.just("settle"), tokens, st.sampled_from(Outcome), reports),
    st.tuples(
        st.just("seed"),
        st.sampled_from(State),
        st.sampled_from([0, 30_000]),
        st.sampled_from([None, *Override]),
        st.sampled_from([0, 20_000]),
    ),
    st.tuples(st.just("command"), st.sampled_from(Verb), st.sampled_from([0, 9_000])),
)


def act(bench: LocalBench | SharedBench, policy: Policy, step: tuple) -> View:
    store = bench.store
    epoch = store.load("x", policy).epoch
    match step:
        case "advance", seconds:
            bench.advance(seconds)
        case "record", tally, host, report, window:
            policy = replace(policy, window=window)
            return store.record("x", policy, tally, epoch=epoch, host=host, report=report)
        case "admit", token:
            return store.admit_trial("x", policy, epoch=epoch, token=token)
        case "renew", token:
            return store.renew_trial("x", policy, token=token)
        case "settle", token, outcome, report:
            return store.record_trial("x", policy, outcome, epoch=epoch, token=token, report=report)
        case "seed", state, remaining, override, lasts:
            seed = Seed(
                state=state,
                epoch=epoch + 1,
                remaining=remaining,
                override=override,
                override_remaining=lasts if override else 0,
                attempt=1,
            )
            return store.seed("x", policy, seed)
        case "command", verb, lasting:
            return store.command("x", policy, verb, actor="ann", reason="why", lasting=lasting)
    return store.load("x", policy)


def comparable(view: View) -> tuple:
    """All but the clocks; the open time to the nearest second."""
    plain = view._replace(
        epoch=0,
        shared=False,
        opened_at=bool(view.opened_at),
        at=0,
        since=bool(view.since),
        remaining=round(view.remaining / 1000),
        override_remaining=round(view.override_remaining / 1000),
    )
    return (*plain, plain.tally.calls)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(policy=policies, script=st.lists(steps, max_size=25))
@example(
    policy=Policy(consecutive=True, failure_threshold=2),
    script=[("record", Tally(failed=1, streak=1), "one", NO_REPORT, 60.0)] * 2,
)
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
