from collections import defaultdict
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from health.operations.panels import Cell, Column, Form
from health.operations.timeline import Strip
from health.verdict import SEVERITY, Status

register = template.Library()
NOTHING = "\N{EN DASH}"
UNITS = ((100, 1, "s"), (6_000, 60, "min"), (172_800, 3_600, "h"))


@register.filter
def badge(status: Status, word: str) -> SafeString:
    """Its shape tells as much as its colour."""
    return format_html('<span class="status status-{}">{}</span>', status, word)


@register.filter
def spaced(name: str) -> str:
    return name.replace("_", " ")


@register.filter
def beside(cells: tuple[Cell, ...], columns: tuple[Column, ...]) -> list[tuple[Cell, Column]]:
    return list(zip(cells, columns, strict=True))


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """How far away; the script of the page goes on counting."""
    if at is None:
        return NOTHING
    shown = timezone.localtime(at).isoformat(timespec="seconds")
    apart = abs((timezone.now() - at).total_seconds())
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', shown, spoken(apart))


def spoken(seconds: float) -> str:
    for limit, size, unit in UNITS:
        if seconds < limit:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds // 86_400:.0f} d"


@register.simple_tag
def told(cell: Cell, form: Form) -> SafeString | str:
    match cell:
        case None:
            return NOTHING
        case datetime():
            return moment(cell)
        case str():
            return cell
    return f"{cell:.0%}" if form is Form.SHARE else f"{cell:,.0f}"


@register.filter
def is_number(form: Form) -> bool:
    return form is not Form.TEXT


@register.filter
def clock(at: datetime) -> str:
    return f"{timezone.localtime(at):%H:%M}"


@register.filter
def summed(strip: Strip) -> str:
    """What was not well, and for how long."""
    minutes: defaultdict[Status, float] = defaultdict(float)
    for stretch in strip.stretches:
        minutes[stretch.status] += stretch.length
    troubles = [status for status in reversed(SEVERITY) if minutes[status] and status != "pass"]
    told = (f"{status} {spoken(minutes[status] * 60)}" for status in troubles)
    return ", ".join(told) or "pass throughout"
