"""Where notices go. A channel raises what it likes; ``deliver`` tries again and never raises."""

import logging
import time
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection, HTTPSConnection
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

from django.core import mail
from django.db import connections

from health import metrics, signals
from health.conf import AlertSettings

from . import wording
from .notices import Notice
from .states import Word

logger = logging.getLogger(__name__)

TRY_SECONDS = 5.0
PAUSES = (1.0, 2.0, 4.0)
# All tries and pauses, and some time to breathe.
DELIVERY_SECONDS = TRY_SECONDS * (len(PAUSES) + 1) + sum(PAUSES) + 3.0


class Refused(OSError):
    """The receiver answered, but not that it took the message."""


class Channel(Protocol):
    name: str

    def send(self, notices: list[Notice]) -> None:
        """Raises if it is not certain that they arrived."""
        ...


class Log:
    name = "log"

    def send(self, notices: list[Notice]) -> None:
        for notice in notices:
            over = notice.word is Word.RESOLVED
            logger.log(logging.INFO if over else logging.ERROR, "%s", wording.line(notice))


class Custom:
    """Receivers of ``health.signals.alerts_notified``; what one of them raises, it keeps."""

    name = "signal"

    def send(self, notices: list[Notice]) -> None:
        message = wording.payload(notices, receiver=self.name)
        for receiver, error in signals.alerts_notified.send_robust(Custom, payload=message):
            if isinstance(error, Exception):
                logger.error("%r did not take a notice", receiver, exc_info=error)


class Mail:
    name = "mail"

    def __init__(self, recipients: Sequence[str]) -> None:
        self._recipients = recipients

    def send(self, notices: list[Notice]) -> None:
        message = mail.EmailMessage(
            wording.subject(notices),
            wording.text(notices),
            to=self._recipients,
            headers={"X-Delivery": wording.delivery(notices, self.name)},
            connection=mail.get_connection(timeout=TRY_SECONDS),
        )
        message.send()


class Webhook:
    """Takes Alertmanager's receivers. The address may hold a secret, so it is never told."""

    name = "webhook"

    def __init__(self, url: str, *, secret: str, runbook: str) -> None:
        self._url = urlsplit(url)
        self._secret = secret
        self._runbook = runbook

    def send(self, notices: list[Notice]) -> None:
        body = wording.encoded(wording.payload(notices, receiver=self.name, runbook=self._runbook))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": wording.delivery(notices, self.name),
            **self._signed(body),
        }
        self._post(body, headers)

    def _signed(self, body: bytes) -> dict[str, str]:
        if not self._secret:
            return {}
        now = int(time.time())
        signature = wording.signature(body, secret=self._secret, timestamp=now)
        return {"X-Health-Timestamp": str(now), "X-Health-Signature": f"sha256={signature}"}

    def _post(self, body: bytes, headers: dict[str, str]) -> None:
        connect = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = connect(self._url.hostname or "", self._url.port, timeout=TRY_SECONDS)
        path = f"{self._url.path or '/'}{'?' if self._url.query else ''}{self._url.query}"
        try:
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise Refused(f"HTTP {status}")


def channels(wanted: AlertSettings) -> list["Line"]:
    found: list[Channel] = [Log(), Custom()]
    if wanted.emails:
        found.append(Mail(wanted.emails))
    if wanted.webhook_url:
        found.append(
            Webhook(wanted.webhook_url, secret=wanted.webhook_secret, runbook=wanted.runbook)
        )
    return [Line(channel) for channel in found]


class Line:
    """A channel, one delivery at a time: one that hangs costs a thread, and never a second one."""

    def __init__(self, channel: Channel) -> None:
        self.name = channel.name
        self._channel = channel
        self._busy = Lock()

    def deliver(self, notices: list[Notice], *, pauses: Iterable[float] = PAUSES) -> bool:
        if not self._busy.acquire(blocking=False):
            return False
        try:
            done = self._deliver(notices, pauses)
        finally:
            connections.close_all()  # of receivers of the signal
            self._busy.release()
        metrics.NOTIFICATIONS.labels(self.name, "delivered" if done else "failed").inc()
        return done

    def _deliver(self, notices: list[Notice], pauses: Iterable[float]) -> bool:
        for pause in (*pauses, None):
            try:
                self._channel.send(notices)
            except Exception as error:
                # Whatever a server or a mail backend does. Its words may hold the address, and
                # that a secret.
                said = str(error) if isinstance(error, Refused) else type(error).__name__
                logger.warning("%s did not take %d notices: %s", self.name, len(notices), said)
            else:
                return True
            if pause is not None:
                time.sleep(pause)
        return False
