import time
from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from breaker.contrib.google.conf import conf
from breaker.contrib.google.models import Generation
from locking import lock
from tests.conftest import signed_in
from tests.product import until

from .conftest import Remote, limited

pytestmark = pytest.mark.django_db

URL = "/api/v1/generations"
IMAGE = {"service": "imagen", "prompt": "a lighthouse"}
TEXT = {"service": "vertex", "prompt": "write a haiku"}
FILM = {"service": "veo", "prompt": "waves"}


def post(api: APIClient, body: Any, key: str = "k") -> Any:
    return api.post(URL, body, format="json", headers={"Idempotency-Key": key})


def is_problem(response: Any, status: int, code: str) -> bool:
    return (
        response.status_code == status
        and response.headers["Content-Type"] == "application/problem+json"
        and response.json()["code"] == code
    )


def test_a_picture_is_made_stored_and_served(api: APIClient, remote: Remote) -> None:
    response = post(api, {**IMAGE, "parameters": {"count": 2, "aspect_ratio": "16:9"}})
    assert response.status_code == 201
    assert "Idempotent-Replay" not in response.headers
    made = response.json()
    assert made["status"] == "succeeded"
    assert made["model"] == conf().imagen_models[0]
    assert [(r["n"], r["media_type"]) for r in made["results"]] == [
        (0, "image/png"),
        (1, "image/png"),
    ]
    assert api.get(response.headers["Location"]).json() == made
    content = api.get(made["results"][1]["url"])
    assert content.headers["Content-Type"] == "image/png"
    assert content.headers["Content-Disposition"].startswith("inline")
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in content.headers["Cache-Control"]
    data = b"".join(content.streaming_content)
    assert data.startswith(b"\x89PNG") and len(data) == made["results"][1]["size"]


def test_a_gemini_model_makes_pictures_too(api: APIClient, remote: Remote) -> None:
    made = post(api, {**IMAGE, "model": conf().imagen_models[2]}).json()
    assert [r["media_type"] for r in made["results"]] == ["image/png"]


def test_text_comes_in_the_reply(api: APIClient, remote: Remote) -> None:
    made = post(api, {**TEXT, "parameters": {"temperature": 0.5}}).json()
    assert "13 characters" in made["text"]
    assert made["results"] == []


