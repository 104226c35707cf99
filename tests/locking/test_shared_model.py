"""The scripts on shares against what they are meant to do, by whatever course of events."""

from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from itertools import count

import pytest
import redis
from django_redis import get_redis_connection
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from locking import scripts
from tests.locking.test_shared_scripts import (
    ALL,
    GRANTS,
    HOLDERS,
    INDEX,
    KEYS,
    QUEUE,
    READ,
    RECORDS,
    SHARED,
    WRITE,
    Shares,
)

shares = st.sampled_from([READ, READ, WRITE, (1, 1), (1, 2), (1, 3)])
GONE, HEARD, POLLED = "gone", "heard", "polled"


@dataclass
class Token:
    """``waits``: how it would learn of its turn."""

    text: str
    share: tuple[int, int]
    waits: str
    fence: int = 0
    claimed: bool = False


class Sharing(RuleBasedStateMachine):
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.store = get_redis_connection("locks")
        self.store.flushdb()
        self.shares = Shares(self.store)
        self.numbers = count()
        self.news = self.store.pubsub(ignore_subscribe_messages=True)
        self.news.subscribe(HEARD)
        self.news.get_message(timeout=1)
        self.holding: dict[str, Token] = {}
        self.line: list[Token] = []
        self.expired: set[str] = set()
        # As many as the store remembers.
        self.released: deque[str] = deque(maxlen=8)
        self.taken: deque[str] = deque(maxlen=8)
        self.last_fence = 0

    def teardown(self) -> None:
        self.news.close()
        self.store.flushdb()

    def token(self) -> str:
        """The next one, which looks as random as tokens are."""
        return sha256(str(next(self.numbers)).encode()).hexdigest()[:32]

    # What is meant.

    def fits(self, one: Token) -> bool:
        weight, capacity = one.share
        return sum(held.share[0] for held in self.holding.values()) + weight <= capacity

    def forget_expired(self) -> None:
        for text in self.expired:
            self.holding.pop(text, None)
        self.expired.clear()

    def grant(self, one: Token, fence: int, *, claimed: bool) -> None:
        assert fence > self.last_fence
        self.last_fence = one.fence = fence
        one.claimed = claimed
        self.holding[one.text] = one

    def hand_out(self, until: Token | None = None) -> None:
        while self.line and self.line[0] is not until:
            first = self.line[0]
            if first.waits != GONE and not self.fits(first):
                return
            self.line.pop(0)
            if first.waits != GONE:
                fence = int(self.store.hget(GRANTS, first.text).split()[0])
                self.grant(first, fence, claimed=False)

    # What may happen.

    @rule(
        target=tokens,
        share=shares,
        waits=st.sampled_from([HEARD, HEARD, POLLED, GONE]),
    )
    def comes(self, share, waits):
        return Token(self.token(), share, waits)

    @rule(one=tokens, joins=st.booleans(), fair=st.booleans())
    def asks(self, one, joins, fair):
        channel = GONE if one.waits == GONE else HEARD
        enrol = 0 if not joins else 2 if one.waits == POLLED else 1
        line = f"{enrol} 60000 0 {fair:d} 1000"
        args = one.text, 60_000, 0, f"{channel} host:1:2:u ", line, *one.share
        if one.text in self.released or one.text in self.taken:
            with pytest.raises(redis.ResponseError, match="GIVENUP"):
                self.shares.run(SHARED.acquire, *args)
            self.forget_expired()
            return
        reply = self.shares.run(SHARED.acquire, *args)
        self.forget_expired()
        if one.text in self.holding:
            assert reply == one.fence
            one.claimed = True
            self.hand_out()
            return
        if fair:
            self.hand_out(one)
        if (not fair or not self.line or self.line[0] is one) and self.fits(one):
            self.line = [other for other in self.line if other is not one]
            self.grant(one, reply, claimed=True)
            self.hand_out()
            return
        assert reply[0] == 0
        if joins and one not in self.line:
            self.line.append(one)
        if joins:
            assert reply[6] == self.line.index(one)

    @rule(one=tokens)
    def releases(self, one):
        reply = self.shares.release(one.text)
        self.forget_expired()
        held = self.holding.pop(one.text, None)
        assert (reply[0] == 1) == bool(held)
        if held:
            self.released.append(one.text)
        self.hand_out()

    @rule(one=consumes(tokens), known=st.sampled_from([0, 1, 2]))
    def gives_up(self, one, known):
        self.shares.run(SHARED.abandon, one.text, known)
        self.forget_expired()
        held = self.holding.get(one.text)
        if known == 1:
            self.taken.append(one.text)
        if known != 2 or (held and not held.claimed):
            self.holding.pop(one.text, None)
            self.line = [other for other in self.line if other is not one]
        self.hand_out()

    @rule(one=tokens)
    def extends(self, one):
        reply = self.shares.run(SHARED.extend, one.text, 60_000)
        self.forget_expired()
        assert reply == (one.text in self.holding)
        self.hand_out()

    @rule(one=tokens)
    def is_forced(self, one):
        call = self.token()
        self.shares.run(SHARED.force, one.fence, call)
        self.forget_expired()
        if self.holding.pop(one.text, None):
            self.taken += [one.text, call]
        self.hand_out()

    @rule(one=tokens)
    def runs_out(self, one):
        if self.store.zadd(HOLDERS, {one.text: 1}, xx=True, ch=True):
            self.expired.add(one.text)

    @rule(one=tokens)
    def dies(self, one):
        """Its process does; a waiter that is heard from no more."""
        if record := self.store.hget(RECORDS, one.text):
            due, _, rest = record.decode().split(" ", 2)
            self.store.hset(RECORDS, one.text, f"{due} {GONE} {rest}")
            one.waits = GONE

    # What must hold.

    @invariant()
    def the_store_is_as_meant(self):
        assert {tok.decode() for tok in self.store.zrange(HOLDERS, 0, -1)} == self.holding.keys()
        assert {tok.decode() for tok in self.store.hkeys(GRANTS)} == self.holding.keys()
        assert [tok.decode() for tok in self.store.zrange(QUEUE, 0, -1)] == [
            one.text for one in self.line
        ]
        assert {tok.decode() for tok in self.store.hkeys(RECORDS)} == {
            one.text for one in self.line
        }

    @invariant()
    def a_writer_is_alone(self):
        weights = [one.share[0] for one in self.holding.values()]
        assert ALL not in weights or len(weights) == 1

    @invariant()
    def everything_runs_out_by_itself(self):
        for key in {*KEYS} - {INDEX}:
            assert self.store.pttl(key) != -1

    @invariant()
    def an_operator_sees_it(self):
        held, rows, waiting, _, _ = self.shares.run(scripts.SHARED_INSPECT, 100)
        seen = [row[0] for row in rows]
        living = [one.fence for text, one in self.holding.items() if text not in self.expired]
        assert seen == sorted(living)
        assert (held, waiting) == (len(seen), len(self.line))


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
