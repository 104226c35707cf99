"""A Redis Cluster for Django's caches, the breaker and the accounts.

What each of these keeps carries one hash tag and so lives on one node. An ordinary client serves
them, pipelines and all, if its connections know where that node is. Only locks are spread.
"""

from itertools import islice
from typing import Any

import redis
from django_redis.client import DefaultClient
from django_redis.client.default import glob_escape
from django_redis.exceptions import ConnectionInterrupted
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ClusterDownError, MovedError
from redis.retry import Retry

# Keys for one command of clear().
BATCH = 500
# Seconds for one node to tell about the others.
PATIENCE = 0.3


class NotServedHere(redis.ConnectionError):
    """The node left the command undone, because its slot is with another by now."""


class SlotConnection(redis.Connection):
    """A connection to the primary that serves ``cluster_tag``, found by way of any other node."""

    def __init__(
        self, *, cluster_tag: str, cluster_seeds: list[tuple[str, int]], **kwargs: Any
    ) -> None:
        self._slot = int(key_slot(cluster_tag.encode()))
        self._seeds = cluster_seeds
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port = self._primary()
        return super()._connect()  # type: ignore[no-untyped-call]

    def _primary(self) -> tuple[str, int]:
        for seed in list(self._seeds):
            try:
                served = self._served(*seed)
            except redis.RedisError:
                continue
            # The list is shared: it keeps finding nodes when those first configured are gone.
            self._seeds[:] = dict.fromkeys((seed, *(node for _, _, node in served), *self._seeds))
            for first, last, node in served:
                if first <= self._slot <= last:
                    return node
        raise redis.ConnectionError(f"No node serves slot {self._slot}.")

    def _served(self, host: str, port: int) -> list[tuple[int, int, tuple[str, int]]]:
        """First and last slot and primary of each range, as that node knows them."""
        node: Any = redis.Connection(  # type: ignore[no-untyped-call]
            host=host, port=port, username=self.username, password=self.password, protocol=2,
            socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        try:
            node.send_command("CLUSTER", "SLOTS")
            ranges = node.read_response(disable_decoding=True)
        finally:
            node.disconnect()
        # A node that does not know its own name means: where you found me.
        return [
            (first, last, (name.decode() if name else host, at))
            for first, last, (name, at, *_), *_ in ranges
        ]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except (MovedError, ClusterDownError) as error:
            # The client then tries once more, on a connection to the right node.
            self.disconnect()  # type: ignore[no-untyped-call]
            raise NotServedHere(f"Not on this node any more: {error}") from error


class ClusterClient(DefaultClient):  # type: ignore[misc]
    """django-redis's client, whose ``clear()`` is FLUSHDB, on a database shared with others."""

    def clear(self, client: Any = None) -> None:
        client = client or self.get_client(write=True)
        pattern = f"{glob_escape(self._backend.key_prefix)}:*"
        try:
            found = client.scan_iter(match=pattern, count=BATCH)
            while batch := list(islice(found, BATCH)):
                client.unlink(*batch)
        except redis.RedisError as error:
            raise ConnectionInterrupted(connection=client) from error
