"""Bodies in the shapes of the real services: request in, reply out, nothing remembered."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from .media import mp4, png

Json = dict[str, Any]

STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error(status: int, message: str = "simulated") -> Json:
    word = STATUS_WORDS.get(status, "UNKNOWN")
    return {"error": {"code": status, "message": message, "status": word}}


def predict(request: Json, *, blocked: bool) -> Json:
    """Imagen."""
    prompt = request["instances"][0]["prompt"]
    count = request.get("parameters", {}).get("sampleCount", 1)
    if blocked:
        return {"predictions": [{"raiFilteredReason": "simulated safety block"}]}
    return {
        "predictions": [
            {"mimeType": "image/png", "bytesBase64Encoded": _base64(png(f"{prompt}{n}"))}
            for n in range(count)
        ]
    }


def wants_image(request: Json) -> bool:
    return "IMAGE" in request.get("generationConfig", {}).get("responseModalities", [])


def generate_content(request: Json, *, blocked: bool) -> Json:
    """Gemini, in text or, when asked, as a picture."""
    prompt = _prompt(request)
    if blocked:
        return {"promptFeedback": {"blockReason": "SAFETY"}}
    if wants_image(request):
        inline = {"mimeType": "image/png", "data": _base64(png(prompt))}
        return _candidate({"inlineData": inline}, finish="STOP")
    return _candidate({"text": _answer(prompt)}, finish="STOP")


def stream_generate_content(request: Json, *, blocked: bool) -> Iterator[Json]:
    if blocked:
        yield {"promptFeedback": {"blockReason": "SAFETY"}}
        return
    *words, last = _answer(_prompt(request)).split(" ")
    for word in words:
        yield _candidate({"text": f"{word} "})
    yield _candidate({"text": last}, finish="STOP")


def operation(name: str, prompt: str, *, blocked: bool, code: int | None) -> Json:
    """A finished Veo operation; ``code`` is a google.rpc code to fail with."""
    if code is not None:
        return {"name": name, "done": True, "error": {"code": code, "message": "simulated"}}
    if blocked:
        response: Json = {
            "raiMediaFilteredCount": 1,
            "raiMediaFilteredReasons": ["simulated safety block"],
        }
    else:
        video = {"mimeType": "video/mp4", "bytesBase64Encoded": _base64(mp4(prompt))}
        response = {"raiMediaFilteredCount": 0, "videos": [video]}
    return {"name": name, "done": True, "response": response}


def _prompt(request: Json) -> str:
    return "".join(part.get("text", "") for part in request["contents"][-1]["parts"])


def _answer(prompt: str) -> str:
    return f"This is a simulated answer to a prompt of {len(prompt)} characters."


def _candidate(part: Json, *, finish: str | None = None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": [part]}}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate]}


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
