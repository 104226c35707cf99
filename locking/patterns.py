"""From a lock's name to the kind of lock it is: what may label a metric."""

import re
from functools import lru_cache
from string import Formatter

from django.apps import apps

# What is taken over HTTP is named by strangers, as they like: it is all of one kind.
HTTP = "http"
_SEGMENT = re.compile(r"[^:/ ]+")
_WORD = re.compile(r"(?!(?i:[0-9a-f]{8,})$)[^\W\d_](?:[^\W\d]|[.-])*")
LONGEST_WORD = 40

_templates: dict[str, re.Pattern[str]] = {}


def know(template: str) -> None:
    """Whatever stands where this has a field is a value, be it a word."""
    parts = [(text, field is not None) for text, field, _, _ in Formatter().parse(template)]
    # One that begins with a field would take the names of others for its own.
    if not any(field for _, field in parts) or not parts[0][0]:
        return
    label = "".join(text + "*" * field for text, field in parts)
    if label not in _templates:
        form = "".join(re.escape(text) + ".*" * field for text, field in parts)
        _templates[label] = re.compile(form, re.DOTALL)
        pattern.cache_clear()


@lru_cache(4096)
def pattern(name: str) -> str:
    """A known template, with ``*`` for its fields; of several that fit, the one that tells most.

    The name of a row, as ``names.of`` writes it, is one whose field is the key.

    Of other names, every part that is not plainly a word becomes ``*``.

    >>> pattern("invoice:7/line:a1b2")
    'invoice:*/line:*'
    """
    fitting = [label for label, form in list(_templates.items()) if form.fullmatch(name)]
    model, colon, _ = name.partition(":")
    if colon and _is_model(model):
        fitting.append(f"{model}:*")
    return max(fitting, key=len) if fitting else _SEGMENT.sub(_generalised, name)


def _is_model(label: str) -> bool:
    try:
        apps.get_model(label)
    except (LookupError, ValueError):
        return False
    return True


def _generalised(segment: re.Match[str]) -> str:
    text = segment[0]
    return text if len(text) <= LONGEST_WORD and _WORD.fullmatch(text) else "*"