@pytest.mark.parametrize("body", [IMAGE, TEXT], ids=["imagen", "vertex"])
def test_the_same_key_is_answered_from_memory(api: APIClient, remote: Remote, body: Any) -> None:
    first, second = post(api, body), post(api, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["Idempotent-Replay"] == "true"
    assert second.json() == first.json()
    assert remote.counts[body["service"]] == 1


def test_the_same_key_for_another_order_is_refused(api: APIClient, remote: Remote) -> None:
    post(api, IMAGE)
    assert is_problem(post(api, {**IMAGE, "prompt": "x"}), 422, "idempotency_key_reused")
    assert remote.counts["imagen"] == 1


def test_users_do_not_share_keys_or_see_each_other(
    api: APIClient, remote: Remote, db: None
) -> None:
    other = signed_in(User.objects.create_user("eve", password="correct horse battery"))
    mine, hers = post(api, IMAGE).json(), post(other, IMAGE).json()
    assert mine["id"] != hers["id"]
    for url in (f"{URL}/{mine['id']}", mine["results"][0]["url"]):
        assert is_problem(other.get(url), 404, "not_found")
    assert [g["id"] for g in other.get(URL).json()["results"]] == [hers["id"]]


def test_nobody_gets_in_without_a_token(remote: Remote) -> None:
    assert post(APIClient(), IMAGE).status_code == 401
    assert APIClient().get(URL).status_code == 401


FAULTS = [
    pytest.param({"status": 503, "retry_after": 7}, 503, "upstream_error", "7", id="unavailable"),
    pytest.param({"status": 429}, 503, "upstream_throttled", "5", id="throttled"),
    pytest.param({"status": 500}, 502, "upstream_error", None, id="broken"),
    pytest.param({"status": 400}, 502, "upstream_error", None, id="refused"),
    pytest.param({"malformed": True}, 502, "upstream_error", None, id="malformed"),
    pytest.param({"hang": True}, 504, "upstream_timeout", None, id="hang"),
    pytest.param({"drip": 0.05}, 504, "upstream_timeout", None, id="drip"),
]


@pytest.mark.parametrize("body", [IMAGE, TEXT], ids=["imagen", "vertex"])
@pytest.mark.parametrize(("knobs", "status", "code", "retry_after"), FAULTS)
def test_a_failure_is_told_and_the_same_key_tries_again(
    api: APIClient, remote: Remote, body: Any,
    knobs: Any, status: int, code: str, retry_after: str | None,
) -> None:  # fmt: skip
    remote.fault(body["service"], times=1, **knobs)
    started = time.monotonic()
    with limited(0.7, when=status == 504):
        response = post(api, body)
    assert time.monotonic() - started < 10
    assert is_problem(response, status, code)
    assert response.headers.get("Retry-After") == retry_after
    assert body["prompt"] not in response.content.decode()
    (failed,) = api.get(URL).json()["results"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", code)
    lease = lock(f"generation:{failed['id']}").try_acquire()
    assert lease
    lease.release()
    again = post(api, body)
    assert (again.status_code, again.json()["status"]) == (201, "succeeded")
    assert again.json()["error"] is None
    assert remote.counts[body["service"]] == 2


@pytest.mark.parametrize("body", [IMAGE, TEXT], ids=["imagen", "vertex"])
def test_withheld_content_is_a_finished_generation(
    api: APIClient, remote: Remote, body: Any
) -> None:
    remote.fault(body["service"], times=1, blocked=True)
    response = post(api, body)
    assert response.status_code == 201
    assert response.json()["status"] == "blocked"
    assert response.json()["error"]["code"] == "content_blocked"
    assert post(api, body).status_code == 200
    assert remote.counts[body["service"]] == 1


BAD = [
    pytest.param({**IMAGE, "service": "dalle"}, "service", id="service"),
    pytest.param({**IMAGE, "model": "imagen-0"}, "model", id="model"),
    pytest.param({**IMAGE, "prompt": ""}, "prompt", id="empty prompt"),
    pytest.param({**IMAGE, "prompt": "a" * 100_000}, "prompt", id="100 kB prompt"),
    pytest.param({**IMAGE, "extra": 1}, "extra", id="unknown field"),
    pytest.param({**IMAGE, "parameters": {"n": 1}}, "parameters.n", id="unknown parameter"),
    pytest.param({**FILM, "parameters": {"seed": -1}}, "parameters.seed", id="range"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "field"), BAD)
def test_bad_input_is_named_and_goes_nowhere(
    api: APIClient, remote: Remote, body: Any, field: str
) -> None:
    response = post(api, body)
    assert is_problem(response, 400, "invalid")
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert not Generation.objects.exists()
    assert sum(remote.counts.values()) == 0


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "idempotency_key_missing"),
        ({"Idempotency-Key": ""}, "idempotency_key_missing"),
        ({"Idempotency-Key": "a" * 201}, "invalid"),
        ({"Idempotency-Key": "a b"}, "invalid"),
        ({"Idempotency-Key": "é"}, "invalid"),
    ],
)
def test_an_order_needs_a_proper_key(
    api: APIClient, remote: Remote, headers: dict[str, str], code: str
) -> None:
    assert is_problem(api.post(URL, IMAGE, format="json", headers=headers), 400, code)
    assert not Generation.objects.exists()


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[{}]", "application/json", 400),
        ("service=imagen", "text/plain", 415),
    ],
)
def test_anything_but_json_is_refused(
    api: APIClient, remote: Remote, data: str, content_type: str, status: int
) -> None:
    response = api.post(URL, data, content_type=content_type, headers={"Idempotency-Key": "k"})
    assert response.status_code == status
    assert not Generation.objects.exists()


