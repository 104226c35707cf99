import asyncio
import signal
import subprocess
import sys
import threading
import time

import pytest
from asgiref.sync import sync_to_async
from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import connection, transaction

from locking import LockBusy, LockInAtomic, LockInvalid, StaleFence, lock, locked_atomic
from locking.fencing import claim
from locking.models import Fence
from tests.locking.rows import Errand, Job, Owner

HOLDER = "lock:{n}:l"


@pytest.fixture
def jobs(transactional_db):
    with connection.schema_editor() as editor:
        editor.create_model(Owner)
        editor.create_model(Job)
    yield Job.objects
    with connection.schema_editor() as editor:
        editor.delete_model(Job)
        editor.delete_model(Owner)


def two_leases():
    """A stale one, and the one that came after it."""
    stale = lock("n").acquire()
    stale.release()
    return stale, lock("n").acquire()


def test_a_holder_writes_and_the_row_remembers_its_fence(jobs):
    job = jobs.create()
    with lock("n") as lease:
        job.state, job.note = "done", "by me"
        job.save_fenced(lease)
        job.save_fenced(lease)
    stored = jobs.get()
    assert (stored.state, stored.note) == ("done", "by me")
    assert stored.fence == job.fence == lease.fence


def test_a_stale_holder_writes_nothing(jobs):
    stale, lease = two_leases()
    job = jobs.create()
    late = jobs.get()
    job.state = "done"
    job.save_fenced(lease)
    late.state = "overwritten"
    with pytest.raises(StaleFence, match="newer holder") as caught:
        late.save_fenced(stale)
    assert (caught.value.fence, caught.value.stored) == (stale.fence, lease.fence)
    assert jobs.get().state == "done"
    assert late.fence == 0


def test_a_stale_holder_writes_nothing_from_a_task_either(jobs):
    stale, lease = two_leases()
    job = jobs.create()

    async def main():
        await job.asave_fenced(lease)
        with pytest.raises(StaleFence):
            await job.asave_fenced(stale, update_fields=["state"])
        # The thread behind it has a connection of its own.
        await sync_to_async(lambda: connection.close())()

    asyncio.run(main())
    assert jobs.get().fence == lease.fence


def test_only_the_fields_asked_for_are_written(jobs):
    job = jobs.create()
    owner = Owner.objects.create()
    job.state, job.note, job.owner = "done", "unsaved", owner
    with lock("n") as lease:
        job.save_fenced(lease, update_fields=["state", "owner_id"])
    stored = jobs.get()
    assert (stored.state, stored.note, stored.owner_id) == ("done", "", owner.pk)


def test_a_field_that_does_not_exist_is_refused(jobs):
    job = jobs.create()
    with lock("n") as lease, pytest.raises(FieldDoesNotExist, match="stat"):
        job.save_fenced(lease, update_fields=["stat"])


def test_fields_that_keep_time_are_kept(jobs):
    job = jobs.create()
    before = job.changed
    with lock("n") as lease:
        job.save_fenced(lease)
    assert jobs.get().changed > before


def test_a_new_row_is_inserted_with_its_fence(jobs):
    with lock("n") as lease:
        job = Job(state="made")
        job.save_fenced(lease)
    assert jobs.get().fence == job.fence == lease.fence


def test_a_row_that_is_gone_is_not_a_stale_fence(jobs):
    job = jobs.create()
    jobs.all().delete()
    with lock("n") as lease, pytest.raises(ObjectDoesNotExist):
        job.save_fenced(lease)


def test_a_holder_who_lost_a_race_of_clocks_gets_past_the_fence_with_its_floor(jobs):
    job = jobs.create(fence=2**52)
    with lock("n") as lease, pytest.raises(StaleFence) as caught:
        job.save_fenced(lease)
    with lock("n", floor=caught.value.stored) as lease:
        job.save_fenced(lease)
    assert jobs.get().fence == 2**52 + 1


