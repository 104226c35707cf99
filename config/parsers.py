"""What the API reads: one JSON document, within limits, with one meaning."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import JSONParser

JSON = re.compile(r'\s*application/json\s*(?:;\s*charset="?utf-?8"?\s*)?', re.IGNORECASE)
DEEPEST, MOST_NAMES = 20, 1_000
# As many digits have all integers of 64 bits, signed or not; of more, nobody need make a number.
LONGEST_INTEGER = 20
LEAST, MOST = -(2**63), 2**64 - 1


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it: no NaN, no name twice, no half of a surrogate pair.

    The media type is taken at its word: DRF would read ``*/*`` as well, and any charset as UTF-8.
    How long a body may be was decided before anything read it.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        if not JSON.fullmatch(media_type or "") or _encoded(parser_context):
            raise UnsupportedMediaType(media_type or "")
        body = stream.read()
        try:
            document = json.loads(
                body.decode(),
                parse_constant=_refuse_constant,
                parse_float=_finite,
                parse_int=_bounded,
                object_pairs_hook=_unique,
            )
            if rb"\u" in body:
                json.dumps(document, ensure_ascii=False).encode()
        except UnicodeError:
            raise ParseError("The body is not UTF-8 text.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise ParseError("The body must be a JSON object.")
        # Hardly any body has so many brackets, in text or not, and only those need a look.
        if body.count(b"{") + body.count(b"[") > DEEPEST and _deeper_than(document, DEEPEST):
            raise ParseError("The body is nested too deeply.")
        return document


def _encoded(context: Mapping[str, Any] | None) -> bool:
    request = (context or {})["request"]
    return bool(request.headers.get("Content-Encoding", "identity").lower() != "identity")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError("a number is too large")
    return number


def _bounded(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER or not LEAST <= (number := int(digits)) <= MOST:
        raise ValueError("a number is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_NAMES:
        raise ValueError("an object has too many names")
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name appears twice in one object")
    return document


def _deeper_than(document: Any, levels: int) -> bool:
    if not isinstance(document, dict | list):
        return False
    inner = document.values() if isinstance(document, dict) else document
    return levels == 0 or any(_deeper_than(one, levels - 1) for one in inner)
