import json
import threading
from collections.abc import Callable
from hashlib import sha256

import pytest
from pytest_django.fixtures import Settings

from health import CheckResult, Reason, Status, checker
from health.draining import drain
from health.engine.checker import Checker

from .conftest import call, eventually
from .probes import FAIL, PASS, Fake

Run = Callable[..., Checker]
TOKEN = "t" * 40
INSIDE = {"REMOTE_ADDR": "10.1.2.3"}


@pytest.fixture(autouse=True)
def access(settings: Settings) -> None:
    settings.HEALTH = {
        "RELEASE": "1.2.3",
        "SERVICE_ID": "shop",
        "TOKENS": [sha256(b"older").hexdigest(), sha256(TOKEN.encode()).hexdigest().upper()],
        "ALLOWED_CIDRS": ["10.0.0.0/8"],
    }


def secretive() -> CheckResult:
    raise ConnectionRefusedError("postgres://root:hunter2@db.internal/shop")


def open_circuits() -> CheckResult:
    part = CheckResult(Status.WARN, Reason.OPEN, component="veo:eu", retry_after=41)
    return CheckResult(Status.WARN, Reason.OPEN, parts=(part,), values={"open": 1})


@pytest.fixture
def site(run: Run) -> Checker:
    return run(
        Fake("database", critical=True, interval=60),
        Fake("cache", secretive, interval=60),
        Fake("circuits", open_circuits, interval=60),
    )


@pytest.fixture
def draining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("health.draining._draining", threading.Event())
    drain()


