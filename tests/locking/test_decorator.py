import asyncio

import pytest

from locking import LockBusy, LockInvalid, lock, locked


def test_a_function_runs_under_a_lock_named_after_its_arguments():
    @locked("invoice:{invoice_id}:{kind}", wait=0)
    def pay(invoice_id, *, kind="full"):
        """Pays."""
        return lock(f"invoice:{invoice_id}:{kind}").try_acquire()

    assert pay(7) is None
    assert pay(invoice_id=7, kind="part") is None
    assert lock("invoice:7:full").try_acquire()
    assert (pay.__name__, pay.__doc__) == ("pay", "Pays.")


def test_a_coroutine_runs_under_a_lock_named_after_its_arguments():
    @locked("invoice:{invoice_id}", wait=0)
    async def pay(invoice_id):
        return await lock(f"invoice:{invoice_id}").atry_acquire()

    assert asyncio.run(pay(7)) is None
    assert lock("invoice:7").try_acquire()


def test_a_name_may_look_into_an_argument():
    class Invoice:
        pk = 7

        @locked("invoice:{self.pk}:{lines[0]}")
        def pay(self, lines):
            return lock(f"invoice:7:{lines[0]}").try_acquire()

    assert Invoice().pay([3]) is None


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_call_that_finds_the_lock_held_fails_or_is_skipped(colour):
    ran = []

    def call(**options):
        if colour == "sync":
            return locked("n", wait=0, **options)(lambda: ran.append(1))()

        @locked("n", wait=0, **options)
        async def work():
            ran.append(1)

        return asyncio.run(work())

    with lock("n"):
        with pytest.raises(LockBusy):
            call()
        assert call(on_busy="skip") is None
    assert not ran
    call(on_busy="skip")
    assert ran


@pytest.mark.parametrize("on_busy", ["raise", "skip"])
def test_a_busy_lock_met_within_the_function_is_never_taken_for_its_own(on_busy):
    @locked("outer", on_busy=on_busy)
    def work():
        lock("inner", wait=0).acquire()

    with lock("inner"), pytest.raises(LockBusy, match="inner"):
        work()


def generator():
    yield


async def async_generator():
    yield


@pytest.mark.parametrize(
    ("template", "function", "options", "reason"),
    [
        ("n:{x}", lambda y: y, {}, "has no argument 'x'"),
        ("n:{}", lambda y: y, {}, "has no argument ''"),
        ("n:{x.y}", lambda y: y, {}, r"has no argument 'x\.y'"),
        ("n:{x", lambda x: x, {}, "'n:{x' is no template: expected '}'"),
        ("n:}", lambda x: x, {}, "is no template"),
        (5, lambda x: x, {}, "5 is no template"),
        ("n", generator, {}, "generator"),
        ("n", async_generator, {}, "generator"),
        ("n", lambda: 1, {"on_busy": "wait"}, "on_busy must be"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_written(template, function, options, reason):
    with pytest.raises(LockInvalid, match=reason):
        locked(template, **options)(function)
