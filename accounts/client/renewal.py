"""The login of a program: its tokens, when they are renewed, and by whom.

One logic for threads and tasks, as flows. A refresh token works once, and the server ends a
session whose token comes twice; so whoever renews holds the session's lock and the storage's,
and looks first whether another was faster.
"""

import random
import time
from typing import Protocol

import httpx2

from . import replies
from .errors import ClientError, ServerUnavailable, SessionEnded, SignInRefused, SignInRequired
from .steps import Ask, Enter, Flow, Read, Sleep, T
from .storage import Storage
from .tokens import Held, Kept, Tokens, hold

# Seconds: between two looks at a lock, until it counts as stuck, and at most until a renewal that
# could wait is tried again.
LOOK, STUCK, PAUSE = 0.05, 30.0, 10.0
# How often another holder of the refresh token is given the time that the server asks for.
LOOKS_FOR_OTHERS, LONGEST_LOOK = 3, 5.0

ENDED = "The login session has ended."


class Lock(Protocol):
    """What is left to a flow of a lock that its driver takes."""

    def locked(self) -> bool: ...

    def release(self) -> None: ...


class Renewal:
    def __init__(self, door: httpx2.URL, storage: Storage, lock: Lock) -> None:
        """``door`` is the URL that ends in ``auth/``."""
        self.door = door
        self.storage = storage
        self.lock = lock
        self._held: Held | None = None

    @property
    def held(self) -> Held | None:
        if self._held is None and (tokens := self._kept().tokens) is not None:
            self._hold(tokens)
        return self._held

    def token_for(self, request: httpx2.Request) -> Flow[str | None]:
        """The access token to send along, renewed when its end is near.

        None for another origin, and for a request that has credentials of its own.
        """
        if request.url.origin != self.door.origin or "Authorization" in request.headers:
            return None
        return (yield from self._fresh()).access

    def token_after(
        self, request: httpx2.Request, response: httpx2.Response, used: str | None
    ) -> Flow[str | None]:
        """The token for a second try, where a 401 asks for one and the request can be repeated."""
        if used is None or response.status_code != 401 or response.url.origin != self.door.origin:
            return None
        yield Read(response)
        if not replies.stale(response):
            return None
        tokens = yield from self._alone(self._replace(used))
        # Otherwise the caller has the 401, and fresh tokens for a decision of its own.
        return tokens.access if repeatable(request, response) else None

    def sign_in(self, username: str, password: str, device: str) -> Flow[None]:
        kept = self._kept()
        body = {"username": username, "password": password, "device": device}
        if kept.device_token is not None:
            body["device_token"] = kept.device_token
        yield from self._alone(self._grant("token", body))

    def change_password(self, current: str, new: str) -> Flow[None]:
        """Every session of the user ends, and this one goes on under new tokens."""
        tokens = yield from self._fresh()
        body = {"current_password": current, "new_password": new}
        headers = {"Authorization": f"Bearer {tokens.access}"}
        yield from self._alone(self._grant("password/change", body, headers))

    def log_out(self) -> Flow[None]:
        yield from self._alone(self._revoke())

    def _fresh(self) -> Flow[Tokens]:
        held = self.held
        if held is None:
            raise SignInRequired("Nobody is signed in.")
        now = time.monotonic()
        # One renews ahead of time, the others go on with what they have.
        if now < held.renew_at or (now < held.ends_at and self.lock.locked()):
            return held.tokens
        try:
            return (yield from self._alone(self._replace(held.tokens.access)))
        except ServerUnavailable as error:
            if now >= held.ends_at:
                raise
            if self._held is held:
                pause = max(error.retry_after or 0, PAUSE * random.uniform(0.5, 1))
                self._held = held.put_off(now + pause)
            return held.tokens

    def _alone(self, work: Flow[T]) -> Flow[T]:
        yield Enter()
        try:
            deadline = time.monotonic() + STUCK
            while not self.storage.acquire():
                if time.monotonic() > deadline:
                    raise ServerUnavailable("Another process does not give the tokens free.")
                yield Sleep(LOOK)
            try:
                return (yield from work)
            finally:
                self.storage.release()
        finally:
            self.lock.release()

    def _replace(self, access: str) -> Flow[Tokens]:
        """Tokens that come after this access token, by whomever they were got."""
        held = self._held
        if held is None:
            raise SessionEnded(ENDED)
        if held.tokens.access != access:
            return held.tokens
        kept = self._kept()
        if kept.tokens is None:
            self._held = None
            raise SessionEnded(ENDED)
        if kept.tokens.access != access and time.monotonic() < self._hold(kept.tokens).ends_at:
            return kept.tokens
        return (yield from self._exchange(kept.tokens))

    def _exchange(self, tokens: Tokens) -> Flow[Tokens]:
        asked_at = time.time()
        response = yield from self._ask("token/refresh", {"refresh": tokens.refresh})
        match response.status_code:
            case 200:
                return self._keep(response, asked_at)
            case 401:
                raise self._ended(replies.refusal(SessionEnded, response))
            case 409:
                return (yield from self._others(tokens, response))
        raise replies.refusal(ServerUnavailable, response)

    def _others(self, tokens: Tokens, response: httpx2.Response) -> Flow[Tokens]:
        """The refresh token was used a moment ago; wait for whoever used it to save what it got.

        It is never presented again: that would be the replay that ends the session for the other.
        """
        for _ in range(LOOKS_FOR_OTHERS):
            yield Sleep(min(replies.retry_after(response) or 1, LONGEST_LOOK))
            kept = self._kept().tokens
            if kept is not None and kept.access != tokens.access:
                return self._hold(kept).tokens
        raise self._ended(replies.refusal(SessionEnded, response))

    def _grant(
        self, path: str, body: dict[str, str], headers: dict[str, str] | None = None
    ) -> Flow[None]:
        asked_at = time.time()
        response = yield from self._ask(path, body, headers)
        match response.status_code:
            case 200:
                self._keep(response, asked_at)
            case 401 if replies.stale(response):
                raise replies.refusal(SessionEnded, response)
            case 400 | 401 | 403 | 423 | 429:
                raise replies.refusal(SignInRefused, response)
            case _:
                raise replies.refusal(ServerUnavailable, response)

    def _revoke(self) -> Flow[None]:
        """By the refresh token, which outlives the access token, and may have been used."""
        kept = self._kept()
        if kept.tokens is not None:
            response = yield from self._ask("token/revoke", {"token": kept.tokens.refresh})
            if response.status_code != 200:
                raise replies.refusal(ServerUnavailable, response)
        self._forget()

    def _ask(
        self, path: str, body: dict[str, str], headers: dict[str, str] | None = None
    ) -> Flow[httpx2.Response]:
        try:
            response: httpx2.Response = yield Ask(self.door.join(path), body, headers or {})
        except httpx2.TransportError as error:
            raise ServerUnavailable("The server cannot be reached.") from error
        return response

    def _keep(self, response: httpx2.Response, asked_at: float) -> Tokens:
        try:
            tokens = replies.granted(response, asked_at=asked_at)
        except ValueError as error:
            raise replies.refusal(ServerUnavailable, response) from error
        known = replies.document(response).get("device_token") or self._kept().device_token
        self._hold(tokens)
        self.storage.save(Kept(tokens=tokens, device_token=known).dump())
        return tokens

    def _ended(self, error: ClientError) -> ClientError:
        self._forget()
        return error

    def _forget(self) -> None:
        self._held = None
        self.storage.save(Kept(device_token=self._kept().device_token).dump())

    def _kept(self) -> Kept:
        return Kept.parse(self.storage.load())

    def _hold(self, tokens: Tokens) -> Held:
        held = hold(tokens, wall=time.time(), monotonic=time.monotonic(), chance=random.random())
        self._held = held
        return held


def repeatable(request: httpx2.Request, response: httpx2.Response) -> bool:
    """Not a body that was streamed, which is gone, nor what has led to a redirect and so was done
    before its sequel was refused."""
    done = bool(response.history) and request.method not in ("GET", "HEAD", "OPTIONS")
    return isinstance(request.stream, httpx2.ByteStream) and not done