def test_a_film_is_submitted_once_and_polled_to_its_end(api: APIClient, remote: Remote) -> None:
    response = post(api, FILM)
    assert response.status_code == 202
    assert response.json()["status"] == "running"
    film = api.get(response.headers["Location"]).json()
    assert film["status"] == "succeeded"
    assert [r["media_type"] for r in film["results"]] == ["video/mp4"]
    again = post(api, FILM)
    assert (again.status_code, again.json()) == (200, film)
    assert (remote.counts["veo_submit"], remote.counts["veo_poll"]) == (1, 1)


def test_a_film_in_the_making_is_polled_once_a_second(api: APIClient, remote: Remote) -> None:
    url = post(api, FILM).headers["Location"]
    remote.fault("veo_poll", status=500)
    begun = time.monotonic()
    assert [api.get(url).json()["status"] for _ in range(3)] == ["running"] * 3
    assert 1 <= remote.counts["veo_poll"] <= 1 + int(time.monotonic() - begun)
    assert post(api, FILM).status_code == 202


def test_failing_polls_leave_the_film_to_be_polled_later(api: APIClient, remote: Remote) -> None:
    url = post(api, FILM).headers["Location"]
    remote.fault("veo_poll", status=503, times=1)
    assert api.get(url).json()["status"] == "running"
    Generation.objects.update(polled_at=None)
    assert api.get(url).json()["status"] == "succeeded"
    assert remote.counts["veo_submit"] == 1


@pytest.mark.parametrize(
    ("knobs", "status", "code"),
    [
        ({"operation_code": 13}, "failed", "upstream_error"),
        ({"blocked": True}, "blocked", "content_blocked"),
    ],
)
def test_a_film_that_ends_badly_was_paid_for_and_is_not_made_again(
    api: APIClient, remote: Remote, knobs: Any, status: str, code: str
) -> None:
    remote.fault("veo_poll", **knobs)
    film = api.get(post(api, FILM).headers["Location"]).json()
    assert (film["status"], film["error"]["code"]) == (status, code)
    assert post(api, FILM).status_code == 200
    assert remote.counts["veo_submit"] == 1


def test_a_poll_without_a_name_does_not_lose_the_film(api: APIClient, remote: Remote) -> None:
    url = post(api, FILM).headers["Location"]
    remote.fault("veo_poll", body="{}", times=1)
    assert api.get(url).json()["status"] == "running"
    Generation.objects.update(polled_at=None)
    assert api.get(url).json()["status"] == "succeeded"


@pytest.mark.parametrize("knobs", [{"status": 404}, {"status": 410}, {"body": '{"done": true}'}])
def test_a_film_that_google_lost_has_failed(api: APIClient, remote: Remote, knobs: Any) -> None:
    url = post(api, FILM).headers["Location"]
    remote.fault("veo_poll", **knobs)
    film = api.get(url).json()
    assert (film["status"], film["error"]["code"]) == ("failed", "upstream_error")


@pytest.mark.parametrize("knobs", [{"status": 500}, {"body": "{}"}])
def test_a_film_is_abandoned_after_a_day(api: APIClient, remote: Remote, knobs: Any) -> None:
    url = post(api, FILM).headers["Location"]
    remote.fault("veo_poll", **knobs)
    Generation.objects.update(submitted_at=timezone.now() - timedelta(hours=23))
    assert api.get(url).json()["status"] == "running"
    Generation.objects.update(submitted_at=timezone.now() - timedelta(hours=25), polled_at=None)
    assert api.get(url).json()["status"] == "failed"


@pytest.mark.parametrize("body", [IMAGE, TEXT], ids=["imagen", "vertex"])
def test_an_empty_answer_is_a_failure_to_try_again(
    api: APIClient, remote: Remote, body: Any
) -> None:
    remote.fault(body["service"], body="{}", times=1)
    assert is_problem(post(api, body), 502, "upstream_error")
    assert post(api, body).status_code == 201


@pytest.mark.parametrize("knobs", [{"status": 503}, {"status": 429}, {"status": 400}])
def test_a_film_that_google_refused_is_submitted_again(
    api: APIClient, remote: Remote, knobs: Any
) -> None:
    remote.fault("veo_submit", times=1, **knobs)
    assert post(api, FILM).status_code in (502, 503)
    assert post(api, FILM).status_code == 202
    assert remote.counts["veo_submit"] == 2


