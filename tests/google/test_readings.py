"""Replies of a shape that Google may send and the simulator does not."""

import pytest
from google.genai import types

from breaker.contrib.google import imagen, veo, vertex
from breaker.contrib.google.results import Blocked, Operation, OperationFailed, Text, Unreadable


def test_a_submission_without_a_name_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        veo._read_submission(types.GenerateVideosOperation())


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ({"name": "o"}, Operation("o")),
        ({"name": "o", "done": True, "error": {"code": 4}}, OperationFailed(4)),
        ({"name": "o", "done": True, "error": {"message": "x"}}, OperationFailed(2)),
        ({"name": "o", "done": True}, Blocked("SAFETY")),
    ],
)
def test_an_operation_is_running_failed_or_without_films(reply: object, reading: object) -> None:
    assert veo._read(types.GenerateVideosOperation.model_validate(reply)) == reading


def test_no_pictures_are_withheld_pictures() -> None:
    assert imagen._read_imagen(types.GenerateImagesResponse()) == Blocked("SAFETY")
    assert imagen._read_gemini(types.GenerateContentResponse()) == Blocked("SAFETY")


@pytest.mark.parametrize(
    ("finish", "reading"),
    [
        ("SAFETY", Blocked("SAFETY")),
        ("PROHIBITED_CONTENT", Blocked("PROHIBITED_CONTENT")),
        ("MAX_TOKENS", Text("half")),
    ],
)
def test_a_reason_to_stop_may_be_a_reason_to_withhold(finish: str, reading: object) -> None:
    candidate = {"finishReason": finish, "content": {"parts": [{"text": "half"}]}}
    response = types.GenerateContentResponse.model_validate({"candidates": [candidate]})
    assert vertex._read(response) == reading
