"""What each script on shares promises, asked of a real server without the library around it."""

import secrets
import time

import pytest
import redis

from locking import names, scripts
from locking.names import Kind

KEYS = names.share_keys("lock", Kind.RW, "n")
HOLDERS, QUEUE, RECORDS, MEMORY, GRANTS, INDEX = KEYS
SHARED = scripts.protocol(KEYS)
ALL = 2**31
READ, WRITE = (1, ALL), (ALL, ALL)


def permit(of: int) -> tuple[int, int]:
    return 1, of


class Shares:
    """Tokens that ask for shares of one name; the shorter ways to write what tests do."""

    def __init__(self, store: redis.Redis) -> None:
        self.store = store

    def run(self, script, *args):
        return self.store.eval(script.source, len(KEYS), *KEYS, *args)

    def ask(
        self, share, tok=None, *, lease=30_000, enrol=0, life=15_000, fair=1, most=100, ticket=0,
        floor=0, actor="host:1:2:u", meta="",
    ):  # fmt: skip
        tok = tok or token()
        line = f"{enrol} {life} {ticket} {fair} {most}"
        args = tok, lease, floor, f"chan {actor} {meta}", line, *share
        reply = self.run(SHARED.acquire, *args)
        return [1, reply] if isinstance(reply, int) else reply

    def take(self, share, **options) -> str:
        tok = token()
        assert self.ask(share, tok, **options)[0] == 1
        return tok

    def join(self, share, *, enrol=1, **options) -> str:
        tok = token()
        assert self.ask(share, tok, enrol=enrol, **options)[0] == 0
        return tok

    def release(self, tok):
        answer = self.run(SHARED.release, tok, 0)
        return [answer & 3, answer >> 2]

    @property
    def holders(self) -> list[str]:
        return [tok.decode() for tok in self.store.zrange(HOLDERS, 0, -1)]

    @property
    def queue(self) -> list[str]:
        return [tok.decode() for tok in self.store.zrange(QUEUE, 0, -1)]


def token() -> str:
    return secrets.token_hex(16)


@pytest.fixture
def shares(store):
    return Shares(store)


@pytest.fixture
def news(store):
    """What the process of these waiters hears."""
    with store.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("chan")
        pubsub.get_message(timeout=1)

        def heard():
            message = pubsub.get_message(timeout=1)
            return message and message["data"].decode()

        yield heard


def test_readers_share_and_a_writer_shares_with_nobody(shares):
    readers = [shares.take(READ) for _ in range(3)]
    assert shares.ask(WRITE)[0] == 0
    for reader in readers:
        assert shares.release(reader) == [1, 0]
    shares.take(WRITE)
    assert shares.ask(WRITE)[0] == shares.ask(READ)[0] == 0


def test_a_semaphore_has_so_many_permits(shares):
    tokens = [shares.take(permit(3)) for _ in range(3)]
    assert shares.ask(permit(3))[0] == 0
    shares.release(tokens[1])
    shares.take(permit(3))
    assert shares.ask(permit(3))[0] == 0


def test_each_caller_goes_by_its_own_number_of_permits(shares):
    shares.take(permit(1))
    shares.take(permit(2))
    assert shares.ask(permit(2))[0] == 0
    shares.take(permit(3))


def test_fences_rise_over_all_holders_and_claims_keep_theirs(shares, news):
    fences = [shares.ask(READ)[1] for _ in range(5)]
    assert fences == sorted(set(fences))
    assert shares.ask(READ, floor=fences[-1] + 10**12)[1] == fences[-1] + 10**12 + 1


def test_asking_again_with_the_same_token_repeats_the_grant_with_its_full_time(shares, store):
    tok = token()
    first = shares.ask(READ, tok, lease=1000)
    assert shares.ask(READ, tok, lease=30_000) == first
    assert store.zscore(HOLDERS, tok) / 1e6 > time.time() + 29
    assert store.zcard(HOLDERS) == 1


def test_who_has_to_wait_is_told_what_must_end_first(shares):
    shares.take(permit(2), lease=30_000, actor="host:1:2:long")
    _, fence = shares.ask(permit(2), lease=9_000, actor="host:1:2:short", meta='{"a": "b c"}')
    busy, ttl, held, age, actor, meta, *place = shares.ask(permit(2))
    assert (busy, held, actor, meta) == (0, fence, b"host:1:2:short", b'{"a": "b c"}')
    assert 8_000 < ttl <= 9_000
    assert 0 <= age < 1e6
    assert place == [-1, 0]


