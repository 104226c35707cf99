"""Circuits in Redis, shared by all processes: one script per operation.

Every key of a namespace carries the same hash tag, so that a change of a circuit and its
announcement are one atomic act, also in a cluster.
"""

from collections.abc import Iterable
from contextlib import suppress
from secrets import token_hex
from typing import Any, NamedTuple

import redis

from .catalogue import Catalogue, is_misuse, names_among
from .chance import random
from .circuit import Override, State, Verb
from .classify import Outcome
from .policy import Policy
from .scripts import Argument, policy_json, run, script
from .seed import Seed
from .store import NO_REPORT, Report, View
from .window import Tally

KEYS = 5


class Version(NamedTuple):
    born: bytes | str | None
    """When the namespace came to be, so that one who knew it before its loss sees that."""
    number: int
    """Of the latest transition."""
    config: bytes | str | None
    """Another one after each change of configuration."""


class SharedStore:
    """Raises ``redis.RedisError`` when the server does not answer as it should."""

    def __init__(self, client: "redis.Redis", *, namespace: str) -> None:
        self.client = client
        tagged = f"cb:{{{namespace}}}"
        self.channel = f"{tagged}:changes"
        self.catalogue = Catalogue(client, tagged)
        self._version = self.catalogue.version
        self._circuit = f"{tagged}:circuit:"
        self._leases = f"{tagged}:leases:"
        self._accusers = f"{tagged}:accusers:"

    def load(self, name: str, policy: Policy) -> View:
        return self._run("load", name, policy)

    def load_many(self, names: Iterable[str], policy: Policy) -> list[View | None]:
        """All in one trip, None for those whose key is misused.

        A pipeline cannot fall back to EVAL, so it brings the script along.
        """
        pipeline = self.client.pipeline(transaction=False)
        pipeline.script_load(script("circuit", "load").text)
        for name in names:
            pipeline.evalsha(script("circuit", "load").digest, KEYS, *self._call(name, policy))
        _, *replies = pipeline.execute(raise_on_error=False)
        return [_view_unless_misused(reply) for reply in replies]

    def epochs(self, names: Iterable[str]) -> list[int | None]:
        """All in one trip, 0 for those it does not know, None for those whose key is misused."""
        pipeline = self.client.pipeline(transaction=False)
        for name in names:
            pipeline.hget(f"{self._circuit}{name}", "epoch")
        return [_epoch_unless_misused(reply) for reply in pipeline.execute(raise_on_error=False)]

    def record(
        self,
        name: str,
        policy: Policy,
        tally: Tally,
        *,
        epoch: int,
        host: str = "",
        rejected: int = 0,
        report: Report = NO_REPORT,
    ) -> View:
        counts = (tally.ok, tally.failed, tally.throttled, tally.slow, tally.streak, rejected)
        return self._run("record", name, policy, epoch, *counts, host, *report)

    def admit_trial(self, name: str, policy: Policy, *, epoch: int, token: str) -> View:
        return self._run("admit_trial", name, policy, epoch, token)

    def renew_trial(self, name: str, policy: Policy, *, token: str) -> View:
        return self._run("renew_trial", name, policy, token)

    def record_trial(
        self,
        name: str,
        policy: Policy,
        outcome: Outcome,
        *,
        epoch: int,
        token: str,
        report: Report = NO_REPORT,
    ) -> View:
        return self._run("record_trial", name, policy, epoch, token, outcome, *report)

    def seed(self, name: str, policy: Policy, seed: Seed) -> View:
        override = (seed.override or "", seed.override_remaining)
        past = (seed.attempt, seed.opened_at, seed.last_error, seed.reason, seed.actor)
        base = seed.epoch if seed.base is None else seed.base
        return self._run(
            "seed", name, policy, seed.epoch, seed.state, seed.remaining, *override, *past, base
        )

    def command(
        self,
        name: str,
        policy: Policy,
        verb: Verb,
        *,
        actor: str,
        reason: str,
        lasting: int = 0,
        expected_epoch: int | None = None,
    ) -> View:
        expected = "" if expected_epoch is None else expected_epoch
        return self._run("command", name, policy, expected, verb, actor, reason, lasting)

    def version(self) -> Version:
        born, number, config = self.client.hmget(self._version, "born", "number", "config")
        return Version(born, int(number or 0), config)

    def knock(self) -> None:
        """Write something that means nothing, as only a store that can be used lets us."""
        run(self.client, script("knock"), 1, self._version)

    def announce_configuration(self) -> None:
        self.client.hset(self._version, "config", token_hex(8))
        # Only a hint, which the server may refuse to pass on.
        with suppress(redis.ResponseError):
            self.client.publish(self.channel, "")

    def changed_since(self, number: int) -> list[str]:
        return names_among(self.client.zrangebyscore(self.catalogue.called, f"({number}", "+inf"))

    def erase(self, name: str) -> None:
        """Leave nothing of a circuit, as if nobody had ever used it."""
        *keys, _, names = self._keys(name)
        self.client.delete(*keys)
        self.client.zrem(names, name)

    def _keys(self, name: str) -> tuple[str, ...]:
        own = (f"{self._circuit}{name}", f"{self._leases}{name}", f"{self._accusers}{name}")
        return *own, self._version, self.catalogue.called

    def _call(self, name: str, policy: Policy, *arguments: Argument) -> tuple[Any, ...]:
        world = (name, self.channel, policy_json(policy), random())
        return *self._keys(name), *world, *arguments

    def _run(self, operation: str, name: str, policy: Policy, *arguments: Argument) -> View:
        call = self._call(name, policy, *arguments)
        return _view(run(self.client, script("circuit", operation), KEYS, *call))


def _view_unless_misused(reply: Any) -> View | None:
    if is_misuse(reply):
        return None
    if isinstance(reply, Exception):
        raise reply
    return _view(reply)


def _epoch_unless_misused(reply: Any) -> int | None:
    if is_misuse(reply):
        return None
    if isinstance(reply, Exception):
        raise reply
    return int(reply or 0)


def _view(raw: Any) -> View:
    known, state, override, override_remaining, epoch, remaining, attempt, opened_at, *rest = raw
    rejected, last_error, *counts, at, granted, moved, came_from, reason, actor, since = rest
    return View(
        known=bool(known),
        state=State(state.decode()),
        override=Override(override.decode()) if override else None,
        override_remaining=override_remaining,
        epoch=epoch,
        remaining=remaining,
        attempt=attempt,
        opened_at=opened_at,
        rejected=rejected,
        last_error=last_error.decode(),
        tally=Tally(*counts[:4]),
        totals=Tally(*counts[4:]),
        at=at,
        granted=bool(granted),
        moved=bool(moved),
        came_from=came_from.decode(),
        reason=reason.decode(),
        actor=actor.decode(),
        since=since,
        shared=True,
    )
