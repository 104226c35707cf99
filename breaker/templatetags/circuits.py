from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from breaker import durations
from breaker.models import LABELLED
from breaker.status import machine_word, said

register = template.Library()
register.filter(durations.spoken)
register.filter(said)
register.filter(machine_word)
LABELS = dict(LABELLED)


@register.filter
def ago(at: datetime) -> SafeString:
    """How long since, and, for those who point at it, the moment itself."""
    age = durations.spoken((timezone.now() - at).total_seconds())
    moment = timezone.localtime(at) if timezone.is_aware(at) else at
    return format_html(
        '<time datetime="{0}" title="{0}">{1}</time>', moment.isoformat(timespec="seconds"), age
    )


@register.filter
def badge(word: str) -> SafeString:
    return format_html('<span class="breaker-badge breaker-{}">{}</span>', word, LABELS[word])


@register.filter
def percent(share: float) -> str:
    return f"{share:.0%}"
