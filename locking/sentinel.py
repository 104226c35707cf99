"""Which server is the primary now: Sentinel knows.

https://redis.io/docs/latest/develop/reference/sentinel-clients/ ; whether the answer was true is
found out by the first write, because a replica refuses it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis
from redis import asyncio as aredis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool

from . import clock

# The longest that one silent Sentinel is waited for, in seconds.
PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Sentinels:
    service: str
    watchers: list[dict[str, Any]]

    @classmethod
    def of(cls, source: SentinelConnectionPool) -> "Sentinels":
        clients = source.sentinel_manager.sentinels
        kwargs = [client.connection_pool.connection_kwargs for client in clients]
        return cls(source.service_name, [_how_to_reach(each) for each in kwargs])

    def primary(self, timeout: float) -> dict[str, Any]:
        """Host and port. Raises MasterNotFoundError."""
        until = clock.now() + timeout
        for watcher in self._in_turn():
            patience = min(PATIENCE, until - clock.now())
            if patience <= 0:
                break
            connection = self._connection(watcher, patience)
            try:
                connection.send_command(*self._question)
                if answer := connection.read_response(disable_decoding=True):
                    return self._address(answer, watcher)
            except redis.RedisError:
                continue
            finally:
                connection.disconnect()
        raise self._unknown()

    def _connection(self, watcher: dict[str, Any], patience: float) -> Any:
        make: Any = redis.Connection
        return make(**watcher | _limits(patience), retry=Retry(NoBackoff(), 0))

    async def aprimary(self) -> dict[str, Any]:
        for watcher in self._in_turn():
            connection = aredis.Connection(**watcher | _limits(PATIENCE))
            try:
                await connection.send_command(*self._question)
                if answer := await connection.read_response(disable_decoding=True):
                    return self._address(answer, watcher)
            except redis.RedisError:
                continue
            finally:
                await connection.disconnect(nowait=True)
        raise self._unknown()

    @property
    def _question(self) -> tuple[str, ...]:
        return "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service

    def _in_turn(self) -> Iterator[dict[str, Any]]:
        return iter(list(self.watchers))

    def _address(self, answer: list[bytes], watcher: dict[str, Any]) -> dict[str, Any]:
        # Who answered is asked first the next time, before those that may be down.
        self.watchers.sort(key=lambda each: each is not watcher)
        host, port = answer
        return {"host": host.decode(), "port": int(port)}

    def _unknown(self) -> MasterNotFoundError:
        return MasterNotFoundError(f"No Sentinel knows a primary of {self.service!r}.")


def _how_to_reach(kwargs: dict[str, Any]) -> dict[str, Any]:
    wanted = {"host", "port", "username", "password"}
    return {name: value for name, value in kwargs.items() if name in wanted} | {"protocol": 2}


def _limits(seconds: float) -> dict[str, float]:
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds}
