"""What Django's system checks find in the settings of all apps."""

from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage

from health.findings import Finding, Level

from .ward import ward


def examine() -> Iterator[Finding]:
    # Those of a deployment are about https, which a site of loopback names has not.
    found = checks.run_checks(include_deployment_checks=settings.HTTPS)
    told = [message for message in found if not message.is_silenced()]
    if not told:
        yield ward.ok(9, "The system checks find nothing.")
    yield from map(finding, told)


def finding(message: CheckMessage) -> Finding:
    wrong = message.level >= checks.ERROR
    return Finding(
        id=message.id or "config.D009",
        level=Level.ERROR if wrong else Level.WARNING,
        message=str(message.msg),
        hint=str(message.hint or ""),
    )