def test_a_row_read_before_lowers_no_fence(jobs):
    """Nor do all the other ways to save it."""
    stale, lease = two_leases()
    jobs.create()
    page, partly, other, rough = (
        jobs.get(),
        jobs.only("fence", "note").get(),
        jobs.get(),
        jobs.get(),
    )
    rough.pk, rough._state.adding = jobs.get().pk, True
    jobs.get().save_fenced(lease)
    for row in (page, partly, rough):
        row.note = "ordinary"
        row.save()
        assert jobs.values_list("fence", "note").get() == (lease.fence, "ordinary")
    other.state = "half"
    other.save(update_fields=["fence", "state"])
    other.save(update_fields=["fence"])
    asyncio.run(in_a_task(other.asave))
    page.save(force_update=True)
    page.save_base(raw=True)
    jobs.update_or_create(pk=page.pk, defaults={"note": "by key", "fence": 0})
    with pytest.raises(StaleFence):
        other.save_fenced(stale)
    assert jobs.values_list("fence", "note").get() == (lease.fence, "by key")


async def in_a_task(act):
    await act()
    # The thread behind it has a connection of its own.
    await sync_to_async(lambda: connection.close())()


def test_a_new_row_may_begin_with_a_fence(jobs):
    jobs.create(fence=5)
    jobs.get_or_create(note="found", defaults={"fence": 6})
    jobs.update_or_create(note="made", create_defaults={"note": "made", "fence": 7})
    Job(pk=100, fence=8).save()
    Job(fence=9).save(force_insert=True)
    assert [*jobs.order_by("fence").values_list("fence", flat=True)] == [5, 6, 7, 8, 9]


def test_rows_are_given_no_fence_by_hand(jobs):
    job = jobs.create(fence=5)
    job.fence, job.note = 0, "new"
    with pytest.raises(LockInvalid, match="save_fenced"):
        jobs.update(fence=0, note="new")
    with pytest.raises(LockInvalid, match="save_fenced"):
        jobs.bulk_update([job], ["fence", "note"])
    jobs.filter(pk=job.pk).update(note="some")
    jobs.bulk_update([job], ["note"])
    jobs.bulk_create([Job(fence=6)])
    assert {*jobs.values_list("fence", "note")} == {(5, "new"), (6, "")}


def test_what_is_no_lease_is_told_so(jobs):
    job = jobs.create()
    for lease in (None, lock("n")):
        with pytest.raises(LockInvalid, match="lease of a lock that is held, not"):
            job.save_fenced(lease)
        with pytest.raises(LockInvalid, match="lease of a lock that is held, not"):
            Job().save_fenced(lease)


def test_a_row_of_two_tables_keeps_its_fence_too(jobs):
    stale, lease = two_leases()
    with connection.schema_editor() as editor:
        editor.create_model(Errand)
    try:
        page = Errand.objects.create(place="here")
        Errand.objects.get().save_fenced(lease)
        page.place, page.note = "there", "ordinary"
        page.save()
        stored = Errand.objects.get()
        assert (stored.fence, stored.place, stored.note) == (lease.fence, "there", "ordinary")
        with pytest.raises(StaleFence):
            page.save_fenced(stale)
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Errand)


def test_a_form_of_the_admin_changes_a_row_and_not_its_fence(jobs, rf):
    lease = lock("n").acquire()
    page = jobs.create()
    jobs.get().save_fenced(lease)
    admin = ModelAdmin(Job, AdminSite())
    typed = {"owner": Owner.objects.create().pk, "state": "done", "note": "by form"}
    form = admin.get_form(rf.post("/"))(typed, instance=page)
    assert form.is_valid()
    admin.save_model(rf.post("/"), form.save(commit=False), form, change=True)
    assert jobs.values_list("fence", "note").get() == (lease.fence, "by form")


def test_work_is_committed_under_the_fence_and_then_the_lock_is_free(transactional_db):
    with locked_atomic("n") as lease:
        assert connection.in_atomic_block
        assert lock("n", in_atomic=True).try_acquire() is None
    assert Fence.objects.get().fence == lease.fence
    assert str(Fence.objects.get()) == f"n: {lease.fence}"
    assert lock("n").try_acquire()


def test_work_that_fails_is_rolled_back_and_then_the_lock_is_free(jobs):
    with pytest.raises(KeyError), locked_atomic("n"):
        jobs.create()
        raise KeyError
    assert not jobs.exists()
    assert not Fence.objects.exists()
    assert lock("n").try_acquire()


