"""Does anybody hear of alerts, and only who should?"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from health.conf import alert_settings
from health.findings import Finding, Ward

ward = Ward("health")

# They send nothing to anybody.
DEAF = {
    f"django.core.mail.backends.{name}.EmailBackend"
    for name in ("console", "dummy", "filebased", "locmem")
}
SMTP = "django.core.mail.backends.smtp.EmailBackend"
LONGEST_WAIT_SECONDS = 30.0
HERE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``timeout`` is seconds, and None none."""

    alerting: bool = True
    recipients: int = 0
    backend: str = SMTP
    timeout: float | None = 10.0
    webhook: str = "https://alerts.example/hook"
    secret: bool = True


def examine() -> Iterator[Finding]:
    wanted = alert_settings()
    return judged(
        Facts(
            alerting=wanted is not None,
            recipients=len(wanted.emails) if wanted else 0,
            backend=settings.EMAIL_BACKEND,
            timeout=settings.EMAIL_TIMEOUT,
            webhook=wanted.webhook_url if wanted else "",
            secret=bool(wanted and wanted.webhook_secret),
        )
    )


def judged(facts: Facts) -> Iterator[Finding]:
    for judge in (hearing, mail, patience, webhook):
        yield judge(facts)


def hearing(facts: Facts) -> Finding:
    if not facts.alerting:
        return ward.ok(4, "Alerts are left to Prometheus.")
    if not facts.recipients and not facts.webhook:
        hint = "Give HEALTH['ALERTS'] a WEBHOOK_URL or EMAILS, or leave alerts to Prometheus: None."
        return ward.warning(4, "Alerts are written to the log, and sent to nobody.", hint)
    ways = [f"{facts.recipients} mail addresses"] if facts.recipients else []
    ways += ["a webhook"] if facts.webhook else []
    return ward.ok(4, f"Alerts are sent to {' and '.join(ways)}.")


def mail(facts: Facts) -> Finding:
    if facts.recipients and facts.backend in DEAF:
        hint = "Set EMAIL_BACKEND to one that does; manage.py alerts test mail tries it."
        return ward.error(5, f"{facts.backend} mails no alert to anybody.", hint)
    return ward.ok(5, f"Mail leaves by {facts.backend}.")


def patience(facts: Facts) -> Finding:
    if facts.backend != SMTP:
        return ward.ok(6, "No mail server is waited for.")
    hint = "Set EMAIL_TIMEOUT to a few seconds."
    if facts.timeout is None:
        return ward.warning(6, "A mail server that is silent is waited for without a limit.", hint)
    if facts.timeout > LONGEST_WAIT_SECONDS:
        return ward.warning(6, f"A silent mail server is waited for {facts.timeout:g} s.", hint)
    return ward.ok(6, f"A silent mail server is waited for {facts.timeout:g} s.")


def webhook(facts: Facts) -> Finding:
    """Its address may hold a secret, so it is not repeated."""
    if not facts.webhook:
        return ward.ok(7, "There is no webhook for alerts.")
    address = urlsplit(facts.webhook)
    if address.scheme != "https" and address.hostname not in HERE:
        return ward.warning(7, "Alerts are posted in the clear.", "Use an address with https.")
    if not facts.secret:
        hint = "Give HEALTH['ALERTS']['WEBHOOK_SECRET'] a secret that the receiver knows."
        return ward.warning(7, "Whoever gets alerts cannot tell who posted them.", hint)
    return ward.ok(7, "Alerts are posted with a signature.")
