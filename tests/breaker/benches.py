"""The two stores on a bench where time moves at will."""

from typing import Protocol

import redis

from breaker.local import LocalStore
from breaker.shared import SharedStore
from breaker.store import Store

TIMES = (b"since", b"due", b"opened_at", b"retry_at", b"override_until")


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
    def __init__(self, client: "redis.Redis") -> None:
        self.client = client
        self.store = SharedStore(client, namespace="bench")

    def advance(self, seconds: float) -> None:
        age(self.client, "bench", round(seconds * 1000))


def age(client: "redis.Redis", namespace: str, ms: int) -> None:
    """Let time pass for a server, whose clock is its own, by making what it keeps older."""
    for key in client.scan_iter(f"cb:{{{namespace}}}:circuit:*"):
        _age_circuit(client, key, ms)
    for kind in ("leases", "accusers"):
        for key in client.scan_iter(f"cb:{{{namespace}}}:{kind}:*"):
            for member, at in client.zrange(key, 0, -1, withscores=True):
                client.zadd(key, {member: at - ms})


def _age_circuit(client: "redis.Redis", key: bytes, ms: int) -> None:
    fields = client.hgetall(key)
    aged = {name: int(fields[name]) - ms for name in TIMES if int(fields[name])}
    if aged:
        client.hset(key, mapping=aged)
    buckets = {name: value.split() for name, value in fields.items() if b"bucket" in name}
    client.hdel(key, *buckets or ["none"])
    for number, *counts in buckets.values():
        earlier = int(number) - ms // int(fields[b"width"])
        value = b" ".join([b"%d" % earlier, *counts])
        client.hset(key, f"bucket{earlier % 10}", value)
