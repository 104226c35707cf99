"""Films: submitted once, then polled, behind ``veo:{location}:{model}:submit`` and ``:poll``.

The two are separate so that a refusing submit endpoint never stops the polling of films already
paid for. How films end feeds ``:operation``, minutes after anything was called.
"""

from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from google.genai import types

from .calls import Call, arun, report, run
from .conf import Settings, conf
from .results import Blocked, Operation, OperationFailed, Unreadable, Video

Films = tuple[Video, ...] | Blocked | OperationFailed


def submit(prompt: str, *, model: str = "", **parameters: Any) -> Operation:
    """``parameters`` are fields of the SDK's GenerateVideosConfig.

    Raises GenerationError, whose ``begun`` tells whether a film may be in the making all the
    same, and CircuitOpenError.
    """
    return run(_submission(conf(), prompt, model, parameters))


async def asubmit(prompt: str, *, model: str = "", **parameters: Any) -> Operation:
    return await arun(_submission(conf(), prompt, model, parameters))


def poll(operation: Operation) -> Operation | Films:
    """The operation again while it runs; polled after its end, it is counted again.

    Raises GenerationError and CircuitOpenError.
    """
    settings = conf()
    outcome = run(_poll(settings, operation))
    _report(settings, operation, outcome)
    return outcome


async def apoll(operation: Operation) -> Operation | Films:
    settings = conf()
    outcome = await arun(_poll(settings, operation))
    await sync_to_async(_report)(settings, operation, outcome)
    return outcome


def circuit(settings: Settings, model: str, part: str) -> str:
    return f"veo:{settings.location}:{model}:{part}"


def model_of(operation: Operation) -> str:
    return operation.name.partition("/models/")[2].partition("/")[0]


def _report(settings: Settings, operation: Operation, outcome: Operation | Films) -> None:
    """How a film ended; a poll that finds it unfinished says nothing about that."""
    if outcome != operation:
        report(circuit(settings, model_of(operation), "operation"), outcome)


def _submission(
    settings: Settings, prompt: str, model: str, parameters: dict[str, Any]
) -> Call[Operation]:
    model = model or settings.veo_models[0]
    return Call(
        settings=settings,
        circuit=circuit(settings, model, "submit"),
        seconds=settings.veo_submit_seconds,
        config=types.GenerateVideosConfig(**parameters),
        send=lambda client, config: client.models.generate_videos(
            model=model, source=types.GenerateVideosSource(prompt=prompt), config=config
        ),
        read=_read_submission,
    )


def _read_submission(operation: types.GenerateVideosOperation) -> Operation:
    if not operation.name:
        raise Unreadable
    return Operation(operation.name)


def _poll(settings: Settings, operation: Operation) -> Call[Operation | Films]:
    return Call(
        settings=settings,
        circuit=circuit(settings, model_of(operation), "poll"),
        seconds=settings.veo_poll_seconds,
        config=types.GetOperationConfig(),
        send=lambda client, config: client.operations.get(
            types.GenerateVideosOperation.model_validate({"name": operation.name}), config=config
        ),
        read=partial(_read, operation),
    )


def _read(asked: Operation, reply: types.GenerateVideosOperation) -> Operation | Films:
    if not reply.done:
        return asked
    match reply.error:
        case {"code": int(code)}:
            return OperationFailed(code)
    if reply.error or not reply.response:
        return OperationFailed(OperationFailed.UNKNOWN)
    return _films(reply.response)


def _films(response: types.GenerateVideosResponse) -> Films:
    videos = [film.video for film in response.generated_videos or () if film.video]
    films = tuple(
        Video(video.mime_type or "video/mp4", video.video_bytes)
        for video in videos
        if video.video_bytes
    )
    if films:
        return films
    if response.rai_media_filtered_count or response.rai_media_filtered_reasons:
        return Blocked("SAFETY")
    # A film left in a bucket is not fetched from there.
    elsewhere = any(video.uri for video in videos)
    return OperationFailed(OperationFailed.UNIMPLEMENTED if elsewhere else OperationFailed.UNKNOWN)