def test_a_writer_has_to_wait_for_the_last_reader(shares):
    shares.take(READ, lease=30_000)
    shares.take(READ, lease=9_000)
    assert 29_000 < shares.ask(WRITE)[1] <= 30_000


def test_who_waits_behind_a_writer_waits_as_long_as_it(shares, news):
    shares.take(READ, lease=9_000)
    shares.join(WRITE)
    assert 8_000 < shares.ask(READ)[1] <= 9_000


def test_a_reader_that_comes_behind_a_waiting_writer_queues(shares, news):
    first = shares.take(READ)
    writer = shares.join(WRITE)
    reader = shares.join(READ)
    assert shares.queue == [writer, reader]
    shares.release(first)
    assert shares.holders == [writer]
    shares.release(writer)
    assert shares.holders == [reader]


def test_who_need_not_be_fair_goes_past_the_line_if_there_is_room(shares, news):
    shares.take(READ)
    shares.join(WRITE)
    shares.take(READ, fair=0)
    assert shares.ask(WRITE, fair=0)[0] == 0


def test_all_leading_readers_are_granted_together_and_told(shares, store, news):
    writer = shares.take(WRITE)
    first, second = shares.join(READ), shares.join(READ)
    other = shares.join(WRITE)
    last = shares.join(READ)
    assert shares.release(writer) == [1, 0]
    assert sorted(shares.holders) == sorted([first, second])
    assert shares.queue == [other, last]
    assert [news(), news(), news()] == [f"g {first} 0 {HOLDERS}", f"g {second} 0 {HOLDERS}", None]
    fences = [int(store.hget(GRANTS, tok).split()[0]) for tok in (first, second)]
    assert fences[0] < fences[1]
    assert [shares.ask(READ, tok, enrol=1) for tok in (first, second)] == [[1, f] for f in fences]
    assert int(store.hget(MEMORY, "n")) == 3


def test_a_batch_of_readers_of_any_size_is_granted_in_several_calls(shares, news):
    writer = shares.take(WRITE)
    readers = [shares.join(READ) for _ in range(100)]
    assert shares.release(writer) == [1, 1]
    assert len(shares.holders) == 64
    assert shares.release(writer) == [2, 0]
    assert sorted(shares.holders) == sorted(readers)


def test_a_waiter_may_claim_what_it_was_handed_for_a_while_only(shares, store, news):
    writer = shares.take(WRITE)
    reader = shares.join(READ, meta='{"a": "b c"}')
    shares.release(writer)
    assert store.zscore(HOLDERS, reader) / 1e6 - time.time() < 3.01
    granted, fence = shares.ask(READ, reader)
    assert store.zscore(HOLDERS, reader) / 1e6 - time.time() > 29
    words = store.hget(GRANTS, reader).decode().split(" ", 7)
    assert (granted, fence, words[4], words[7]) == (1, int(words[0]), "held", '{"a": "b c"}')


def test_a_waiter_whose_process_is_gone_is_skipped_at_once(shares, store):
    writer = shares.take(WRITE)
    shares.join(READ)
    shares.release(writer)
    assert not store.exists(HOLDERS, QUEUE, RECORDS, GRANTS)


def test_a_dead_waiter_keeps_nobody_out_while_it_would_not_fit_anyway(shares):
    shares.take(READ)
    shares.join(WRITE)
    shares.take(READ)
    assert shares.queue == []


def test_a_writer_that_polls_is_believed_to_live_while_its_record_is_young(shares):
    first = shares.take(READ)
    writer = shares.join(WRITE, enrol=2)
    assert shares.ask(READ)[0] == 0
    shares.release(first)
    assert shares.holders == [writer]


@pytest.mark.race
def test_a_waiter_who_has_not_asked_for_long_is_skipped(shares, news):
    writer = shares.take(WRITE)
    shares.join(WRITE, life=20)
    alive = shares.join(READ)
    time.sleep(0.03)
    shares.release(writer)
    assert shares.holders == [alive]


@pytest.mark.race
@pytest.mark.parametrize("share", [READ, WRITE], ids=["read", "write"])
def test_the_first_in_line_takes_room_that_expiry_made_without_news(shares, store, news, share):
    shares.take(WRITE, lease=20)
    first = shares.join(share)
    time.sleep(0.03)
    assert shares.ask(share, first, enrol=1)[0] == 1
    assert store.hget(GRANTS, first).split()[4] == b"held"
    assert int(store.hget(MEMORY, "n")) == 2
    assert news() is None


