"""Real threads, each on a connection of its own, against one invariant."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIRequestFactory

from accounts import control, credentials, epochs, errors, rotation, sessions, signing_keys
from accounts.models import LoginSession, Refresh, SigningKey
from accounts.owners import owner
from accounts.sessions import TokenPair
from accounts.tokens import AccessToken, read
from accounts.views import RefreshView
from tests.servers import wait_until

from .conftest import PASSWORD

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("wide_overlap"),
]

THREADS = 20


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run all at once; the results in order."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        connection.ensure_connection()
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(lambda work: in_own_connection(lambda: run(work)), works))


def in_own_connection(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def alive(pair: TokenPair) -> bool:
    return owner(read(AccessToken, pair.access)) is not None


def outcome(token: str) -> TokenPair | str:
    try:
        return rotation.rotate(token)
    except errors.AccountsError as error:
        return error.code


def test_of_twenty_parallel_refreshes_over_http_one_wins_and_the_family_lives(user: User) -> None:
    pair = sessions.start(user)
    view = RefreshView.as_view()

    def refresh() -> Any:
        return view(APIRequestFactory().post("/", {"refresh": pair.refresh}, format="json"))

    answers = together(*[refresh] * THREADS)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: THREADS - 1}
    assert {answer.headers.get("Retry-After") for answer in answers} == {None, "1"}
    (won,) = (answer for answer in answers if answer.status_code == 200)
    assert alive(sessions.TokenPair(**won.data))
    assert isinstance(outcome(won.data["refresh"]), TokenPair)


def test_ten_rounds_of_parallel_refreshes_leave_one_line_of_successors(user: User) -> None:
    pair = sessions.start(user)
    for _ in range(10):
        results = together(*[lambda token=pair.refresh: outcome(token)] * 8)
        won = [result for result in results if isinstance(result, TokenPair)]
        assert len(won) == 1, results
        pair = won[0]
    assert Refresh.objects.count() == 11
    assert Refresh.objects.filter(used_at=None).count() == 1
    assert alive(pair)


def test_a_refresh_that_races_with_a_revocation_leaves_nothing_alive(user: User) -> None:
    for _ in range(30):
        pair = sessions.start(user)
        chosen = LoginSession.objects.filter(pk=pair.session)
        result, _ = together(
            lambda token=pair.refresh: outcome(token),
            lambda chosen=chosen: sessions.end(chosen, reason="race"),
        )
        survivors = [pair, result] if isinstance(result, TokenPair) else [pair]
        assert not any(alive(each) for each in survivors)
        assert {outcome(each.refresh) for each in survivors} == {"token_revoked"}


def test_a_login_that_races_with_a_change_of_password_is_dead_or_refused(user: User) -> None:
    for number in range(10):
        checked = User.objects.get(pk=user.pk)

        def login(checked: User = checked) -> TokenPair | None:
            try:
                return sessions.start(checked)
            except errors.InvalidCredentials:
                return None

        def change(number: int = number) -> None:
            changed = User.objects.get(pk=user.pk)
            changed.set_password(f"battery staple {number}")
            changed.save()

        pair, _ = together(login, change)
        assert pair is None or not alive(pair)


def test_a_change_of_the_user_waits_for_a_login_under_way(user: User) -> None:
    sessions.start(user)
    changed = User.objects.get(pk=user.pk)
    changed.set_password("another battery staple")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            pair = sessions.start(user)
            change = pool.submit(in_own_connection, changed.save)
            assert not wait([change], timeout=0.2).done
        change.result(timeout=30)
    assert not alive(pair)


def test_a_change_during_the_very_first_login_is_seen_although_it_cannot_wait(user: User) -> None:
    changed = User.objects.get(pk=user.pk)
    changed.set_password("another battery staple")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            pair = sessions.start(user)
            change = pool.submit(in_own_connection, changed.save)
            wait([change], timeout=0.2)
        change.result(timeout=30)
    assert not alive(pair)


def test_of_two_changes_of_a_password_that_race_one_is_done(user: User) -> None:
    current = PASSWORD
    for number in range(10):
        session = LoginSession.objects.get(pk=sessions.start(User.objects.get()).session)

        def change(new: str, session: LoginSession = session, current: str = current) -> str | None:
            request = APIRequestFactory().post("/")
            try:
                credentials.change_password(request, session=session, current=current, new=new)
            except errors.InvalidCredentials:
                return None
            return new

        results = together(
            lambda number=number: change(f"left battery {number}"),
            lambda number=number: change(f"right battery {number}"),
        )
        (current,) = (result for result in results if result)
        assert User.objects.get().check_password(current)


def test_parallel_logins_and_revocations_never_deadlock(user: User) -> None:
    works: list[Callable[[], Any]] = [
        lambda: sessions.start(user),
        lambda: control.revoke(user, reason="race"),
        lambda: sessions.end(sessions.of(user), reason="race"),
    ]
    together(*works * 5)
    control.revoke(user, reason="race")
    assert not LoginSession.objects.filter(revoked_at=None).exists()


def waits() -> bool:
    """Whether somebody waits for a lock in the database. On SQLite all writers wait for one."""
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        (waiting,) = cursor.fetchone()
    return bool(waiting)


def test_a_change_in_the_admin_and_one_by_the_user_never_deadlock(user: User) -> None:
    session = LoginSession.objects.get(pk=sessions.start(user).session)

    def change() -> str:
        request = APIRequestFactory().post("/")
        new = "another battery staple"
        try:
            credentials.change_password(request, session=session, current=PASSWORD, new=new)
        except (errors.InvalidCredentials, errors.TokenRevoked):
            return "too late"
        return "changed"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            changed = User.objects.select_for_update().get(pk=user.pk)
            change_by_user = pool.submit(in_own_connection, change)
            wait_until(waits)
            changed.is_staff = True
            changed.save()
        assert change_by_user.result(timeout=60) in ("changed", "too late")
    assert User.objects.get().is_staff


def test_a_deletion_of_the_user_waits_for_a_login_under_way(user: User) -> None:
    sessions.start(user)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            epochs.hold(user)
            deletion = pool.submit(in_own_connection, user.delete)
            wait_until(waits)
            sessions.end(sessions.of(user), reason="race")
        deletion.result(timeout=60)
    assert not LoginSession.objects.exists()


def test_a_user_is_deleted_whatever_they_are_just_doing(db: None) -> None:
    def refused(work: Callable[[], Any]) -> str | None:
        try:
            work()
        except (errors.InvalidCredentials, errors.TokenRevoked) as error:
            return error.code
        return None

    for number in range(10):
        user = User.objects.create(username=f"leaver-{number}")
        pair = sessions.start(user)

        def make_key(user: User = user) -> Any:
            return signing_keys.issue(user, name="late", now=timezone.now())

        together(
            User.objects.get(pk=user.pk).delete,
            lambda user=user: refused(lambda: sessions.start(user)),
            lambda make_key=make_key: refused(make_key),
            lambda make_key=make_key: refused(make_key),
            lambda pair=pair: outcome(pair.refresh),
        )
        for left in (User, LoginSession, Refresh, SigningKey):
            assert not left.objects.exists()  # type: ignore[attr-defined]
        assert refused(make_key) == "token_revoked"


def test_a_rotation_of_a_key_waits_for_the_deletion_of_its_owner(user: User) -> None:
    signing_keys.issue(user, name="ci", now=timezone.now())
    key = SigningKey.objects.select_related("owner").get()

    def rotate() -> str:
        try:
            signing_keys.rotate(key, overlap=timedelta(0), now=timezone.now())
        except (errors.TokenRevoked, errors.NotRotatable):
            return "too late"
        return "rotated"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            epochs.hold(user)
            rotation_of_key = pool.submit(in_own_connection, rotate)
            wait_until(waits)
            user.delete()
        assert rotation_of_key.result(timeout=60) == "too late"
    assert not SigningKey.objects.exists()
