import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.client import AsyncTokenSession, TokenSession

from .fake import SITE, FakeServer, Wire

Open = Callable[..., Any]


class Blocking:
    """An AsyncTokenSession, driven from outside its loop."""

    def __init__(self, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.session = AsyncTokenSession(SITE, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.session, name)
        if not callable(found):
            return found
        return lambda *given, **named: self.runner.run(found(*given, **named))

    def close(self) -> None:
        self.runner.run(self.session.aclose())
        self.runner.close()


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture(params=["threads", "tasks"])
def opened(request: pytest.FixtureRequest, server: FakeServer) -> Iterator[Open]:
    """Makes sessions with the fake server, of either colour."""
    sessions: list[Any] = []

    def session(**options: Any) -> Any:
        options = {"transport": Wire(server)} | options
        threads = request.param == "threads"
        sessions.append(TokenSession(SITE, **options) if threads else Blocking(**options))
        return sessions[-1]

    yield session
    for each in sessions:
        each.close()


@pytest.fixture
def session(opened: Open) -> Any:
    """One that is signed in."""
    made = opened()
    made.sign_in("ada", "right")
    return made