@pytest.mark.parametrize("path", ["/", "/api/v1/x", "/healthy", "/Health", "/metrics/x"])
def test_everything_else_is_left_to_django(site: Checker, path: str) -> None:
    assert call(path).body == b"django"


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/health", 200, "warn"),
        ("/health/live", 200, "pass"),
        ("/health/ready", 200, "pass"),
        ("/health/startup", 200, "pass"),
        ("/health/detailed", 200, "warn"),
        ("/health/database", 200, "pass"),
        ("/health/circuits", 200, "warn"),
        ("/health/cache", 503, "fail"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_question_has_its_answer_in_both_slash_forms(
    site: Checker, path: str, slash: str, status: int, word: str
) -> None:
    reply = call(path + slash)
    assert (reply.status, json.loads(reply.body)["status"]) == (status, word)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Vary"] == "Accept, Authorization"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert ("Retry-After" in reply.headers) is (status == 503)


def test_a_critical_failure_is_503_everywhere_but_live(run: Run) -> None:
    run(Fake("database", lambda: FAIL, critical=True), Fake("cache"))
    paths = ["", "/ready", "/detailed", "/database", "/startup", "/live", "/cache"]
    codes = [call(f"/health{path}").status for path in paths]
    assert codes == [503, 503, 503, 503, 200, 200, 200]


@pytest.mark.parametrize(
    ("health", "code"),
    [
        ({}, 503),
        ({"READY": []}, 200),
        ({"READY": ["cache"]}, 200),
        ({"READY": ["cache", "locks"]}, 503),
    ],
    ids=str,
)
def test_a_site_says_without_what_nothing_is_routed_to_it(
    run: Run, settings: Settings, health: dict[str, list[str]], code: int
) -> None:
    settings.HEALTH = health
    shaky = CheckResult(Status.WARN, Reason.SATURATED)
    run(Fake("database", lambda: FAIL), Fake("cache", lambda: shaky), Fake("locks", lambda: FAIL))
    assert call("/health/ready").status == code


def test_while_starting_only_live_is_well(run: Run) -> None:
    gate = threading.Event()

    def answer() -> CheckResult:
        gate.wait()
        return PASS

    run(Fake("database", answer, critical=True, deadline=5), Fake("cache"), wait=False)
    replies = {
        path: call(f"/health{path}") for path in ["", "/ready", "/startup", "/cache", "/live"]
    }
    gate.set()
    assert {path: reply.status for path, reply in replies.items()} == {
        "": 503, "/ready": 503, "/startup": 503, "/cache": 503, "/live": 200,
    }  # fmt: skip
    assert json.loads(replies[""].body)["reason"] == "starting"
    assert replies[""].headers["Retry-After"] == "1"


def test_the_boot_is_over_once_it_is_known_what_the_database_lacks(run: Run) -> None:
    unapplied = CheckResult(Status.WARN, Reason.UNAPPLIED)
    for answer, code in ((lambda: FAIL, 503), (lambda: unapplied, 200), (lambda: PASS, 200)):
        run(Fake("migrations", answer))
        assert (call("/health/startup").status, call("/health/ready").status) == (code, 200)


def test_draining_takes_the_node_out_of_routing_and_nothing_else(
    site: Checker, draining: None
) -> None:
    assert [call(f"/health{path}").status for path in ("/ready", "", "/live")] == [503, 200, 200]
    assert json.loads(call("/health/ready").body)["reason"] == "draining"


def test_a_scheduler_that_stands_still_is_not_believed(
    site: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("health.engine.checker.STALE_SECONDS", -1.0)
    # Another one stands still already, so nobody takes its place.
    monkeypatch.setattr(checker, "_left_behind", site)
    reply = call("/health")
    assert (reply.status, json.loads(reply.body)["reason"]) == (503, "stale")
    assert call("/health/live").status == 200


def test_strangers_see_words_only(site: Checker) -> None:
    document = json.loads(call("/health/detailed").body)
    assert document.keys() == {"status", "time", "age", "checks"}
    assert document["checks"] == {
        "database": [{"status": "pass"}],
        "cache": [{"status": "fail"}],
        "circuits": [{"status": "warn"}],
    }
    assert json.loads(call("/health/cache").body)["checks"] == {"cache": [{"status": "fail"}]}


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param(INSIDE, id="address"),
        pytest.param({"REMOTE_ADDR": "::ffff:10.0.0.1"}, id="address in IPv6 clothes"),
        pytest.param({"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}, id="token"),
        pytest.param({"HTTP_AUTHORIZATION": "bearer  older "}, id="the token before it"),
    ],
)
def test_the_trusted_see_details(site: Checker, environ: dict[str, str]) -> None:
    document = json.loads(call("/health/detailed", **environ).body)
    assert (document["releaseId"], document["version"]) == ("1.2.3", "1")
    assert document["serviceId"] == "shop"
    assert document.keys() >= {"node", "uptime"}
    database = document["checks"]["database"][0]
    assert (database["componentId"], database["critical"]) == ("default", True)
    assert document["checks"]["cache"][0]["reason"] == "refused"
    group, circuit = document["checks"]["circuits"]
    assert group["open"] == 1
    assert circuit == {
        "componentId": "veo:eu",
        "componentType": "component",
        "status": "warn",
        "reason": "open",
        "retryAfter": 41,
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "garbage"},
        {"REMOTE_ADDR": "11.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.1"},
        {"HTTP_AUTHORIZATION": "Bearer"},
        {"HTTP_AUTHORIZATION": f"Basic {TOKEN}"},
        {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"},
        {"HTTP_AUTHORIZATION": "Bearer \udcff\x00"},
        {"HTTP_AUTHORIZATION": "Bearer " + "x" * 1_000_000},
        {"QUERY_STRING": f"token={TOKEN}"},
    ],
)
def test_nothing_else_opens_the_details(site: Checker, environ: dict[str, str]) -> None:
    assert "version" not in json.loads(call("/health/detailed", **environ).body)
    assert call("/metrics", **environ).status == 403


def test_no_error_text_reaches_any_body(site: Checker) -> None:
    paths = ["/health", "/health/detailed", "/health/cache", "/metrics"]
    text = b"".join(call(path, **environ).body for path in paths for environ in ({}, INSIDE))
    for secret in (b"hunter2", b"db.internal", b"postgres", b"Traceback"):
        assert secret not in text


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("application/health+json", "application/health+json", None),
        ("text/html, application/health+json;q=0.9", "application/health+json", None),
        ("text/plain", "text/plain; charset=utf-8", b"warn\n"),
        ("text/plain;q=0, application/json", "application/json", None),
        ("application/json;q=0.2, text/plain;q=0.9", "text/plain; charset=utf-8", b"warn\n"),
        ("image/png", "application/json", None),
        ("application/health+json," * 100_000, "application/health+json", None),
        ("*/*", "application/json", None),
        ("", "application/json", None),
        (";;,,/,\x00q=", "application/json", None),
    ],
)
def test_accept_chooses_the_form(
    site: Checker, accept: str, content_type: str, body: bytes | None
) -> None:
    reply = call("/health", HTTP_ACCEPT=accept)
    assert reply.headers["Content-Type"] == content_type
    assert (reply.body == body) if body else json.loads(reply.body)["status"] == "warn"


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/nothing", "/metrics"])
def test_head_is_get_without_a_body(site: Checker, path: str) -> None:
    get, head = call(path, **INSIDE), call(path, "HEAD", **INSIDE)
    assert (head.status, head.body) == (get.status, b"")
    if path != "/metrics":
        assert head.headers == get.headers
        assert int(head.headers["Content-Length"]) == len(get.body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/nothing", "/metrics"])
def test_other_methods_are_refused(site: Checker, path: str, method: str) -> None:
    reply = call(path, method)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert json.loads(reply.body)["code"] == "method_not_allowed"


@pytest.mark.parametrize("name", ["nothing", "a/b", "../etc/passwd", "metrics", "x" * 5000, "\xff"])
def test_an_unknown_service_is_a_404(site: Checker, name: str) -> None:
    reply = call(f"/health/{name}")
    assert (reply.status, json.loads(reply.body)["code"]) == (404, "not_found")


def test_a_body_is_rendered_once_and_only_its_age_is_added(site: Checker) -> None:
    page = site.edition.overall
    reply = call("/health").body
    document = json.loads(reply)
    assert 0 <= document["age"] < 5
    assert document["time"].endswith("Z")
    assert reply == b"%b%.1f%b" % (page.head, document["age"], page.tail)


def test_a_service_is_as_old_as_its_own_result(run: Run) -> None:
    running = run(Fake("rare", interval=60), Fake("often", interval=0.02))
    eventually(lambda: running.edition.overall.taken > running.edition.services["rare"][0].taken)
    assert (
        running.edition.services["rare"][0].taken == next(running.edition.snapshot.of("rare")).taken
    )