@pytest.mark.race
@pytest.mark.parametrize("who", ["asks", "extends", "releases", "abandons"])
def test_room_that_expiry_made_is_handed_out_by_whoever_calls(shares, news, who):
    staying = shares.take(permit(2))
    shares.take(permit(2), lease=20)
    waiter = shares.join(permit(2))
    time.sleep(0.03)
    match who:
        case "asks":
            assert shares.ask(permit(2))[0] == 0
        case "extends":
            shares.run(SHARED.extend, staying, 30_000)
        case "releases":
            shares.release(token())
        case "abandons":
            shares.run(SHARED.abandon, token(), 0)
    assert sorted(shares.holders) == sorted([staying, waiter])


def test_thousands_of_shares_may_expire_at_once(shares, store):
    grant = store.hget(GRANTS, shares.take(READ, lease=30_000))
    tokens = [token() for _ in range(2_500)]
    store.zadd(HOLDERS, dict.fromkeys(tokens, 1))
    store.hset(GRANTS, mapping=dict.fromkeys(tokens, grant))
    assert [shares.ask(WRITE)[0] for _ in range(3)] == [0, 0, 0]
    assert store.zcard(HOLDERS) == store.hlen(GRANTS) == 1


def test_a_share_is_extended_but_never_shortened_nor_made_again(shares, store):
    tok = shares.take(READ, lease=30_000)
    assert shares.run(SHARED.extend, tok, 60_000) == 1
    assert shares.run(SHARED.extend, tok, 5_000) == 1
    assert store.zscore(HOLDERS, tok) / 1e6 > time.time() + 59
    shares.release(tok)
    assert shares.run(SHARED.extend, tok, 60_000) == 0
    assert not store.exists(HOLDERS, GRANTS)


def test_a_release_may_be_repeated_and_is_nobody_elses(shares):
    tok = shares.take(READ)
    assert shares.release(token()) == [0, 0]
    assert shares.release(tok) == [1, 0]
    assert shares.release(tok) == [2, 0]


@pytest.mark.parametrize("farewell", ["abandon", "release"])
def test_an_ask_that_comes_after_its_farewell_is_refused(shares, store, farewell):
    tok = token()
    if farewell == "release":
        shares.ask(READ, tok)
        shares.release(tok)
    else:
        shares.run(SHARED.abandon, tok, 1)
    with pytest.raises(redis.ResponseError, match="GIVENUP"):
        shares.ask(READ, tok)
    with pytest.raises(redis.ResponseError, match="GIVENUP"):
        shares.ask(READ, tok, enrol=1)
    assert not store.exists(HOLDERS, QUEUE)


def test_who_gives_up_lets_those_behind_it_go(shares, news):
    first = shares.take(READ)
    writer, reader = shares.join(WRITE), shares.join(READ)
    shares.run(SHARED.abandon, writer, 0)
    assert sorted(shares.holders) == sorted([first, reader])
    assert shares.queue == []


def test_declining_passes_on_only_what_was_not_claimed(shares, news):
    writer = shares.take(WRITE)
    first, second = shares.join(WRITE), shares.join(WRITE)
    shares.release(writer)
    shares.run(SHARED.abandon, first, 2)
    assert shares.holders == [second]
    shares.ask(WRITE, second)
    shares.run(SHARED.abandon, second, 2)
    assert shares.holders == [second]


def test_only_so_many_may_wait(shares, news):
    shares.take(WRITE)
    shares.join(READ, most=1)
    assert shares.ask(READ, enrol=1, most=1) == [-1]


def test_a_ticket_of_old_keeps_its_place(shares, store, news):
    shares.take(WRITE)
    early = token()
    ticket = shares.ask(READ, early, enrol=1)[7]
    shares.join(READ)
    store.zrem(QUEUE, early)
    assert shares.ask(READ, early, enrol=1, ticket=ticket)[6:] == [0, ticket]


def test_the_one_that_is_meant_is_taken_and_told(shares, store, news):
    _, fence = shares.ask(READ, victim := token())
    other = shares.take(READ)
    writer = shares.join(WRITE)
    call = token()
    assert shares.run(SHARED.force, fence + 10**9, token()) == [0, 0]
    assert shares.run(SHARED.force, fence, call) == [1, 0]
    assert news() == f"x {victim} 0 {HOLDERS}"
    assert (shares.holders, shares.queue) == ([other], [writer])
    assert shares.run(SHARED.force, fence, call) == [2, 0]
    assert shares.run(SHARED.extend, victim, 9_000) == 0
    with pytest.raises(redis.ResponseError, match="GIVENUP"):
        shares.ask(READ, victim)
    assert int(store.hget(MEMORY, "v")) == 1


