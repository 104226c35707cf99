"""CORS for named origins only, compared as exact strings, and with no other way in."""

from collections.abc import Callable, Iterator
from urllib.parse import SplitResult

from corsheaders.conf import conf
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

from config import environment

# What the library could be told, and why nobody may: each would let in more than the list names.
REFUSED = {
    "CORS_ALLOW_ALL_ORIGINS": "lets every site in",
    "CORS_ORIGIN_ALLOW_ALL": "lets every site in",
    "CORS_ALLOWED_ORIGIN_REGEXES": "matches origins that nobody has thought of",
    "CORS_ORIGIN_REGEX_WHITELIST": "matches origins that nobody has thought of",
    "CORS_ORIGIN_WHITELIST": "is the former name of CORS_ALLOWED_ORIGINS",
    "CORS_ALLOW_CREDENTIALS": "lets other sites use a browser's cookies",
    "CORS_ALLOW_PRIVATE_NETWORK": "opens private networks to other sites",
}
# What a view may have granted on its own.
GRANTS = frozenset(
    f"access-control-{subject}"
    for subject in (
        "allow-origin", "allow-credentials", "allow-headers", "allow-methods",
        "allow-private-network", "expose-headers", "max-age",
    )
)  # fmt: skip
LISTS = ("CORS_ALLOW_METHODS", "CORS_ALLOW_HEADERS", "CORS_EXPOSE_HEADERS")
WHERE = r"^/api/"
LONGEST_AGE = 7_200  # seconds; browsers keep an answer no longer either


def faults() -> Iterator[str]:
    """Each setting that would weaken what this module promises, with the reason."""
    for name, reason in REFUSED.items():
        if getattr(settings, name, None):
            yield f"{name} {reason}; leave it out"
    try:
        local = settings.DEBUG or not settings.HTTPS
        environment.origins(conf.CORS_ALLOWED_ORIGINS, allow_http_localhost=local)
    except ImproperlyConfigured as error:
        yield str(error)
    for name in LISTS:
        if any("*" in value for value in getattr(conf, name)):
            yield f"{name} holds a wildcard; name each one"
    if conf.CORS_URLS_REGEX != WHERE:
        yield f"CORS_URLS_REGEX must be {WHERE}: nothing else is for other sites"
    if not 0 < conf.CORS_PREFLIGHT_MAX_AGE <= LONGEST_AGE:
        yield f"CORS_PREFLIGHT_MAX_AGE must be from 1 to {LONGEST_AGE} seconds"


class ExactOriginMiddleware(CorsMiddleware):  # type: ignore[misc]
    """The library compares scheme and host, and so echoes spellings that no browser sends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        # System checks do not run under a WSGI server.
        if found := list(faults()):
            raise ImproperlyConfigured("; ".join(found))
        super().__init__(get_response)

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        return origin in conf.CORS_ALLOWED_ORIGINS

    def is_enabled(self, request: HttpRequest) -> bool:
        """As CORS_URLS_REGEX has it, which can be nothing else."""
        return request.path_info.startswith("/api/")

    def check_signal(self, request: HttpRequest) -> bool:
        """No receiver of the library's signal may open what the settings do not."""
        return False

    def add_response_headers(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        for name in GRANTS.intersection(response.headers._store):
            response.headers.pop(name)
        if "HTTP_ORIGIN" in request.META:
            super().add_response_headers(request, response)
        elif self.is_enabled(request):
            if response.has_header("Vary"):
                patch_vary_headers(response, ("origin",))
            else:
                response.headers["Vary"] = "origin"
        return response
