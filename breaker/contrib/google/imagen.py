"""Pictures, behind the breaker ``imagen:{location}:{model}``."""

from inspect import unwrap
from typing import Any

from google.genai import types

from .calls import Call, arun, run
from .conf import Settings, conf
from .gemini import withheld
from .results import Blocked, Image, Unreadable

Pictures = tuple[Image, ...] | Blocked


def generate(
    prompt: str, *, model: str = "", count: int = 1, aspect_ratio: str | None = None
) -> Pictures:
    """Raises GenerationError and CircuitOpenError."""
    return run(_call(conf(), prompt, model, count, aspect_ratio))


async def agenerate(
    prompt: str, *, model: str = "", count: int = 1, aspect_ratio: str | None = None
) -> Pictures:
    return await arun(_call(conf(), prompt, model, count, aspect_ratio))


def circuit(settings: Settings, model: str) -> str:
    return f"imagen:{settings.location}:{model}"


def _call(
    settings: Settings, prompt: str, model: str, count: int, aspect_ratio: str | None
) -> Call[Pictures]:
    model = model or settings.imagen_models[0]
    build = _gemini if model.startswith("gemini") else _imagen
    return build(settings, prompt, model, count, aspect_ratio)


def _imagen(
    settings: Settings, prompt: str, model: str, count: int, aspect_ratio: str | None
) -> Call[Pictures]:
    config = types.GenerateImagesConfig(
        number_of_images=count, aspect_ratio=aspect_ratio, include_rai_reason=True
    )
    return Call(
        settings=settings,
        circuit=circuit(settings, model),
        seconds=settings.imagen_seconds,
        config=config,
        # The SDK wraps generate_images to warn that it goes away in 2027; _gemini is what stays.
        send=lambda client, config: unwrap(type(client.models).generate_images)(
            client.models, model=model, prompt=prompt, config=config
        ),
        read=_read_imagen,
    )


def _read_imagen(response: types.GenerateImagesResponse) -> Pictures:
    made = response.generated_images or []
    images = [picture.image for picture in made if picture.image]
    filtered = any(picture.rai_filtered_reason for picture in made)
    return _pictures(
        ((image.mime_type, image.image_bytes) for image in images),
        withheld=Blocked("SAFETY") if filtered else None,
    )


def _gemini(
    settings: Settings, prompt: str, model: str, count: int, aspect_ratio: str | None
) -> Call[Pictures]:
    return Call(
        settings=settings,
        circuit=circuit(settings, model),
        seconds=settings.imagen_seconds,
        config=types.GenerateContentConfig(
            response_modalities=["IMAGE"],
            image_config=types.ImageConfig(aspect_ratio=aspect_ratio) if aspect_ratio else None,
        ),
        send=lambda client, config: client.models.generate_content(
            model=model, contents=prompt, config=config
        ),
        read=_read_gemini,
    )


def _read_gemini(response: types.GenerateContentResponse) -> Pictures:
    blobs = [part.inline_data for part in response.parts or () if part.inline_data]
    return _pictures(((blob.mime_type, blob.data) for blob in blobs), withheld=withheld(response))


def _pictures(found: Any, *, withheld: Blocked | None) -> Pictures:
    images = tuple(Image(kind or "image/png", data) for kind, data in found if data)
    answer = images or withheld
    if not answer:
        raise Unreadable
    return answer
