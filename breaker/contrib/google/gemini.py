"""Why Gemini gives nothing, be it text or a picture."""

from google.genai import types

from .results import Blocked

WITHHELD = {
    types.FinishReason.SAFETY,
    types.FinishReason.RECITATION,
    types.FinishReason.BLOCKLIST,
    types.FinishReason.PROHIBITED_CONTENT,
    types.FinishReason.SPII,
    types.FinishReason.IMAGE_SAFETY,
    types.FinishReason.IMAGE_PROHIBITED_CONTENT,
    types.FinishReason.IMAGE_RECITATION,
}


def withheld(response: types.GenerateContentResponse) -> Blocked | None:
    if response.prompt_feedback and response.prompt_feedback.block_reason:
        return Blocked(response.prompt_feedback.block_reason.value)
    for candidate in response.candidates or ():
        if candidate.finish_reason in WITHHELD:
            return Blocked(candidate.finish_reason.value)
    return None
