"""httpx2's clients, signed in. All decisions are in ``renewal``; here they are carried out."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import httpx2

from .renewal import Renewal
from .steps import Ask, Enter, Flow, Read, Sleep, Step, T
from .storage import MemoryStorage, Storage


class TokenSession(httpx2.Client):
    """For threads. ``site`` is where the paths of requests begin, ``mount`` the path below which
    it has ``accounts.urls``; ``options`` are those of ``httpx2.Client``."""

    def __init__(
        self,
        site: str,
        *,
        mount: str = "/api/v1/auth",
        storage: Storage | None = None,
        **options: Any,
    ) -> None:
        self._lock = threading.Lock()
        self._renewal = Renewal(door(site, mount), storage or MemoryStorage(), self._lock)
        super().__init__(base_url=site, auth=ThreadBearer(self._renewal, self._run), **options)

    @property
    def signed_in(self) -> bool:
        """As far as is known here: the server may have ended the session."""
        return self._renewal.held is not None

    def sign_in(self, username: str, password: str, *, device: str = "") -> None:
        """Raises SignInRefused. ``device`` names this program in the user's list of sessions."""
        self._run(self._renewal.sign_in(username, password, device))

    def change_password(self, current: str, new: str) -> None:
        """Ends every other session of the user. Raises SignInRefused."""
        self._run(self._renewal.change_password(current, new))

    def log_out(self) -> None:
        """End the session, for all who share the storage too."""
        self._run(self._renewal.log_out())

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._perform(step)
                except httpx2.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    def _perform(self, step: Step) -> httpx2.Response | None:
        match step:
            case Enter():
                self._lock.acquire()
            case Sleep(seconds):
                time.sleep(seconds)
            case Read(response):
                response.read()
            case Ask(url, body, headers):
                request = self.build_request("POST", url, json=body, headers=headers)
                return self.send(request, auth=None, follow_redirects=False)
        return None


class AsyncTokenSession(httpx2.AsyncClient):
    """The same for the tasks of one event loop."""

    def __init__(
        self,
        site: str,
        *,
        mount: str = "/api/v1/auth",
        storage: Storage | None = None,
        **options: Any,
    ) -> None:
        self._lock = asyncio.Lock()
        self._renewal = Renewal(door(site, mount), storage or MemoryStorage(), self._lock)
        self._under_way: set[asyncio.Task[Any]] = set()
        super().__init__(base_url=site, auth=TaskBearer(self._renewal, self._run), **options)

    @property
    def signed_in(self) -> bool:
        return self._renewal.held is not None

    async def sign_in(self, username: str, password: str, *, device: str = "") -> None:
        await self._run(self._renewal.sign_in(username, password, device))

    async def change_password(self, current: str, new: str) -> None:
        await self._run(self._renewal.change_password(current, new))

    async def log_out(self) -> None:
        await self._run(self._renewal.log_out())

    async def _run(self, flow: Flow[T]) -> T:
        """To its end even if the caller is cancelled: a renewal that the server has done and nobody
        has taken home would be the end of the session."""
        task = asyncio.ensure_future(self._drive(flow))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _drive(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._perform(step)
                except httpx2.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    async def _perform(self, step: Step) -> httpx2.Response | None:
        match step:
            case Enter():
                await self._lock.acquire()
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Read(response):
                await response.aread()
            case Ask(url, body, headers):
                request = self.build_request("POST", url, json=body, headers=headers)
                return await self.send(request, auth=None, follow_redirects=False)
        return None


class ThreadBearer(httpx2.Auth):
    def __init__(self, renewal: Renewal, run: Callable[[Flow[str | None]], str | None]) -> None:
        self.renewal = renewal
        self.run = run

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        token = self.run(self.renewal.token_for(request))
        response = yield bearing(request, token)
        again = self.run(self.renewal.token_after(request, response, token))
        if again is not None:
            yield bearing(request, again)


class TaskBearer(httpx2.Auth):
    def __init__(
        self, renewal: Renewal, run: Callable[[Flow[str | None]], Awaitable[str | None]]
    ) -> None:
        self.renewal = renewal
        self.run = run

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = await self.run(self.renewal.token_for(request))
        response = yield bearing(request, token)
        again = await self.run(self.renewal.token_after(request, response, token))
        if again is not None:
            yield bearing(request, again)


def door(site: str, mount: str) -> httpx2.URL:
    return httpx2.URL(f"{site.rstrip('/')}/{mount.strip('/')}/")


def bearing(request: httpx2.Request, token: str | None) -> httpx2.Request:
    if token is not None:
        request.headers["Authorization"] = f"Bearer {token}"
    return request
