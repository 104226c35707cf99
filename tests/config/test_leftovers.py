from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from config.leftovers import Leftovers

MB = 1_048_576


@pytest.mark.parametrize("read", [0, 10, 200_000])
def test_whatever_a_view_leaves_is_read_after_it(read: int) -> None:
    body = BytesIO(b"x" * 200_000)

    def view(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        return [environ["wsgi.input"].read(read)[:3]]

    environ = {"wsgi.input": body, "CONTENT_LENGTH": "200000"}
    assert Leftovers(view)(environ, print) == [b"xxx" if read else b""]
    assert body.read() == b""


@pytest.mark.parametrize("length", ["", "0", "-1", "x", str(MB + 1), "9" * 5_000])
def test_what_is_not_told_or_too_large_is_not_waited_for(length: str) -> None:
    body = BytesIO(b"x" * 100)
    environ = {"wsgi.input": body, "CONTENT_LENGTH": length}
    assert Leftovers(lambda *_: [])(environ, print) == []
    assert body.tell() == 0
