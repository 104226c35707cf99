"""CORS for named origins only, compared as exact strings."""

from urllib.parse import SplitResult

from corsheaders.conf import conf
from corsheaders.middleware import CorsMiddleware


class ExactOriginMiddleware(CorsMiddleware):  # type: ignore[misc]
    """The library compares scheme and host, and so echoes spellings that no browser sends."""

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        return origin in conf.CORS_ALLOWED_ORIGINS
