"""Records of health in the admin: to be read, but for silences."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from health.models import Alert, HealthTransition, Silence

PAGES = ("healthtransition", "alert", "silence")


@pytest.fixture
def pages(operator: User, client: Client) -> Client:
    client.force_login(operator)
    return client


def records() -> None:
    now = timezone.now()
    place = {"service": "cache", "component": "default"}
    HealthTransition.objects.create(before="pass", after="fail", node="web-1", at=now, **place)
    Alert.objects.create(fingerprint="x", alert="ServiceDegraded", changed_at=now, **place)


def test_lists_are_shown(pages: Client) -> None:
    records()
    for page in PAGES:
        assert pages.get(f"/admin/health/{page}/").status_code == 200


def test_facts_are_neither_added_nor_changed_nor_deleted(pages: Client) -> None:
    records()
    for page, model in (("healthtransition", HealthTransition), ("alert", Alert)):
        (row,) = model.objects.all()
        assert pages.get(f"/admin/health/{page}/add/").status_code == 403
        for verb in ("change", "delete"):
            address = f"/admin/health/{page}/{row.pk}/{verb}/"
            assert pages.post(address, {"service": "x", "post": "yes"}).status_code == 403
        assert model.objects.get().service == "cache"


def test_a_silence_carries_the_name_of_who_added_it_and_can_be_ended(pages: Client) -> None:
    until = timezone.now() + timedelta(hours=2)
    pages.post(
        "/admin/health/silence/add/",
        {
            "alert": "", "service": "cache", "reason": "it moves house",
            "expires_at_0": f"{until:%Y-%m-%d}", "expires_at_1": f"{until:%H:%M:%S}",
        },
    )  # fmt: skip
    silence = Silence.objects.get()
    assert (silence.author, silence.service, silence.reason) == (
        "operator", "cache", "it moves house",
    )  # fmt: skip
    chosen = {"action": "end", "_selected_action": [silence.pk]}
    assert pages.post("/admin/health/silence/", chosen).status_code == 302
    silence.refresh_from_db()
    assert silence.expires_at <= timezone.now()
