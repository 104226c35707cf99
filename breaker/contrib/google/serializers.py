from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from .models import Generation, GenerationResult


class ResultSerializer(serializers.ModelSerializer[GenerationResult]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = GenerationResult
        fields = ["n", "media_type", "size", "url"]

    def get_url(self, result: GenerationResult) -> str:
        return reverse("google:content", args=[result.generation_id, result.n])


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class GenerationSerializer(serializers.ModelSerializer[Generation]):
    results = ResultSerializer(many=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = Generation
        fields = [
            "id", "service", "model", "status", "created_at", "finished_at",
            "results", "text", "error",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(ErrorSerializer(allow_null=True))
    def get_error(self, generation: Generation) -> dict[str, str] | None:
        if not generation.error_code:
            return None
        return {"code": generation.error_code, "detail": generation.error_detail}
