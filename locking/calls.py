"""The words that a step sends, and what the replies to them mean.

This is the one place that knows redis-py's errors; they become ``LockUnavailable``.
"""

from functools import lru_cache
from typing import Any

import redis
from redis.exceptions import (
    AskError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)

from . import refusals
from .durability import Confirm
from .errors import (
    Asked,
    ConnectionBroken,
    LockKeyMisused,
    LockUnavailable,
    Moved,
    ScriptMissing,
    TryAgain,
)
from .scripts import Script
from .steps import Run, Settle
from .wires import pack

ASKING, SURVEY = pack(("ASKING",)), pack(("CLUSTER", "SLOTS"))


def translated(error: Exception) -> LockUnavailable:
    match error:
        case NoScriptError():
            return ScriptMissing()
        case TimeoutError() | redis.TimeoutError():
            return LockUnavailable()
        case OSError():
            return ConnectionBroken()
        case redis.ConnectionError() | ReadOnlyError():
            # A replica means that the primary is another server by now.
            return ConnectionBroken(refusal=_refusal(error))
        case MovedError():
            return Moved(error.node_addr)
        case AskError():
            return Asked(error.node_addr)
        case TryAgainError():
            return TryAgain()
        case redis.ResponseError():
            word = _word(error)
            kind = LockKeyMisused if word == "WRONGTYPE" else LockUnavailable
            return kind(refusal=word)
        case _:
            return LockUnavailable()


def _refusal(error: redis.RedisError) -> str:
    """Nothing if the server said nothing. The client for tasks wraps what it said to a greeting."""
    said = error.__cause__ if isinstance(error.__cause__, redis.RedisError) else error
    return _word(said) if said.status_code else ""


def _word(error: redis.RedisError) -> str:
    # The client takes those that it knows off the text.
    return refusals.word(f"{error.status_code} {error}")


def packed(step: Run | Settle, *, whole: bool) -> bytes:
    args = pack(step.args)
    head = (_whole_head if whole else _head)(step.script, step.keys, len(step.args))
    # Without its first line, which counts the words of what would be a command of its own.
    return head + args[args.index(b"\n") + 1 :]


@lru_cache(4096)
def _head(script: Script, keys: tuple[str, ...], args: int) -> bytes:
    """All before the arguments, which is the same each time for one lock."""
    return _begun("EVALSHA", script.sha, keys, args)


def _whole_head(script: Script, keys: tuple[str, ...], args: int) -> bytes:
    """Seldom said, and far too long to be kept for each lock."""
    return _begun("EVAL", script.source, keys, args)


def _begun(verb: str, text: str, keys: tuple[str, ...], args: int) -> bytes:
    words = pack((verb, text, len(keys), *keys))
    return b"*%d%b" % (3 + len(keys) + args, words[words.index(b"\r") :])


def calls(step: Run, *, asking: bool) -> list[bytes]:
    made = [packed(step, whole=step.whole)]
    if asking:
        made.insert(0, ASKING)
    if step.confirm:
        made.append(pack(step.confirm.words))
    return made


def answer(replies: list[Any], confirm: Confirm | None) -> Any:
    """The last reply; before a confirmation, whose errors are an answer too, both of them."""
    for reply in replies[:-1] if confirm else replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies[-2:] if confirm else replies[-1]


def reply_or_failure(reply: Any) -> Any:
    return translated(reply) if isinstance(reply, redis.RedisError) else reply