UNKNOWN_FATES = [
    {"hang": True},
    {"malformed": True},
    {"status": 500},
    {"body": "5"},
    {"body": "true"},
    {"body": "{}"},
    {"body": '{"name": "x", "response": 5}'},
    {"body": "[" * 100_000},
]


@pytest.mark.parametrize("knobs", UNKNOWN_FATES, ids=[str(fate)[:40] for fate in UNKNOWN_FATES])
def test_a_film_of_unknown_fate_is_never_submitted_again(
    api: APIClient, remote: Remote, knobs: Any
) -> None:
    remote.fault("veo_submit", times=1, **knobs)
    with limited(0.7, when="hang" in knobs):
        assert post(api, FILM).status_code in (502, 504)
    again = post(api, FILM)
    assert (again.status_code, again.json()["status"]) == (200, "submission_unknown")
    assert remote.counts["veo_submit"] == 1


def test_a_film_whose_submitter_died_is_never_submitted_again(
    api: APIClient, remote: Remote, user: User
) -> None:
    post(api, FILM)
    Generation.objects.update(operation="")
    again = post(api, FILM)
    assert (again.status_code, again.json()["status"]) == (201, "submission_unknown")
    assert remote.counts["veo_submit"] == 1


def test_an_open_circuit_refuses_before_anything_is_written_or_sent(
    api: APIClient, remote: Remote
) -> None:
    remote.fault("imagen", status=503)
    for _ in range(5):
        post(api, IMAGE)
    response = post(api, IMAGE, key="another")
    assert is_problem(response, 503, "circuit_open")
    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert is_problem(post(api, IMAGE), 503, "circuit_open")
    assert remote.counts["imagen"] == 5
    assert Generation.objects.count() == 1
    assert post(api, TEXT, key="third").status_code == 201
    other_model = {**IMAGE, "model": conf().imagen_models[1]}
    assert is_problem(post(api, other_model, key="fourth"), 503, "upstream_error")


def test_finished_work_is_replayed_while_the_circuit_is_open(
    api: APIClient, remote: Remote
) -> None:
    post(api, IMAGE, key="finished")
    remote.fault("imagen", status=503)
    for n in range(5):
        post(api, IMAGE, key=f"{n}")
    assert is_problem(post(api, IMAGE, key="new"), 503, "circuit_open")
    assert post(api, IMAGE, key="finished").status_code == 200


def test_an_open_submit_circuit_does_not_stop_the_polling(api: APIClient, remote: Remote) -> None:
    url = post(api, FILM).headers["Location"]
    remote.fault("veo_submit", status=503)
    for n in range(6):
        post(api, FILM, key=f"{n}")
    assert is_problem(post(api, FILM, key="new"), 503, "circuit_open")
    assert api.get(url).json()["status"] == "succeeded"


@pytest.mark.race
def test_an_open_circuit_recovers_by_itself(
    api: APIClient, remote: Remote, settings: Settings
) -> None:
    settings.BREAKER = {**settings.BREAKER, "OPEN_TIMEOUT": 2}
    remote.fault("imagen", status=503, times=5)
    for _ in range(5):
        assert is_problem(post(api, IMAGE), 503, "upstream_error")
    assert is_problem(post(api, IMAGE), 503, "circuit_open")
    until(lambda: post(api, IMAGE).status_code == 201)
    assert post(api, IMAGE, key="another").status_code == 201


@pytest.mark.race
def test_a_refusal_costs_little(api: APIClient, remote: Remote) -> None:
    remote.fault("imagen", status=503)
    for _ in range(5):
        post(api, IMAGE)
    refusal, least = [], []
    for _ in range(20):
        started = time.perf_counter()
        assert is_problem(post(api, IMAGE), 503, "circuit_open")
        refusal.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert api.get("/api/v1/auth/me").status_code == 200
        least.append(time.perf_counter() - started)
    # One query and no trip to the store more than the least that an authenticated request does.
    assert min(refusal) < 5 * min(least)
    assert remote.counts["imagen"] == 5


