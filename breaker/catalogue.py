"""Which circuits there are, in Redis, and what their code says of them.

A circuit that was called is on one list until it expires. One that stands in the code of some
process is on another, called or not, and with it the options there, for processes that have other
code. Such processes say so again and again; what nobody says any more is dropped days later.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import redis

from .names import is_name
from .scripts import Argument, run, script

SAMPLE = 200
AT_ONCE = 500
"""Circuits told of in one trip."""
MOST = 20_000
"""Names in code; of more those are dropped that were told of longest ago."""
KEPT = 3 * 86_400
"""Seconds that a name in code outlives the last process that told of it."""


class Declaration(NamedTuple):
    name: str
    options: dict[str, Any] | None
    """Those of a policy; None if the code asks for the circuit by its name and says no more."""
    standing: bool
    """Whether the name stands in code; one made per call is forgotten with its circuit."""


class Catalogue:
    """Raises ``redis.RedisError`` when the server does not answer as it should."""

    def __init__(self, client: "redis.Redis", tagged: str) -> None:
        self._client = client
        self.called = f"{tagged}:names"
        """A sorted set, by the version of the last transition."""
        self.version = f"{tagged}:version"
        self._options = f"{tagged}:options"
        self._declared = f"{tagged}:declared"
        self._circuit = f"{tagged}:circuit:"

    def names(self) -> list[str]:
        """Those that were called."""
        return names_among(self._client.zrange(self.called, 0, -1))

    def lists(self) -> tuple[list[str], list[str]]:
        """Those that were called and those that stand in code, in one trip."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrange(self.called, 0, -1)
        pipeline.zrange(self._declared, 0, -1)
        called, declared = pipeline.execute(raise_on_error=False)
        return names_among(_answer(called)), names_among(_unless_misused(declared))

    def has(self, name: str) -> bool:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.exists(f"{self._circuit}{name}")
        pipeline.zscore(self._declared, name)
        called, declared = pipeline.execute(raise_on_error=False)
        return bool(_answer(called)) or _unless_misused(declared) not in (None, [])

    def tell(self, told: Iterable[Declaration]) -> bytes | str | None:
        """When the namespace came to be: of another one nothing was told."""
        rest, born = iter(told), None
        while part := list(islice(rest, AT_ONCE)):
            flat = chain.from_iterable(map(_written, part))
            keys = (self._options, self._declared, self.version)
            born = run(self._client, script("tell"), len(keys), *keys, MOST, *flat)
        return born

    def options(self, names: Sequence[str]) -> list[Any]:
        """What their code gives them, in one trip; None for those of which nobody told."""
        if not names:
            return []
        try:
            found = self._client.hmget(self._options, names)
        except redis.ResponseError as error:
            found = _unless_misused(error) or [None] * len(names)
        return [raw and _read(raw) for raw in found]

    def tidy(self) -> None:
        """Drop what has expired, until that is little of what there is."""
        while names := self._sample():
            if 4 * self.forget(names) <= len(names):
                return

    def forget(self, names: Sequence[str | bytes]) -> int:
        """Drop those whose circuit has expired, unless code has them; how many that were."""
        keys = [self._circuit.encode() + _encoded(name) for name in names]
        lists = (self.called, self._options, self._declared)
        return int(run(self._client, script("forget"), 3 + len(keys), *lists, *keys, KEPT, *names))

    def _sample(self) -> list[bytes]:
        """As they are kept, whatever they are: what is no name at all goes like an old one."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrandmember(self.called, SAMPLE)
        pipeline.hrandfield(self._options, SAMPLE)
        called, told = pipeline.execute(raise_on_error=False)
        return list({*(_answer(called) or ()), *(_unless_misused(told) or ())})


def names_among(raw: Any) -> list[str]:
    """Without what no circuit is called, whoever wrote it there."""
    return [name for one in raw if (name := _name(one))]


def is_misuse(reply: object) -> bool:
    return isinstance(reply, redis.ResponseError) and "WRONGTYPE" in str(reply)


def _name(raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return ""
    return name if is_name(name) else ""


def _written(told: Declaration) -> tuple[Argument, ...]:
    options = "" if told.options is None else json.dumps(told.options, sort_keys=True)
    return told.name, options, int(told.standing)


def _read(raw: bytes | str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _encoded(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name


def _answer(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise reply
    return reply


def _unless_misused(reply: Any) -> Any:
    """Nothing where others keep something else: it is of use, and circuits do without it."""
    return [] if is_misuse(reply) else _answer(reply)
