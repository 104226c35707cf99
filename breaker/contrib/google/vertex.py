"""Text from Gemini, behind the breaker ``vertex:{location}:{model}``."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from google.genai import types

from .calls import Call, arun, astream_chunks, run, stream_chunks
from .conf import Settings, conf
from .gemini import withheld
from .results import Blocked, Text, Unreadable

# After these an answer without text is an answer.
FINISHED = {types.FinishReason.STOP, types.FinishReason.MAX_TOKENS}


def generate(prompt: str, *, model: str = "", **parameters: Any) -> Text | Blocked:
    """``parameters`` are fields of the SDK's GenerateContentConfig.

    Raises GenerationError and CircuitOpenError.
    """
    return run(_call(conf(), prompt, model, parameters))


async def agenerate(prompt: str, *, model: str = "", **parameters: Any) -> Text | Blocked:
    return await arun(_call(conf(), prompt, model, parameters))


def stream(prompt: str, *, model: str = "", **parameters: Any) -> Iterator[Text | Blocked]:
    """Sent at the first iteration; the breaker hears of success only after the last chunk."""
    return stream_chunks(_stream_call(conf(), prompt, model, parameters))


def astream(prompt: str, *, model: str = "", **parameters: Any) -> AsyncIterator[Text | Blocked]:
    return astream_chunks(_stream_call(conf(), prompt, model, parameters))


def circuit(settings: Settings, model: str) -> str:
    return f"vertex:{settings.location}:{model}"


def _call(
    settings: Settings, prompt: str, model: str, parameters: dict[str, Any]
) -> Call[Text | Blocked]:
    model = model or settings.vertex_models[0]
    return Call(
        settings=settings,
        circuit=circuit(settings, model),
        seconds=settings.vertex_seconds,
        config=types.GenerateContentConfig(**parameters),
        send=lambda client, config: client.models.generate_content(
            model=model, contents=prompt, config=config
        ),
        read=_read,
    )


def _stream_call(
    settings: Settings, prompt: str, model: str, parameters: dict[str, Any]
) -> Call[Text | Blocked]:
    model = model or settings.vertex_models[0]
    return Call(
        settings=settings,
        circuit=circuit(settings, model),
        seconds=settings.vertex_stream_seconds,
        config=types.GenerateContentConfig(**parameters),
        send=lambda client, config: client.models.generate_content_stream(
            model=model, contents=prompt, config=config
        ),
        read=_read_chunk,
    )


def _read(response: types.GenerateContentResponse) -> Text | Blocked:
    answer = _read_chunk(response)
    if answer == Text("") and not _finished(response):
        raise Unreadable
    return answer


def _finished(response: types.GenerateContentResponse) -> bool:
    return any(candidate.finish_reason in FINISHED for candidate in response.candidates or ())


def _read_chunk(response: types.GenerateContentResponse) -> Text | Blocked:
    return withheld(response) or Text(response.text or "")
