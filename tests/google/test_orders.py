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


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"service": "imagen", "prompt": 5}, "prompt"),
        ({"service": "imagen", "prompt": None}, "prompt"),
        ({"service": 1, "prompt": "x"}, "service"),
        ({"service": "imagen", "prompt": "x", "model": 4}, "model"),
    ],
)
def test_a_value_of_another_json_type_is_refused(given, field):
    serializer = OrderSerializer(data=given)
    assert not serializer.is_valid()
    assert set(serializer.errors) == {field}


@pytest.mark.parametrize(
    ("service", "parameters"),
    [
        ("imagen", {"count": "2"}),
        ("imagen", {"count": 2.0}),
        ("imagen", {"count": True}),
        ("veo", {"generate_audio": "yes"}),
        ("veo", {"generate_audio": 1}),
        ("veo", {"duration_seconds": "8"}),
        ("vertex", {"temperature": "0.5"}),
        ("vertex", {"temperature": True}),
    ],
)
def test_a_parameter_of_another_json_type_is_refused(service, parameters):
    serializer = OrderSerializer(data={"service": service, "prompt": "x", "parameters": parameters})
    assert not serializer.is_valid()
    assert set(serializer.errors["parameters"]) == set(parameters)