def test_an_operator_sees_holders_and_waiters(shares, news):
    _, fence = shares.ask(permit(2), meta='{"a": "b c"}')
    shares.take(permit(2))
    shares.join(permit(2), actor="host:9:9:w")
    held, rows, waiting, line, counters = shares.run(scripts.SHARED_INSPECT, 10)
    assert (held, len(rows), waiting, counters) == (2, 2, 1, [2, 1, 0])
    assert rows[0][0] == fence
    assert 29_000 < rows[0][1] <= 30_000
    assert rows[0][3:] == [b"held", b"host:1:2:u", b'{"a": "b c"}', 1, 2]
    assert line[0][1:] == [b"host:9:9:w", 1]
    assert [len(shares.run(scripts.SHARED_INSPECT, 1)[1]), len(line)] == [1, 1]


def test_the_index_lists_a_name_while_anybody_holds_it(shares, store):
    long = shares.take(READ, lease=30_000)
    short = shares.take(READ, lease=9_000)
    assert store.zrange(INDEX, 0, -1) == [HOLDERS.encode()]
    shares.release(long)
    assert store.zscore(INDEX, HOLDERS) == store.zscore(HOLDERS, short)
    shares.release(short)
    assert store.zcard(INDEX) == 0


def test_a_waiter_waits_for_all_who_must_go(shares, news):
    fences = [shares.ask(READ, actor=f"host:1:2:{unit}")[1] for unit in "ab"]
    writer, reader = shares.join(WRITE), shares.join(READ)
    found = [shares.run(SHARED.holders, tok) for tok in (writer, reader)]
    assert [reply[1:] for reply in found] == [
        [fences[0], b"host:1:2:a", fences[1], b"host:1:2:b"]
    ] * 2
    assert found[0][0] == store_ticket(shares, writer)
    assert shares.run(SHARED.holders, token()) == [0]


def test_who_waits_for_any_of_several_permits_waits_for_nobody_in_particular(shares, news):
    shares.take(permit(2))
    shares.take(permit(2))
    assert len(shares.run(SHARED.holders, shares.join(permit(2)))) == 1


def store_ticket(shares: Shares, tok: str) -> int:
    return int(shares.store.zscore(QUEUE, tok))


def test_everything_kept_expires(shares, store, news):
    tok = shares.take(READ)
    shares.join(WRITE)
    shares.run(SHARED.abandon, token(), 1)
    assert all(store.pttl(key) > 0 for key in store.keys("lock:{*"))
    store.delete(MEMORY)
    shares.release(tok)
    assert store.pttl(MEMORY) > 0


def test_the_shortest_does_not_cut_short_what_others_need(shares, store, news):
    shares.take(READ, lease=30_000)
    shares.take(READ, lease=100)
    shares.join(WRITE, life=15_000)
    shares.join(WRITE, enrol=2, life=100)
    assert all(store.pttl(key) > 29_000 for key in (HOLDERS, GRANTS))
    assert all(store.pttl(key) > 14_000 for key in (QUEUE, RECORDS))


def test_a_full_server_still_takes_shares_back(own_valkey):
    store = redis.Redis(unix_socket_path=str(own_valkey.socket))
    shares = Shares(store)
    tok = shares.take(READ)
    store.config_set("maxmemory", 1)
    with pytest.raises(redis.OutOfMemoryError):
        shares.ask(READ)
    assert shares.release(tok) == [1, 0]
    assert not store.exists(HOLDERS, GRANTS)


def test_without_the_index_all_keys_of_a_call_lie_in_one_slot(store):
    own, tok = KEYS[:5], token()
    args = tok, 9000, 0, "chan host:1:2:u ", "0 9000 0 1 9", *READ
    assert store.eval(SHARED.acquire.source, 5, *own, *args) > 1
    assert store.eval(SHARED.extend.source, 5, *own, tok, 9000) == 1
    assert store.eval(scripts.SHARED_INSPECT.source, 5, *own, 1)[0] == 1
    assert store.eval(SHARED.release.source, 5, *own, tok, 0) == 1
    assert store.eval(SHARED.abandon.source, 5, *own, tok, 1) == 1
    assert store.eval(SHARED.force.source, 5, *own, 1, token()) == [0, 0]
