from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django.fixtures import Settings

from breaker.contrib.google.conf import Service, conf


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"PROJET": "x"}, "google.E001"),
        ({"PROJECT": None}, "google.E002"),
        ({"LOCATION": "us central"}, "google.E002"),
        ({"LOCATION": 1}, "google.E002"),
        ({"SIMULATOR_PORT": 70_000}, "google.E002"),
        ({"SIMULATOR_PORT": True}, "google.E002"),
        ({"IMAGEN_MODELS": []}, "google.E002"),
        ({"VEO_MODELS": "veo"}, "google.E002"),
        ({"VERTEX_MODELS": ["a/b"]}, "google.E002"),
        ({"IMAGEN_SECONDS": 0}, "google.E002"),
        ({"HEADERS": {"X-Of": "all calls"}}, "google.E002"),
        ({"VEO_POLL_SECONDS": "60"}, "google.E002"),
        ({"VEO_POLL_SECONDS": float("inf")}, "google.E002"),
        ({"VEO_POLL_SECONDS": float("nan")}, "google.E002"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, given: Any, problem: str) -> None:
    settings.GOOGLE_AI = given
    (found,) = [check for check in run_checks() if (check.id or "").startswith("google.")]
    assert found.id == problem
    assert next(iter(given)) in found.msg


@pytest.mark.parametrize("given", [None, "PROJECT", ["PROJECT"], 5], ids=repr)
def test_a_setting_that_is_no_dict_is_told(settings: Settings, given: Any) -> None:
    settings.GOOGLE_AI = given
    (found,) = [check for check in run_checks() if (check.id or "").startswith("google.")]
    assert (found.id, found.msg) == ("google.E002", "GOOGLE_AI must be a dict.")


def test_right_settings_pass(settings: Settings) -> None:
    settings.GOOGLE_AI = {
        "PROJECT": "p", "LOCATION": "europe-west4", "SIMULATOR_PORT": 0,
        "IMAGEN_MODELS": ["imagen-4.0-generate-001"], "VERTEX_SECONDS": 5,
    }  # fmt: skip
    assert not [check for check in run_checks() if (check.id or "").startswith("google.")]


@pytest.mark.parametrize("service", Service)
def test_a_lock_may_be_held_for_longer_than_any_call_of_its_service(service: Service) -> None:
    settings = conf()
    limits = {
        Service.IMAGEN: [settings.imagen_seconds],
        Service.VEO: [settings.veo_submit_seconds, settings.veo_poll_seconds],
        Service.VERTEX: [settings.vertex_seconds],
    }
    assert settings.hold_seconds(service) > max(limits[service])
    assert settings.models(service)
