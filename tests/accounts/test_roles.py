"""What a user may do changes, and everything issued before is dead."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from .conftest import Call, Json

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(user: User) -> Group:
    """One that the user is in before signing in."""
    group = Group.objects.create(name="editors")
    user.groups.add(group)
    return group


@pytest.fixture
def permission(user: User) -> Permission:
    """One that the user has before signing in."""
    permission = Permission.objects.get(codename="end_loginsession")
    user.user_permissions.add(permission)
    return permission


def other() -> Group:
    return Group.objects.create(name="others")


CHANGES: dict[str, Callable[[User, Group, Permission], object]] = {
    "joined a group": lambda user, *_: user.groups.add(other()),
    "taken into a group": lambda user, *_: other().user_set.add(user),
    "left a group": lambda user, group, _: user.groups.remove(group),
    "put out of a group": lambda user, group, _: group.user_set.remove(user),
    "left all groups": lambda user, *_: user.groups.clear(),
    "group emptied": lambda _, group, __: group.user_set.clear(),
    "group deleted": lambda _, group, __: group.delete(),
    "groups deleted in bulk": lambda *_: Group.objects.all().delete(),
    "groups replaced": lambda user, *_: user.groups.set([other()]),
    "permission given": lambda user, *_: user.user_permissions.add(Permission.objects.first()),
    "permission taken": lambda user, _, permission: user.user_permissions.remove(permission),
    "permission deleted": lambda _, __, permission: permission.delete(),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_of_role_kills_both_tokens(
    user: User,
    group: Group,
    permission: Permission,
    sign_in: Callable[..., Json],
    call: Call,
    how: str,
) -> None:
    pair = sign_in()
    CHANGES[how](user, group, permission)
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"
    refreshed = call("POST", "token/refresh", {"refresh": pair["refresh"]})
    assert refreshed.json()["code"] == "token_revoked"
    assert call("GET", "me", access=sign_in()["access"]).status_code == 200


def test_a_change_in_the_admin_counts(
    user: User, group: Group, operator: User, sign_in: Callable[..., Json], call: Call
) -> None:
    pair = sign_in()
    admin = Client()
    admin.force_login(operator)
    page = admin.get(f"/admin/auth/user/{user.pk}/change/")
    form = page.context["adminform"].form
    filled = {name: form.initial.get(name) or "" for name in form.fields}
    filled |= {"groups": [], "user_permissions": [], "is_active": "on", "password": user.password}
    joined = form.initial["date_joined"]
    filled |= {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}
    answer = admin.post(f"/admin/auth/user/{user.pk}/change/", filled)
    assert answer.status_code == 302, answer.context["errors"]
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda user, group: user.groups.add(group), id="joined again"),
        pytest.param(lambda user, group: user.groups.set([group]), id="set to what they were"),
        pytest.param(
            lambda user, group: group.permissions.add(Permission.objects.first()),
            id="the group may do more",
        ),
        pytest.param(lambda user, group: other().delete(), id="another group is gone"),
    ],
)
def test_what_changes_nothing_about_the_user_ends_nothing(
    user: User,
    group: Group,
    sign_in: Callable[..., Json],
    call: Call,
    change: Callable[[User, Group], object],
) -> None:
    pair = sign_in()
    change(user, group)
    assert call("GET", "me", access=pair["access"]).status_code == 200


def test_other_members_stay_signed_in(
    user: User, group: Group, sign_in: Callable[..., Json], call: Call
) -> None:
    eve = User.objects.create_user("eve")
    pair = sign_in()
    group.user_set.add(eve)
    group.user_set.remove(eve)
    assert call("GET", "me", access=pair["access"]).status_code == 200