def test_an_open_circuit_does_not_hide_work_held_elsewhere(api: APIClient, remote: Remote) -> None:
    remote.fault("imagen", status=503)
    for _ in range(5):
        post(api, IMAGE)
    generation = Generation.objects.get()
    with lock(f"generation:{generation.pk}") as lease:
        generation.status = "running"
        generation.save_fenced(lease)
        assert post(api, IMAGE).status_code == 202
    assert is_problem(post(api, IMAGE), 503, "circuit_open")
    assert Generation.objects.get().error_code == "circuit_open"


def test_work_held_elsewhere_is_answered_at_once(api: APIClient, remote: Remote) -> None:
    remote.fault("imagen", status=503, times=1)
    post(api, IMAGE)
    generation = Generation.objects.get()
    with lock(f"generation:{generation.pk}") as lease:
        generation.status = "running"
        generation.save_fenced(lease)
        response = post(api, IMAGE)
    assert response.status_code == 202
    assert response.headers["Idempotent-Replay"] == "true"
    assert response.headers["Location"] == f"{URL}/{generation.pk}"
    assert remote.counts["imagen"] == 1


def test_what_failed_is_not_said_to_be_under_way(api: APIClient, remote: Remote) -> None:
    remote.fault("imagen", status=503, times=1)
    post(api, IMAGE)
    with lock(f"generation:{Generation.objects.get().pk}"):
        response = post(api, IMAGE)
    assert (response.status_code, response.json()["status"]) == (200, "failed")


def test_without_a_project_or_a_simulator_the_answer_says_what_to_set(
    api: APIClient, settings: Settings
) -> None:
    settings.GOOGLE_AI = {}
    response = post(api, IMAGE)
    assert is_problem(response, 503, "upstream_error")
    assert "GOOGLE_CLOUD_PROJECT" in response.json()["detail"]


def test_an_unreachable_google_is_a_service_unavailable(api: APIClient, settings: Settings) -> None:
    settings.GOOGLE_AI = {"SIMULATOR_PORT": 1}
    assert is_problem(post(api, IMAGE), 503, "upstream_error")


def test_the_list_is_filtered_and_paged(api: APIClient, remote: Remote) -> None:
    for n in range(3):
        post(api, TEXT, key=f"text-{n}")
    post(api, IMAGE)
    first = api.get(URL, {"service": "vertex", "limit": 2}).json()
    second = api.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"])) == (2, 1)
    assert (first["previous"], second["next"]) == (None, None)
    assert {g["service"] for g in first["results"] + second["results"]} == {"vertex"}
    assert api.get(URL, {"status": "failed"}).json()["results"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"service": "x"},
        {"status": "x"},
        {"limit": "0"},
        {"limit": ""},
        {"service": ""},
        {"limit": "201"},
        {"model": "x"},
    ],
    ids=str,
)
def test_a_wrong_filter_is_refused(api: APIClient, query: dict[str, str]) -> None:
    assert is_problem(api.get(URL, query), 400, "invalid")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "p=garbage",
        "p=0001-01-01T00:00:00+14:00",
        "o=-5",
        "x=1",
        "r=2",
        "o=99999",
        "p=2026-11-24",
        "p=2026-11-24+00%3A00",
    ],
)
def test_a_made_up_cursor_leads_nowhere(api: APIClient, cursor: str) -> None:
    query = {"cursor": b64encode(cursor.encode()).decode()}
    assert is_problem(api.get(URL, query), 400, "invalid")


def test_what_is_not_there_is_not_found(api: APIClient, remote: Remote) -> None:
    assert is_problem(api.get(f"{URL}/{uuid4()}"), 404, "not_found")
    made = post(api, IMAGE).json()
    assert is_problem(api.get(f"{URL}/{made['id']}/content/7"), 404, "not_found")
    generation = Generation.objects.get()
    result = generation.results.get()
    result.file.storage.delete(result.file.name)
    assert is_problem(api.get(made["results"][0]["url"]), 404, "not_found")
