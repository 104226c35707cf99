"""Messages on their way out, to receivers that take them and to those that do not."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.mail import EmailMessage
from pytest_django.fixtures import Settings

from health import signals
from health.alerting import wording
from health.alerting.channels import Line, Log, Mail, Webhook, channels
from health.alerting.notices import Notice
from health.alerting.states import Word
from health.conf import AlertSettings
from health.metrics import NOTIFICATIONS

from .receivers import Ear, Hook, listening
from .test_wording import DOWN, UP

SECRET = "a secret that the receiver knows, too"
FIRING, RESOLVED = [Notice(DOWN, Word.FIRING)], [Notice(UP, Word.RESOLVED)]


@pytest.fixture(scope="module")
def server() -> Iterator[Hook]:
    with listening() as hook:
        yield hook


@pytest.fixture
def hook(server: Hook) -> Hook:
    server.posts.clear()
    server.answer = 200
    return server


def webhook(url: str, *, secret: str = SECRET) -> Line:
    return Line(Webhook(url, secret=secret, runbook=""))


def test_a_webhook_gets_what_alertmanagers_would_get_and_a_signature(hook: Hook) -> None:
    assert webhook(hook.url).deliver(FIRING)
    [(headers, body)] = hook.posts
    assert json.loads(body) == wording.payload(FIRING, receiver="webhook")
    signed = wording.signature(body, secret=SECRET, timestamp=int(headers["X-Health-Timestamp"]))
    assert headers["X-Health-Signature"] == f"sha256={signed}"
    assert SECRET.encode() not in body
    assert "hunter2" not in str(headers) + body.decode()


def test_without_a_secret_nothing_is_signed(hook: Hook) -> None:
    assert webhook(hook.url, secret="").deliver(FIRING)
    [(headers, _)] = hook.posts
    assert not any("Signature" in name for name in headers)


def test_a_receiver_that_refuses_is_asked_again_with_the_same_key(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answer = 503
    assert not webhook(hook.url).deliver(FIRING, pauses=(0, 0, 0))
    keys = {headers["Idempotency-Key"] for headers, _ in hook.posts}
    assert (len(hook.posts), len(keys)) == (4, 1)
    assert "HTTP 503" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_redirect_is_a_refusal(hook: Hook) -> None:
    hook.answer = 302
    assert not webhook(hook.url).deliver(FIRING, pauses=())
    assert len(hook.posts) == 1


def test_a_receiver_that_comes_back_hears_it(hook: Hook) -> None:
    hook.answer = 500
    line = webhook(hook.url)

    def pauses() -> Iterator[float]:
        yield 0
        hook.answer = 204
        yield 0

    assert line.deliver(FIRING, pauses=pauses())


def test_a_receiver_out_of_reach_costs_nothing_but_a_log_line(
    closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    failed = NOTIFICATIONS.labels("webhook", "failed")
    before = failed._value.get()
    line = webhook(f"http://127.0.0.1:{closed_port}/hook?key=hunter2")
    assert not line.deliver(FIRING, pauses=())
    assert failed._value.get() == before + 1
    assert "ConnectionRefusedError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_channel_that_hangs_is_not_asked_a_second_time_meanwhile() -> None:
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        release.wait(30)

    line = Line(Ear(hear=hang))
    thread = threading.Thread(target=line.deliver, args=(FIRING,))
    thread.start()
    assert entered.wait(30)
    assert not line.deliver(FIRING)
    release.set()
    thread.join()
    assert line.deliver(FIRING)


def test_mail_says_it_in_the_subject(mailoutbox: list[EmailMessage]) -> None:
    assert Line(Mail(["ops@example.com", "on-call@example.com"])).deliver(FIRING)
    [message] = mailoutbox
    assert message.subject == "[FIRING:1] database"
    assert message.to == ["ops@example.com", "on-call@example.com"]
    assert message.body == wording.text(FIRING)


def test_a_log_has_one_line_for_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Line(Log()).deliver([*FIRING, *RESOLVED])
    said = [(one.levelname, one.message) for one in caplog.records]
    assert said == [("ERROR", wording.line(FIRING[0])), ("INFO", wording.line(RESOLVED[0]))]


def test_receivers_of_the_signal_hear_it_whatever_one_of_them_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Any] = []

    def fail(**_: Any) -> None:
        raise RuntimeError("boom")

    def hear(*, payload: Any, **_: Any) -> None:
        heard.append(payload["status"])

    signals.alerts_notified.connect(fail)
    signals.alerts_notified.connect(hear)
    try:
        [line] = [line for line in channels(AlertSettings()) if line.name == "signal"]
        assert line.deliver(RESOLVED)
    finally:
        signals.alerts_notified.disconnect(fail)
        signals.alerts_notified.disconnect(hear)
    assert heard == ["resolved"]
    assert "boom" in caplog.text


def test_settings_name_the_channels(settings: Settings) -> None:
    assert [line.name for line in channels(AlertSettings())] == ["log", "signal"]
    wanted = AlertSettings(emails=["ops@example.com"], webhook_url="https://alerts.example/hook")
    assert [line.name for line in channels(wanted)] == ["log", "signal", "mail", "webhook"]
