"""What is said of a store that refuses: its code word and our own sentence, nothing of its text."""

import asyncio
import pickle
from collections.abc import Callable

import pytest
import redis

from locking import LockError, LockKeyMisused, LockUnavailable, lock, refusals, semaphore
from locking.calls import translated
from locking.errors import ConnectionBroken, Moved
from tests.locking.conftest import Use
from tests.servers import Valkey

both = pytest.mark.parametrize("colour", ["sync", "async"])


def refused(colour: str, wanted=None) -> LockUnavailable:
    wanted = wanted or lock("secret-name", wait=0)
    with pytest.raises(LockUnavailable) as caught:
        wanted.acquire() if colour == "sync" else asyncio.run(wanted.aacquire())
    assert "secret" not in str(caught.value)
    assert (caught.value.status, caught.value.code) == (503, "lock_unavailable")
    return caught.value


def said(colour: str) -> str:
    return str(refused(colour))


@both
@pytest.mark.parametrize("wanted", [lock, lambda name, **more: semaphore(name, 2, **more)])
def test_a_key_of_another_type_is_told_as_such(store: redis.Redis, colour, wanted):
    for key in ("lock:{secret-name}:l", "lock:{secret-name}:sem:h"):
        store.lpush(key, "something else")
    error = refused(colour, wanted("secret-name", wait=0))
    assert type(error) is LockKeyMisused
    assert error.refusal == "WRONGTYPE"
    assert (
        str(error) == "The lock store refused: a key of the lock holds something else (WRONGTYPE)."
    )


def full(server: Valkey) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "1")


def without_replicas(server: Valkey) -> None:
    server.ask("CONFIG", "SET", "min-replicas-to-write", "1")


def replica(server: Valkey) -> None:
    server.ask("REPLICAOF", "127.0.0.1", "1")


def stale_replica(server: Valkey) -> None:
    replica(server)
    server.ask("CONFIG", "SET", "replica-serve-stale-data", "no")


def locked_up(server: Valkey) -> None:
    server.ask("ACL", "SETUSER", "default", "-evalsha", "-eval")


def without_hashes(server: Valkey) -> None:
    server.ask("ACL", "SETUSER", "default", "-hset", "-hget", "-hmget")


def with_password(server: Valkey) -> None:
    server.ask("CONFIG", "SET", "requirepass", "secret")


@both
@pytest.mark.parametrize(
    ("troubled", "expected"),
    [
        (full, "The lock store refused: it is full (OOM)."),
        (without_replicas, "The lock store refused: it has too few replicas (NOREPLICAS)."),
        (replica, "The lock store refused: it is a read-only replica (READONLY)."),
        (stale_replica, "The lock store refused: it has lost its primary (MASTERDOWN)."),
        (locked_up, "The lock store refused: its user may not do this (NOPERM)."),
        (without_hashes, "The lock store refused: its user may not do this (NOPERM)."),
        (with_password, "The lock store refused: it wants a password (NOAUTH)."),
    ],
)
def test_a_refusal_says_of_what_kind_it_is(
    own_valkey: Valkey, use: Use, colour, troubled: Callable[[Valkey], None], expected
):
    use(own_valkey.url)
    troubled(own_valkey)
    assert said(colour) == expected


@both
def test_a_wrong_password_is_told_as_such(own_valkey: Valkey, use: Use, colour):
    use(own_valkey.url.replace("unix://", "unix://someone:secret@"))
    assert said(colour) == "The lock store refused: it wants another user or password (WRONGPASS)."


@both
def test_a_server_that_is_gone_is_not_called_a_refusal(own_valkey: Valkey, use: Use, colour):
    use(own_valkey.url)
    own_valkey.stop()
    error = refused(colour)
    assert error.refusal == ""
    assert str(error) == "The lock store does not answer: there is no connection to it."


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        (
            "ERR Error running script (call to f_1): @user_script:9: WRONGTYPE Operation",
            "WRONGTYPE",
        ),
        ("ERR Error running script (call to f_1): @user_script:9: -OOM command", "OOM"),
        ("MISCONF Valkey is configured to save snapshots", "MISCONF"),
        ("BUSY Valkey is busy running a script.", "BUSY"),
        ("GIVENUP this token was released or abandoned before", "GIVENUP"),
        ("LOADING Valkey is loading the dataset in memory", "LOADING"),
        ("CLUSTERDOWN Hash slot not served", "CLUSTERDOWN"),
        ("ERR max number of clients reached", "MAXCLIENTS"),
        ("NOPERM user MISCONF has no permissions", "NOPERM"),
        ("ERR user_script:1: attempt to index a secret value", "ERR"),
        ("NEWS of tomorrow, and a secret", "ERR"),
    ],
)
def test_only_a_known_word_is_taken_from_what_a_server_says(said, word):
    assert refusals.word(said) == word
    assert str(LockUnavailable("secret", refusal=word)).endswith(f" ({word}).")


def test_what_redis_py_makes_of_a_refusal_keeps_its_kind():
    kinds = {
        redis.ReadOnlyError("You can't write.", status_code="READONLY"): ConnectionBroken,
        redis.AuthenticationError("invalid", status_code="WRONGPASS"): ConnectionBroken,
        redis.ConnectionError("Connection closed"): ConnectionBroken,
        ConnectionResetError(): ConnectionBroken,
        redis.TimeoutError(): LockUnavailable,
        redis.exceptions.MovedError("1 127.0.0.1:7000"): Moved,
        redis.exceptions.InvalidResponse("?"): LockUnavailable,
        redis.ResponseError("WRONGTYPE Operation"): LockKeyMisused,
        redis.exceptions.OutOfMemoryError("full", status_code="OOM"): LockUnavailable,
    }
    assert [type(translated(error)) for error in kinds] == list(kinds.values())
    assert str(translated(redis.TimeoutError())) == "The lock store does not answer."


def test_a_refusal_survives_the_way_to_another_process():
    error: LockError = pickle.loads(pickle.dumps(LockUnavailable("n", refusal="OOM")))
    assert (error.name, str(error)) == ("n", "The lock store refused: it is full (OOM).")