def test_the_lock_is_free_only_after_the_commit(jobs):
    order = []
    with locked_atomic("n"):
        transaction.on_commit(lambda: order.append(lock("n").try_acquire()))
    assert order == [None]


def test_a_transaction_of_a_stale_holder_does_not_begin(transactional_db):
    Fence.objects.create(name="n", fence=2**52)
    with pytest.raises(StaleFence) as caught, locked_atomic("n"):
        pytest.fail("the block ran")
    assert caught.value.stored == 2**52
    assert lock("n").try_acquire()
    with locked_atomic("m", floor=2**52) as lease:
        assert lease.fence == 2**52 + 1


def test_committed_work_stands_although_the_lease_ended_before(store, jobs, caplog):
    with locked_atomic("n"):
        jobs.create()
        store.delete(HOLDER)
    assert jobs.count() == 1
    assert "LockRevoked" in caplog.text


def test_inside_a_transaction_it_is_an_error_and_locks_nothing(transactional_db, store):
    with transaction.atomic(), pytest.raises(LockInAtomic), locked_atomic("n"):
        pytest.fail("the block ran")
    assert not store.exists(HOLDER)


def test_inside_a_test_that_wraps_itself_in_a_transaction_it_works(db):
    with locked_atomic("n") as lease:
        pass
    assert Fence.objects.get().fence == lease.fence


def test_busy_means_that_no_transaction_begins(transactional_db):
    with lock("n"), pytest.raises(LockBusy), locked_atomic("n", wait=0):
        pytest.fail("the block ran")


def in_thread(work):
    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.race
def test_two_who_claim_a_new_fence_at_once_come_one_after_the_other(jobs):
    # The first has lost its lease meanwhile; the second waits for its COMMIT all the same.
    stale, lease = two_leases()
    claimed, order = threading.Event(), []

    def first():
        with transaction.atomic():
            claim(stale)
            claimed.set()
            time.sleep(0.2)
            order.append("first")

    def second():
        claimed.wait(5)
        with transaction.atomic():
            claim(lease)
            order.append("second")

    threads = [in_thread(first), in_thread(second)]
    for thread in threads:
        thread.join()
    assert order == ["first", "second"]
    assert Fence.objects.get().fence == lease.fence


@pytest.mark.race
def test_a_stale_holder_who_claims_a_new_fence_at_once_is_refused_after_the_newer_commits(jobs):
    stale, lease = two_leases()
    claimed, outcome = threading.Event(), []

    def newer():
        with transaction.atomic():
            claim(lease)
            claimed.set()
            time.sleep(0.2)

    def older():
        claimed.wait(5)
        try:
            with transaction.atomic():
                claim(stale)
        except StaleFence as error:
            outcome.append(error.stored)

    threads = [in_thread(newer), in_thread(older)]
    for thread in threads:
        thread.join()
    assert outcome == [lease.fence]


WORKER = """
import sys, time, django
django.setup()
from locking import LockLost, StaleFence, lock
from tests.locking.rows import Job
job = Job.objects.get()
lease = lock("n", lease=0.3).acquire()
print("held", flush=True)
sys.stdin.readline()
job.state = "stale"
try:
    job.save_fenced(lease)
except StaleFence:
    print("refused", flush=True)
try:
    lease.release()
except LockLost:
    print("lost", flush=True)
"""


@pytest.mark.race
def test_a_process_stopped_beyond_its_lease_cannot_write(jobs, process_env):
    job = jobs.create()
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=process_env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout.readline() == "held\n"
    worker.send_signal(signal.SIGSTOP)
    with lock("n", wait=30) as lease:
        job.state = "mine"
        job.save_fenced(lease)
    worker.send_signal(signal.SIGCONT)
    out, _ = worker.communicate("go\n", timeout=60)
    assert out.split() == ["refused", "lost"]
    assert jobs.get().state == "mine"


@pytest.mark.race
def test_threads_that_count_under_locked_atomic_lose_no_count(jobs):
    job = jobs.create(note="0")

    def work():
        for _ in range(10):
            with locked_atomic("n", wait=30):
                current = jobs.get(pk=job.pk)
                current.note = str(int(current.note) + 1)
                current.save()

    threads = [in_thread(work) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert jobs.get().note == "40"
