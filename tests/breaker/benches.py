"""The two stores on a bench where time moves at will."""

from typing import Protocol

import redis

from breaker.local import LocalStore
from breaker.shared import SharedStore
from breaker.store import Store

TIMES = (b"since", b"due", b"opened_at", b"retry_at")


class Bench(Protocol):
    store: Store

    def advance(self, seconds: float) -> None: ...


class LocalBench:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000
        self.store = LocalStore(clock=lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


class SharedBench:
    """The server's clock is its own, so time passes by making what it remembers older."""

    def __init__(self, client: "redis.Redis") -> None:
        self.client = client
        self.store = SharedStore(client, namespace="bench")

    def advance(self, seconds: float) -> None:
        for key in self.client.scan_iter("cb:{bench}:circuit:*"):
            self._age_circuit(key, round(seconds * 1000))
        for key in self.client.scan_iter("cb:{bench}:leases:*"):
            for token, expiry in self.client.zrange(key, 0, -1, withscores=True):
                self.client.zadd(key, {token: expiry - seconds * 1000})

    def _age_circuit(self, key: bytes, ms: int) -> None:
        fields = self.client.hgetall(key)
        aged = {name: int(fields[name]) - ms for name in TIMES if int(fields[name])}
        if aged:
            self.client.hset(key, mapping=aged)
        buckets = {name: value.split() for name, value in fields.items() if b"bucket" in name}
        self.client.hdel(key, *buckets or ["none"])
        for number, *counts in buckets.values():
            earlier = int(number) - ms // int(fields[b"width"])
            value = b" ".join([b"%d" % earlier, *counts])
            self.client.hset(key, f"bucket{earlier % 10}", value)
