"""Replies of a shape that Google may send and the simulator does not."""

import pytest
from google.genai import types

from breaker.contrib.google import imagen, veo, vertex
from breaker.contrib.google.results import Blocked, Operation, OperationFailed, Text, Unreadable

FILM_ELSEWHERE = {"generated_videos": [{"video": {"uri": "gs://bucket/film.mp4"}}]}


def test_a_submission_without_a_name_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        veo._read_submission(types.GenerateVideosOperation())


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ({"name": "o"}, Operation("o")),
        ({"name": "another"}, Operation("o")),
        ({}, Operation("o")),
        ({"name": "o", "done": True, "error": {"code": 4}}, OperationFailed(4)),
        ({"name": "o", "done": True, "error": {"message": "x"}}, OperationFailed(2)),
        ({"name": "o", "done": True, "error": {"code": "x"}}, OperationFailed(2)),
        ({"name": "o", "done": True}, OperationFailed(2)),
        ({"done": True, "response": {"rai_media_filtered_count": 1}}, Blocked("SAFETY")),
        ({"done": True, "response": {"rai_media_filtered_reasons": ["x"]}}, Blocked("SAFETY")),
        ({"done": True, "response": FILM_ELSEWHERE}, OperationFailed(12)),
    ],
)
def test_an_operation_is_running_failed_or_without_films(reply: object, reading: object) -> None:
    asked = Operation("o")
    assert veo._read(asked, types.GenerateVideosOperation.model_validate(reply)) == reading


def test_pictures_are_withheld_for_a_reason() -> None:
    reply = {"generated_images": [{"rai_filtered_reason": "x"}]}
    assert imagen._read_imagen(types.GenerateImagesResponse.model_validate(reply)) == Blocked(
        "SAFETY"
    )
    reply = {"candidates": [{"finish_reason": "IMAGE_SAFETY"}]}
    assert imagen._read_gemini(types.GenerateContentResponse.model_validate(reply)) == Blocked(
        "IMAGE_SAFETY"
    )


def test_an_empty_reply_is_no_answer() -> None:
    with pytest.raises(Unreadable):
        imagen._read_imagen(types.GenerateImagesResponse())
    with pytest.raises(Unreadable):
        imagen._read_gemini(types.GenerateContentResponse())
    with pytest.raises(Unreadable):
        vertex._read(types.GenerateContentResponse())


def test_a_finished_reply_may_be_empty_and_so_may_a_chunk() -> None:
    finished = {"candidates": [{"finish_reason": "STOP"}]}
    assert vertex._read(types.GenerateContentResponse.model_validate(finished)) == Text("")
    assert vertex._read_chunk(types.GenerateContentResponse()) == Text("")


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
