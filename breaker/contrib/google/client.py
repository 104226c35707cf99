"""One SDK client per process and configuration."""

import os
from functools import lru_cache
from urllib.request import getproxies, proxy_bypass

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from .conf import HOST, Settings
from .deadline import DeadlineTransport
from .errors import GoogleNotConfigured

# One attempt: a retry hidden inside the SDK would be paid for and counted by nobody.
ONCE = types.HttpRetryOptions(attempts=1)


def client(settings: Settings) -> genai.Client:
    """Keep the result for as long as its call lasts: a client without holders closes itself.

    Raises GoogleNotConfigured.
    """
    if settings.project:
        return _google(os.getpid(), settings.project, settings.location)
    if settings.simulator_port:
        return _simulator(os.getpid(), settings.simulator_port, settings.location)
    raise GoogleNotConfigured


# Building a client takes 90 ms. Keyed by process, because connections do not survive a fork.


@lru_cache(maxsize=8)
def _google(pid: int, project: str, location: str) -> genai.Client:
    # A transport of our own hides the proxies of the environment from the SDK.
    proxy = None if proxy_bypass(HOST) else getproxies().get("https")
    return genai.Client(
        vertexai=True,
        project=project,
        location=location,
        http_options=types.HttpOptions(
            retry_options=ONCE, client_args={"transport": DeadlineTransport(proxy=proxy)}
        ),
    )


@lru_cache(maxsize=8)
def _simulator(pid: int, port: int, location: str) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project="simulator",
        location=location,
        credentials=Credentials(token="simulator"),  # type: ignore[no-untyped-call]  # noqa: S106
        http_options=types.HttpOptions(
            base_url=f"http://127.0.0.1:{port}",
            retry_options=ONCE,
            client_args={"transport": DeadlineTransport()},
            async_client_args={"trust_env": False},
        ),
    )
