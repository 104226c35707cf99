"""Who gets in, who is kept out, and whether the store of what was revoked answers.

Labels are words of closed lists: never a user, an address, a key or a token.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import connection
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric

from accounts import control, revocation, signals
from accounts.sessions import Reason as Ended
from health.engine.snapshot import Snapshot
from health.probes import Probe
from health.verdict import CheckResult, Reason, Status

LOGINS = Counter(
    "accounts_login_attempts",
    "Tries to log in: succeeded, failed, or refused unseen (account_locked, rate_limited).",
    ["outcome"],
)
LOCKOUTS = Counter(
    "accounts_lockouts", "Locks that fell on the name of a user, or on one nobody has.", ["kind"]
)
USER, UNKNOWN = "user", "unknown"
REFRESHES = Counter(
    "accounts_token_refresh",
    "Refresh tokens presented: renewed, overlap, repeated, reused, ended.",
    ["outcome"],
)
SESSIONS = Counter("accounts_sessions_ended", "Login sessions ended before their time.", ["reason"])
SIGNATURES = Counter(
    "accounts_signature_checks", "Signed requests: accepted, rejected.", ["outcome"]
)
KEYS = Counter("accounts_signing_keys", "Signing keys issued, rotated, revoked.", ["change"])
# An operator gives reasons in words of their own.
REASONS, OTHER = frozenset(Ended), "other"


class Accounts(Probe):
    """A warning without the store: everything works then, but for the outage of the database."""

    name = "accounts"
    interval = 10.0
    deadline = 2.5

    def run(self) -> CheckResult:
        try:
            locked = control.locked_now()
        finally:
            # The next run may be another thread's.
            connection.close()
        values = {"locked": locked}
        if revocation.reachable():
            return CheckResult(Status.PASS, values=values)
        return CheckResult(Status.WARN, Reason.REFUSED, values=values)


def probes() -> list[Probe]:
    return [Accounts()]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    for check in snapshot.of(Accounts.name):
        if (locked := check.result.values.get("locked")) is not None:
            yield GaugeMetricFamily("accounts_locked", "Accounts locked now.", value=float(locked))


def connect() -> None:
    for kind in (USER, UNKNOWN):
        LOCKOUTS.labels(kind)  # from nought on: what is there at once did not increase
    for signal, receive in (
        (signals.login_succeeded, _let_in),
        (user_logged_in, _let_in),
        (signals.login_failed, _failed),
        (signals.login_refused, _refused),
        (signals.account_locked, _locked),
        (signals.refresh_answered, _refreshed),
        (signals.session_revoked, _ended),
        (signals.signature_accepted, _accepted),
        (signals.signature_rejected, _rejected),
        (signals.signing_key_issued, _issued),
        (signals.signing_key_revoked, _revoked),
    ):
        signal.connect(receive, dispatch_uid="health")


def _let_in(**_: Any) -> None:
    LOGINS.labels("succeeded").inc()


def _failed(**_: Any) -> None:
    LOGINS.labels("failed").inc()


def _refused(*, code: str, **_: Any) -> None:
    LOGINS.labels(code).inc()


def _locked(*, user_id: object, **_: Any) -> None:
    LOCKOUTS.labels(UNKNOWN if user_id is None else USER).inc()


def _refreshed(*, outcome: str, **_: Any) -> None:
    REFRESHES.labels(outcome).inc()


def _ended(*, reason: str, **_: Any) -> None:
    SESSIONS.labels(reason if reason in REASONS else OTHER).inc()


def _accepted(**_: Any) -> None:
    SIGNATURES.labels("accepted").inc()


def _rejected(**_: Any) -> None:
    SIGNATURES.labels("rejected").inc()


def _issued(*, replaces: object, **_: Any) -> None:
    KEYS.labels("issued" if replaces is None else "rotated").inc()


def _revoked(**_: Any) -> None:
    KEYS.labels("revoked").inc()
