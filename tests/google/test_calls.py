"""The guarded calls through the real SDK, in both colours."""

import asyncio
import os
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync
from google.genai import types
from pytest_django.fixtures import Settings

from breaker import CircuitOpenError, get_breaker
from breaker.contrib.google import imagen, veo, vertex
from breaker.contrib.google.client import client
from breaker.contrib.google.conf import Service, conf
from breaker.contrib.google.errors import (
    GenerationError,
    GoogleNotConfigured,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from breaker.contrib.google.results import Blocked, Operation, OperationFailed, Text
from breaker.deadline import Deadline

from .conftest import Remote, limited


def state(service: str, part: str = "") -> str:
    """Of the circuit of the service's default model."""
    model = conf().models(Service(service))[0]
    return get_breaker(":".join(filter(None, (service, "us-central1", model, part)))).state


async def collect(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


def astream(prompt: str) -> list[Any]:
    return async_to_sync(collect)(vertex.astream(prompt))


CALLS = {
    "imagen": (imagen.generate, "imagen"),
    "imagen async": (async_to_sync(imagen.agenerate), "imagen"),
    "vertex": (vertex.generate, "vertex"),
    "vertex async": (async_to_sync(vertex.agenerate), "vertex"),
    "stream": (lambda prompt: list(vertex.stream(prompt)), "vertex"),
    "stream async": (astream, "vertex"),
    "veo": (veo.submit, "veo"),
    "veo async": (async_to_sync(veo.asubmit), "veo"),
}
every_call = pytest.mark.parametrize(("call", "service"), CALLS.values(), ids=CALLS.keys())
Made = Callable[[str], Any]


@every_call
def test_a_call_comes_back_with_values(remote: Remote, call: Made, service: str) -> None:
    assert call("a cat")
    assert sum(remote.counts.values()) == 1


@every_call
def test_a_fault_is_told_in_our_words(remote: Remote, call: Made, service: str) -> None:
    remote.fault(service, status=503, retry_after=7)
    with pytest.raises(UpstreamUnavailable) as failure:
        call("a secret prompt")
    assert failure.value.retry_after == 7
    assert str(failure.value) == "Google is unavailable (503 UNAVAILABLE)."
    assert sum(remote.counts.values()) == 1, "the SDK must not retry"


@every_call
@pytest.mark.parametrize("knobs", [{"hang": True}, {"drip": 0.05}], ids=["hang", "drip"])
def test_a_call_ends_at_its_limit(remote: Remote, call: Made, service: str, knobs: Any) -> None:
    remote.fault(service, **knobs)
    started = time.monotonic()
    with limited(0.7), pytest.raises(UpstreamTimeout):
        call("a cat")
    assert 0.6 < time.monotonic() - started < 5


@every_call
def test_half_an_answer_is_no_answer(remote: Remote, call: Made, service: str) -> None:
    remote.fault(service, malformed=True)
    with pytest.raises(UpstreamFailed):
        call("a cat")


@every_call
def test_five_failures_open_the_circuit(remote: Remote, call: Made, service: str) -> None:
    remote.fault(service, status=503)
    for _ in range(5):
        with pytest.raises(UpstreamUnavailable):
            call("a cat")
    started = time.monotonic()
    with pytest.raises(CircuitOpenError) as refusal:
        call("a cat")
    assert time.monotonic() - started < 0.05
    assert 0 < refusal.value.retry_after <= 60
    assert sum(remote.counts.values()) == 5


@every_call
def test_refusals_of_the_request_open_nothing(remote: Remote, call: Made, service: str) -> None:
    remote.fault(service, status=400)
    for _ in range(6):
        with pytest.raises(UpstreamFailed):
            call("a cat")
    assert sum(remote.counts.values()) == 6


@pytest.mark.parametrize(
    "call",
    [
        imagen.generate,
        async_to_sync(imagen.agenerate),
        lambda prompt: imagen.generate(prompt, model=conf().imagen_models[2]),
        vertex.generate,
    ],
    ids=["imagen", "imagen async", "gemini picture", "vertex"],
)
def test_withheld_content_is_a_good_answer(remote: Remote, call: Made) -> None:
    remote.fault("imagen", blocked=True)
    remote.fault("vertex", blocked=True)
    assert [call("a cat") for _ in range(6)] == [Blocked("SAFETY")] * 6


def test_a_film_is_polled_to_its_end(remote: Remote) -> None:
    operation = veo.submit("waves", duration_seconds=4)
    assert isinstance(operation, Operation)
    (film,) = veo.poll(operation)
    assert film.media_type == "video/mp4"
    assert async_to_sync(veo.apoll)(operation) == (film,)


def test_films_that_google_fails_to_make_open_a_circuit_of_their_own(remote: Remote) -> None:
    remote.fault("veo_poll", operation_code=13)
    operation = veo.submit("waves")
    assert [veo.poll(operation) for _ in range(6)] == [OperationFailed(13)] * 6
    assert state("veo", "operation") == "open"
    assert state("veo", "poll") == "closed"
    assert state("veo", "submit") == "closed"


def test_films_against_the_rules_open_nothing(remote: Remote) -> None:
    remote.fault("veo_poll", operation_code=3)
    operation = veo.submit("waves")
    for _ in range(6):
        veo.poll(operation)
    assert state("veo", "operation") == "closed"


def test_nothing_is_sent_before_the_first_chunk_is_wanted(remote: Remote) -> None:
    chunks = vertex.stream("a cat")
    assert remote.counts["vertex"] == 0
    assert next(chunks) == Text("This ")
    assert remote.counts["vertex"] == 1
    assert "".join(chunk.text for chunk in chunks).endswith("5 characters.")


@pytest.mark.parametrize("stream", ["stream", "stream async"])
def test_a_stream_that_breaks_half_way_is_a_failure(remote: Remote, stream: str) -> None:
    call, _ = CALLS[stream]
    remote.fault("vertex", malformed=True)
    for _ in range(5):
        with pytest.raises(UpstreamFailed):
            call("a cat")
    assert state("vertex") == "open"


async def apaused(stream: Any, seconds: float) -> list[Any]:
    chunks = [await anext(stream)]
    await asyncio.sleep(seconds)
    return chunks + await collect(stream)


def paused(stream: Any, seconds: float) -> list[Any]:
    chunks = [next(stream)]
    time.sleep(seconds)
    return chunks + list(stream)


@pytest.mark.parametrize(
    ("read", "stream"),
    [(paused, vertex.stream), (async_to_sync(apaused), vertex.astream)],
    ids=["stream", "stream async"],
)
def test_the_time_of_a_streams_reader_does_not_count(
    remote: Remote, read: Any, stream: Any
) -> None:
    remote.fault("vertex", drip=0.0001)
    with limited(2):
        chunks = read(stream("a cat"), 2.1)
    assert "".join(chunk.text for chunk in chunks).endswith("5 characters.")


def test_a_stream_that_its_reader_closes_says_nothing(remote: Remote) -> None:
    for _ in range(6):
        chunks = vertex.stream("a cat")
        next(chunks)
        chunks.close()
    assert state("vertex") == "closed"


def test_a_cancelled_call_says_nothing(remote: Remote) -> None:
    remote.fault("vertex", hang=True)

    async def cancelled() -> None:
        for _ in range(6):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(vertex.agenerate("a cat"), 0.05)

    async_to_sync(cancelled)()
    assert state("vertex") == "closed"


def test_one_model_does_not_open_the_circuit_of_another(remote: Remote) -> None:
    broken, fine, gemini = conf().imagen_models
    remote.fault("imagen", status=429, model=broken)
    for _ in range(5):
        with pytest.raises(GenerationError):
            imagen.generate("a cat")
    assert state("imagen") == "open"
    assert imagen.generate("a cat", model=fine)
    assert imagen.generate("a cat", model=gemini, aspect_ratio="1:1")


def test_without_configuration_the_error_says_what_to_set(settings: Settings) -> None:
    settings.GOOGLE_AI = {}
    with pytest.raises(GoogleNotConfigured, match="GOOGLE_CLOUD_PROJECT"):
        imagen.generate("a cat")


def test_one_client_serves_a_process_and_none_crosses_a_fork(remote: Remote) -> None:
    ours = client(conf())
    assert client(conf()) is ours
    child = os.fork()
    if child == 0:
        os._exit(client(conf()) is ours)
    assert os.waitpid(child, 0)[1] == 0


def test_nothing_is_sent_when_the_time_went_before_the_request(remote: Remote) -> None:
    with Deadline(0), pytest.raises(httpx2.ConnectTimeout):
        client(conf()).models.generate_content(
            model="m",
            contents="a cat",
            config=types.GenerateContentConfig(http_options=types.HttpOptions(timeout=1000)),
        )
    assert remote.counts["vertex"] == 0


@every_call
def test_each_call_carries_the_headers_of_its_own_moment(
    remote: Remote, settings: Settings, call: Made, service: str
) -> None:
    moment: ContextVar[str] = ContextVar("moment")
    settings.GOOGLE_AI = {
        **settings.GOOGLE_AI,
        "HEADERS": lambda: {"traceparent": moment.get(), "tracestate": "a=1"},
    }
    for now in ("first", "second"):
        token = moment.set(now)
        call("a cat")
        moment.reset(token)
    first, second = remote.recent[-2:]
    assert (first["traceparent"], second["traceparent"]) == ("first", "second")
    assert first["tracestate"] == "a=1"


def test_a_poll_carries_them_too(remote: Remote, settings: Settings) -> None:
    operation = veo.submit("a cat")
    assert "traceparent" not in remote.recent[-1]
    settings.GOOGLE_AI = {**settings.GOOGLE_AI, "HEADERS": lambda: {"traceparent": "poll"}}
    veo.poll(operation)
    assert remote.recent[-1]["traceparent"] == "poll"


def test_a_real_project_is_reached_at_its_region(settings: Settings) -> None:
    settings.GOOGLE_AI = {"PROJECT": "p", "LOCATION": "europe-west4"}
    options = client(conf())._api_client._http_options
    assert options.base_url == "https://europe-west4-aiplatform.googleapis.com/"
    assert options.retry_options.attempts == 1
