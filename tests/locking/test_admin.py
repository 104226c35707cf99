from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from locking import control, lock, semaphore
from locking.models import Fence, ForcedRelease
from locking.names import Kind
from tests.servers import Valkey

from .conftest import Use
from .test_control import enrol, micros

LIST = "/admin/locking/heldlock/"
LOCK = "/admin/locking/heldlock/lock/"


@pytest.fixture
def staff(db: None) -> User:
    user = User.objects.create_user("ada", password="correct horse battery", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_heldlock"))
    return user


@pytest.fixture
def staff_client(staff: User, client: Client) -> Client:
    client.force_login(staff)
    return client


def test_fences_can_be_read_and_not_changed(admin_client: Client) -> None:
    Fence.objects.create(name="render:42", fence=7)
    listed = admin_client.get("/admin/locking/fence/")
    assert b"render:42" in listed.content
    assert b"Add fence" not in listed.content
    shown = admin_client.get("/admin/locking/fence/render_3A42/change/")
    assert shown.status_code == 200
    assert b'name="_save"' not in shown.content
    assert admin_client.post("/admin/locking/fence/render_3A42/delete/").status_code == 403


def test_records_of_forced_releases_can_be_read_and_not_changed(admin_client: Client) -> None:
    lease = lock("render").acquire()
    record = control.force_release("render", fence=lease.fence, actor="ada", reason="it hangs")
    assert b"it hangs" in admin_client.get("/admin/locking/forcedrelease/?q=render").content
    page = f"/admin/locking/forcedrelease/{record.pk}"
    assert b'name="_save"' not in admin_client.get(f"{page}/change/").content
    assert admin_client.post(f"{page}/delete/").status_code == 403
    assert admin_client.get("/admin/locking/forcedrelease/add/").status_code == 403


def test_the_index_leads_to_the_locks_held(admin_client: Client) -> None:
    assert f'href="{LIST}"' in admin_client.get("/admin/").content.decode()


def test_locks_held_are_listed_as_the_store_has_them(admin_client: Client, store: Any) -> None:
    lease = lock("<b>render</b>", meta={"job": "<i>1</i>"}).acquire()
    lock("quiet", lease=20).acquire()
    enrol(store, "<b>render</b>", "f" * 32, ticket=micros(store) - 90e6, due=micros(store) + 9e6)
    page = admin_client.get(LIST).content.decode()
    assert "&lt;b&gt;render&lt;/b&gt;" in page
    assert "job=&lt;i&gt;1&lt;/i&gt;" in page
    assert "1m30s" in page
    assert page.index("quiet") < page.index("render")
    assert lease.token not in page


def test_an_empty_list_says_so(admin_client: Client) -> None:
    assert b"No lock is held." in admin_client.get(LIST).content


def test_a_long_list_has_pages(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locking.admin.PAGE", 1)
    for n, name in enumerate(("one", "two")):
        lock(name, lease=20 + n).acquire()
    first = admin_client.get(LIST)
    following = first.context["page"].following
    assert f'href="?cursor={following}"' in first.content.decode()
    second = admin_client.get(LIST, {"cursor": following})
    assert [row.name for row in second.context["page"].rows] == ["two"]
    assert admin_client.get(LIST, {"cursor": "x"}).status_code == 302


def test_one_lock_is_shown_with_its_line(staff_client: Client, store: Any) -> None:
    lock("render", meta={"job": 1}).acquire()
    enrol(store, "render", "f" * 32, ticket=micros(store) - 90e6, due=micros(store) + 9e6)
    page = staff_client.get(LOCK, {"name": "render"}).content.decode()
    assert "1 waiting" in page
    assert "web:7" in page
    assert "Take it away" not in page
    assert staff_client.get(LOCK, {"name": ""}).status_code == 302
    assert staff_client.get(LOCK, {"name": "never"}).status_code == 200


def test_a_lock_is_taken_from_its_holder_with_a_reason(admin_client: Client) -> None:
    lease = lock("render:1").acquire()
    url = f"{LOCK}?name=render:1"
    assert str(lease.fence) in admin_client.get(url).content.decode()
    refused = admin_client.post(url, {"fence": lease.fence, "reason": " "})
    assert b"This field is required." in refused.content
    assert ForcedRelease.objects.count() == 0
    done = admin_client.post(url, {"fence": lease.fence, "reason": "it hangs"}, follow=True)
    assert done.redirect_chain == [(LIST, 302)]
    assert "was taken from its holder" in done.content.decode()
    record = ForcedRelease.objects.get()
    assert (record.actor, record.reason, record.outcome) == ("admin", "it hangs", "released")
    assert LogEntry.objects.get().object_id == str(record.pk)


@pytest.mark.parametrize("fence", ["abc", "0", "9" * 23, "9" * 5000, ""])
def test_a_fence_that_cannot_be_is_refused_in_words(admin_client: Client, fence: str) -> None:
    lease = lock("render").acquire()
    for url in (f"{LOCK}?name=render", f"{LOCK}?name=free"):
        asked = admin_client.post(url, {"fence": fence, "reason": "it hangs"}, follow=True)
        assert asked.status_code == 200
        page = asked.content.decode()
        assert 'class="error' in page
        assert "fence" in page.lower()
    assert ForcedRelease.objects.count() == 0
    lease.check()


def test_of_several_holders_the_one_chosen_is_meant(admin_client: Client) -> None:
    pool = semaphore("pool", 2)
    first, second = pool.acquire(), pool.acquire()
    assert "and 1 more" in admin_client.get(LIST).content.decode()
    url = f"{LOCK}?name=pool&kind=sem"
    page = admin_client.get(f"{url}&fence={second.fence}").content.decode()
    assert f"under fence {second.fence} loses" in page
    admin_client.post(url, {"fence": second.fence, "reason": "it hangs"})
    assert control.detail("pool", kind=Kind.SEMAPHORE).holder.fence == first.fence
    assert admin_client.get(f"{LOCK}?name=pool&kind=x").status_code == 302


def test_a_click_on_an_old_page_hurts_nobody(admin_client: Client) -> None:
    before = lock("render").acquire()
    before.release()
    after = lock("render").acquire()
    order = {"fence": before.fence, "reason": "it hangs"}
    done = admin_client.post(f"{LOCK}?name=render", order, follow=True)
    assert "is not held under that fence" in done.content.decode()
    assert LogEntry.objects.count() == 0
    after.release()


def test_who_may_only_look_can_take_nothing(staff_client: Client) -> None:
    lease = lock("render").acquire()
    order = {"fence": lease.fence, "reason": "it hangs"}
    assert staff_client.post(f"{LOCK}?name=render", order).status_code == 403
    lease.release()


def test_who_may_not_look_is_shown_nothing(staff: User, staff_client: Client) -> None:
    staff.user_permissions.clear()
    for url in (LIST, f"{LOCK}?name=render"):
        assert staff_client.get(url).status_code == 403


@pytest.mark.parametrize("url", [LIST, f"{LOCK}?name=render"])
def test_a_store_that_is_down_is_said_to_be(
    admin_client: Client, own_valkey: Valkey, use: Use, url: str
) -> None:
    use(own_valkey.url)
    own_valkey.stop()
    response = admin_client.get(url)
    assert response.status_code == 503
    assert b"does not answer" in response.content
