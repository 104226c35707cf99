"""What a caller may ask for, checked to the last field."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from json import dumps
from typing import Any

from rest_framework import serializers

from breaker.strict import StrictSerializer

from .conf import Service, conf

PROMPT_LENGTH = 32_000
KEY = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """``model`` is empty when the caller leaves the choice to the settings."""

    service: Service
    model: str = ""
    prompt: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of the order as given: a new default model must not turn a retry into another order."""
        return sha256(dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def resolved_model(self) -> str:
        return self.model or conf().models(self.service)[0]


class ImagenParameters(StrictSerializer):
    count = serializers.IntegerField(min_value=1, max_value=4, required=False)
    aspect_ratio = serializers.ChoiceField(["1:1", "3:4", "4:3", "9:16", "16:9"], required=False)


class VeoParameters(StrictSerializer):
    duration_seconds = serializers.ChoiceField([4, 6, 8], required=False)
    aspect_ratio = serializers.ChoiceField(["16:9", "9:16"], required=False)
    resolution = serializers.ChoiceField(["720p", "1080p"], required=False)
    generate_audio = serializers.BooleanField(required=False)
    negative_prompt = serializers.CharField(max_length=2_000, required=False)
    seed = serializers.IntegerField(min_value=0, max_value=2**32 - 1, required=False)


class VertexParameters(StrictSerializer):
    temperature = serializers.FloatField(min_value=0.0, max_value=2.0, required=False)
    top_p = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    max_output_tokens = serializers.IntegerField(min_value=1, max_value=65_535, required=False)
    system_instruction = serializers.CharField(max_length=8_000, required=False)


PARAMETERS: Mapping[Service, type[StrictSerializer]] = {
    Service.IMAGEN: ImagenParameters,
    Service.VEO: VeoParameters,
    Service.VERTEX: VertexParameters,
}


class OrderSerializer(StrictSerializer):
    service = serializers.ChoiceField([service.value for service in Service])
    model = serializers.CharField(
        required=False, max_length=64, help_text="One of the configured models of the service."
    )
    prompt = serializers.CharField(max_length=PROMPT_LENGTH, trim_whitespace=False)
    parameters = serializers.DictField(
        required=False, help_text="imagen, veo and vertex each know their own."
    )

    def validate_prompt(self, prompt: str) -> str:
        if not prompt.strip():
            raise serializers.ValidationError("This field may not be blank.", code="blank")
        return prompt

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        service = Service(attrs["service"])
        model = attrs.get("model", "")
        if model and model not in conf().models(service):
            raise serializers.ValidationError({"model": [f"{service} has no such model here."]})
        parameters = PARAMETERS[service](data=attrs.get("parameters", {}))
        if not parameters.is_valid():
            raise serializers.ValidationError({"parameters": parameters.errors})
        order = Order(
            service=service, model=model, prompt=attrs["prompt"],
            parameters=dict(parameters.validated_data),
        )  # fmt: skip
        _refuse_several_from_gemini(order)
        return {"order": order}


def _refuse_several_from_gemini(order: Order) -> None:
    several = order.parameters.get("count", 1) > 1
    if several and order.resolved_model.startswith("gemini"):
        problem = {"count": ["A Gemini model makes one picture at a time."]}
        raise serializers.ValidationError({"parameters": problem})
