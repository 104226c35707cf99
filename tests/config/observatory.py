"""The scores that Mozilla's HTTP Observatory publishes, applied to one answer over TLS.

https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

PRIVATE = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
SIX_MONTHS = 15_768_000
EXTRA_CREDIT_FROM = 90
GRADES = (
    (100, "A+"), (90, "A"), (85, "A-"), (80, "B+"), (70, "B"), (65, "B-"), (60, "C+"), (50, "C"),
    (45, "C-"), (40, "D+"), (30, "D"), (25, "D-"), (0, "F"),
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """An answer to an address over https, and what happens to those who come over http."""

    host: str
    headers: Mapping[str, str]  # names in lower case
    cookies: tuple[str, ...] = ()
    http_location: str = ""
    with_foreign_origin: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        return self.headers.get(name, "").strip().lower()


def csp(seen: Seen) -> int:
    parts = seen.get("content-security-policy").split(";")
    policy = {name: sources for name, *sources in map(str.split, filter(None, parts))}
    if not policy:
        return -25
    default = policy.get("default-src", ["*"])
    scripts, styles = policy.get("script-src", default), policy.get("style-src", default)
    objects = policy.get("object-src", default)
    broad = {"'unsafe-inline'", "data:", "https:", "http:", "*"}
    if broad & {*scripts, *objects}:
        return -20
    if any(source.startswith("http:") for sources in policy.values() for source in sources):
        return -20
    if "'unsafe-eval'" in scripts:
        return -10
    if broad & {*styles}:
        return 0
    forms = set(policy.get("form-action", ["*"])) <= {"'none'", "'self'"}
    return 10 if default == ["'none'"] and forms else 5


def cookies(seen: Seen) -> int:
    if not seen.cookies:
        return 0
    morsels = [morsel for text in seen.cookies for morsel in SimpleCookie(text).values()]
    sessions = [morsel for morsel in morsels if "sess" in morsel.key]
    if any(not morsel["httponly"] for morsel in sessions):
        return -30
    hsts = strict_transport_security(seen) >= 0
    if any(not morsel["secure"] for morsel in sessions):
        return -10 if hsts else -40
    if any(not morsel["secure"] for morsel in morsels):
        return -5 if hsts else -20
    return 5 if all(morsel["samesite"] in ("Lax", "Strict") for morsel in morsels) else -20


def cors(seen: Seen) -> int:
    allowed = seen.with_foreign_origin.get("access-control-allow-origin")
    credentials = "access-control-allow-credentials" in seen.with_foreign_origin
    return -50 if allowed and credentials else 0


def redirection(seen: Seen) -> int:
    to = urlsplit(seen.http_location)
    if to.scheme != "https":
        return -20
    return 0 if to.hostname == seen.host else -5


def referrer_policy(seen: Seen) -> int:
    policy = seen.get("referrer-policy")
    if not policy:
        return 0
    return 5 if policy in PRIVATE else -5


def strict_transport_security(seen: Seen) -> int:
    parts = [part.strip() for part in seen.get("strict-transport-security").split(";")]
    name, _, seconds = parts[0].partition("=")
    if name != "max-age" or not seconds.isdigit():
        return -20
    return 0 if int(seconds) >= SIX_MONTHS else -10


def content_type_options(seen: Seen) -> int:
    return 0 if seen.get("x-content-type-options") == "nosniff" else -5


def framing(seen: Seen) -> int:
    if "frame-ancestors 'none'" in seen.get("content-security-policy"):
        return 5
    return 5 if seen.get("x-frame-options") in ("deny", "sameorigin") else -20


def isolation(name: str, value: str) -> Callable[[Seen], int]:
    return lambda seen: 10 if seen.get(name) == value else 0


RULES: dict[str, Callable[[Seen], int]] = {
    "content-security-policy": csp,
    "cookies": cookies,
    "cross-origin-resource-sharing": cors,
    "redirection": redirection,
    "referrer-policy": referrer_policy,
    "strict-transport-security": strict_transport_security,
    "x-content-type-options": content_type_options,
    "x-frame-options": framing,
    "cross-origin-resource-policy": isolation("cross-origin-resource-policy", "same-origin"),
    "cross-origin-embedder-policy": isolation("cross-origin-embedder-policy", "require-corp"),
    "cross-origin-opener-policy": isolation("cross-origin-opener-policy", "same-origin"),
}


def score(seen: Seen) -> int:
    marks = [rule(seen) for rule in RULES.values()]
    without_credit = 100 + sum(mark for mark in marks if mark < 0)
    extra = sum(mark for mark in marks if mark > 0)
    return max(0, without_credit + (extra if without_credit >= EXTRA_CREDIT_FROM else 0))


def grade(points: int) -> str:
    return next(letter for least, letter in GRADES if points >= least)
