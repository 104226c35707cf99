from typing import Any

import pytest

from breaker.contrib.google.conf import Service
from breaker.contrib.google.orders import Order, OrderSerializer

GOOD = {"service": "imagen", "prompt": "a cat"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"service": "dalle"}, "service"),
        ({"service": None}, "service"),
        ({"model": "imagen-1"}, "model"),
        ({"model": "gemini-2.5-flash"}, "model"),
        ({"model": "a" * 65}, "model"),
        ({"model": "../x"}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "a" * 32_001}, "prompt"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"promt": "a"}, "promt"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"count": 5}}, "parameters"),
        ({"parameters": {"aspect_ratio": "2:1"}}, "parameters"),
        ({"parameters": {"seed": 1}}, "parameters"),
        ({"service": "veo", "parameters": {"duration_seconds": 5}}, "parameters"),
        ({"service": "vertex", "parameters": {"temperature": 2.1}}, "parameters"),
        ({"model": "gemini-2.5-flash-image", "parameters": {"count": 2}}, "parameters"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], field: str) -> None:
    wanted = OrderSerializer(data={**GOOD, **change})
    assert not wanted.is_valid()
    assert set(wanted.errors) == {field}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"prompt": "a" * 32_000},
        {"model": "imagen-4.0-fast-generate-001", "parameters": {"count": 4}},
        {"service": "veo", "parameters": {"duration_seconds": 8, "generate_audio": False}},
        {"service": "vertex", "parameters": {"temperature": 0, "max_output_tokens": 100}},
    ],
)
def test_good_input_becomes_an_order(change: dict[str, Any]) -> None:
    wanted = OrderSerializer(data={**GOOD, **change})
    assert wanted.is_valid(), wanted.errors
    order = wanted.validated_data["order"]
    assert order.parameters == change.get("parameters", {})


def test_the_digest_tells_orders_apart_and_ignores_the_order_of_parameters() -> None:
    one = Order(service=Service.VEO, prompt="a", parameters={"seed": 1, "resolution": "720p"})
    same = Order(service=Service.VEO, prompt="a", parameters={"resolution": "720p", "seed": 1})
    other = Order(service=Service.VEO, prompt="a", parameters={"resolution": "720p", "seed": 2})
    assert one.digest == same.digest != other.digest
