"""What is done under a generation's lock: call Google, then write the outcome under the fence."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from breaker.contrib import google
from breaker.errors import CircuitOpenError
from locking import Lease, LockError, StaleFence

from .circuits import breaker
from .conf import Service, Settings, conf
from .errors import GenerationError, UpstreamForgot
from .models import Generation, GenerationResult, Status
from .results import Blocked, Image, Operation, OperationFailed, Text, Video

Outcome = Operation | OperationFailed | Text | Blocked | tuple[Image, ...] | tuple[Video, ...]

# Anything else is stored as bytes without a meaning: it will be served from our own origin.
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
}
OPAQUE = "application/octet-stream"

COMMIT_PAUSE = 0.2  # seconds


def refuse_while_open(service: Service, model: str) -> None:
    """Raises CircuitOpenError if the order would be refused now."""
    breaker(_circuit(conf(), service, model)).allow().neutral()


def _circuit(settings: Settings, service: Service, model: str) -> str:
    match service:
        case Service.IMAGEN:
            return google.imagen.circuit(settings, model)
        case Service.VEO:
            return google.veo.circuit(settings, model, "submit")
        case Service.VERTEX:
            return google.vertex.circuit(settings, model)


def perform(generation: Generation, lease: Lease) -> None:
    """Raises GenerationError and CircuitOpenError after writing them down; LockError."""
    if generation.submitted_at:
        # Whoever sent it did not live to hear the answer. It may have been paid for.
        _settle(generation, Status.SUBMISSION_UNKNOWN)
        generation.save_fenced(lease)
        return
    _claim(generation, lease)
    _confirm(generation, lease)
    try:
        outcome = _call(generation)
    except CircuitOpenError as error:
        _fail(generation, lease, error, begun=False)
        raise
    except GenerationError as error:
        _fail(generation, lease, error, begun=error.begun)
        raise
    _store(generation, lease, outcome)


def poll(generation: Generation, lease: Lease) -> None:
    """Raises GenerationError, CircuitOpenError and StaleFence."""
    generation.polled_at = timezone.now()
    generation.save_fenced(lease)
    outcome = _polled(generation)
    if outcome != Operation(generation.operation):
        _store(generation, lease, outcome)


def _polled(generation: Generation) -> Outcome:
    """A film does not run for ever: it ends when Google has lost it, or when it is too old."""
    asked = Operation(generation.operation)
    try:
        outcome = google.veo.poll(asked)
    except UpstreamForgot:
        return OperationFailed(OperationFailed.NOT_FOUND)
    except (GenerationError, CircuitOpenError):
        if not _abandoned(generation):
            raise
        outcome = asked
    if outcome == asked and _abandoned(generation):
        return OperationFailed(OperationFailed.DEADLINE_EXCEEDED)
    return outcome


def _abandoned(generation: Generation) -> bool:
    oldest = timezone.now() - timedelta(seconds=conf().veo_abandon_seconds)
    return generation.submitted_at is not None and generation.submitted_at < oldest


def _claim(generation: Generation, lease: Lease) -> None:
    generation.status = Status.RUNNING
    generation.error_code = generation.error_detail = ""
    generation.finished_at = None
    if generation.service == Service.VEO:
        generation.submitted_at = timezone.now()
    generation.save_fenced(lease)


def _confirm(generation: Generation, lease: Lease) -> None:
    """A lease lost while the claim waited for the database must not pay."""
    try:
        lease.extend()
    except LockError:
        # Nothing was sent. Where this cannot be written, the claim stands, as if it had been.
        with suppress(StaleFence, DatabaseError):
            generation.status = Status.QUEUED
            generation.submitted_at = None
            generation.save_fenced(lease)
        raise


def _call(generation: Generation) -> Outcome:
    prompt, model, parameters = generation.prompt, generation.model, generation.parameters
    match Service(generation.service):
        case Service.IMAGEN:
            return google.imagen.generate(prompt, model=model, **parameters)
        case Service.VEO:
            return google.veo.submit(prompt, model=model, **parameters)
        case Service.VERTEX:
            return google.vertex.generate(prompt, model=model, **parameters)


def _fail(
    generation: Generation, lease: Lease, error: GenerationError | CircuitOpenError, *, begun: bool
) -> None:
    """A film that may be in the making must not be ordered again; a picture may."""
    unknown = begun and generation.service == Service.VEO
    _settle(generation, Status.SUBMISSION_UNKNOWN if unknown else Status.FAILED)
    generation.error_code, generation.error_detail = error.code, str(error)
    if not unknown:
        generation.submitted_at = None
    _commit(generation, lease, [])


def _settle(generation: Generation, status: Status) -> None:
    generation.status = status
    generation.finished_at = timezone.now()


def _store(generation: Generation, lease: Lease, outcome: Outcome) -> None:
    media: Sequence[Image | Video] = ()
    match outcome:
        case Operation(name):
            generation.operation = generation.operation or name
        case OperationFailed(code):
            _settle(generation, Status.FAILED)
            generation.error_code = "upstream_error"
            generation.error_detail = f"The film could not be made (google.rpc code {code})."
        case Blocked(reason):
            _settle(generation, Status.BLOCKED)
            generation.error_code = "content_blocked"
            generation.error_detail = f"Google withheld the content ({reason})."
        case Text(text):
            _settle(generation, Status.SUCCEEDED)
            generation.text = text
        case _:
            _settle(generation, Status.SUCCEEDED)
            media = outcome
    _write(generation, lease, media)


def _write(generation: Generation, lease: Lease, media: Sequence[Image | Video]) -> None:
    """Bytes first, under names that carry the fence: a stale worker overwrites nobody's."""
    results = []
    with ExitStack() as undo:
        for n, item in enumerate(media):
            results.append(_saved(generation, lease, n, item))
            undo.callback(default_storage.delete, results[n].file.name)
        _commit(generation, lease, results)
        undo.pop_all()


def _commit(generation: Generation, lease: Lease, results: Sequence[GenerationResult]) -> None:
    """An outcome was paid for: a database that fails is asked again while the lease lasts."""
    while True:
        try:
            with transaction.atomic():
                generation.save_fenced(lease)
                # Whether an attempt that failed was committed all the same is not known.
                generation.results.all().delete()
                GenerationResult.objects.bulk_create(results)
        except OperationalError:
            if lease.remaining <= COMMIT_PAUSE:
                raise
            connection.close_if_unusable_or_obsolete()
            time.sleep(COMMIT_PAUSE)
        else:
            return


def _saved(generation: Generation, lease: Lease, n: int, item: Image | Video) -> GenerationResult:
    media_type = item.media_type if item.media_type in EXTENSIONS else OPAQUE
    name = f"generations/{generation.pk}/{lease.fence}-{n}.{EXTENSIONS.get(media_type, 'bin')}"
    return GenerationResult(
        generation=generation,
        n=n,
        media_type=media_type,
        size=len(item.content),
        file=default_storage.save(name, ContentFile(item.content)),
    )
