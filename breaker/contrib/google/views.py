from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from breaker.pages import LONGEST_PAGE
from breaker.strict import KnownSerializer

from . import generations
from .conf import Service
from .errors import IdempotencyKeyMissing
from .models import Generation, GenerationResult, Status
from .orders import KEY, OrderSerializer
from .serializers import GenerationSerializer

KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    required=True,
    description="1 to 200 visible ASCII characters; names this order for ever.",
)
REPLAY_HEADER = OpenApiParameter(
    "Idempotent-Replay",
    location=OpenApiParameter.HEADER,
    response=[200, 202],
    description="`true` where this request did not do the work itself.",
)
LOCATION_HEADER = OpenApiParameter(
    "Location", location=OpenApiParameter.HEADER, response=[200, 201, 202]
)

# Under ATOMIC_REQUESTS an error reply would roll back the record of what was paid for.
own_transactions = method_decorator(transaction.non_atomic_requests, name="dispatch")


class Recent(CursorPagination):
    ordering = ("-created_at", "id")
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = LONGEST_PAGE

    def decode_cursor(self, request: Request) -> Cursor | None:
        """DRF makes something of anything; ours are those that it would write as they came."""
        cursor = super().decode_cursor(request)
        if cursor and not (_is_moment(cursor.position) and self._writes(cursor, request)):
            raise NotFound
        return cursor

    def _writes(self, cursor: Cursor, request: Request) -> bool:
        here, name = request.build_absolute_uri(), self.cursor_query_param
        given = replace_query_param(here, name, request.query_params[name])
        return self.encode_cursor(cursor) == given

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValidationError, ValueError, OverflowError):
            # A made-up cursor may decode to something that is no time at all.
            problem = {"cursor": ["There is no such page."]}
            raise serializers.ValidationError(problem) from None


def _is_moment(position: object) -> bool:
    """As the column writes it, zone and all. Raises ValueError."""
    if position is None:
        return True
    moment = datetime.fromisoformat(str(position))
    return moment.tzinfo is not None and str(moment) == position


class Filter(KnownSerializer):
    cursor = serializers.CharField(required=False, max_length=500)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LONGEST_PAGE)
    service = serializers.ChoiceField([service.value for service in Service], required=False)
    status = serializers.ChoiceField(Status.values, required=False)


def caller(request: Request) -> Any:
    """The user's primary key; permissions let nobody without one in."""
    return request.user.pk


def own(request: Request) -> QuerySet[Generation]:
    """Another user's generation does not exist."""
    return Generation.objects.filter(user_id=caller(request)).prefetch_related("results")


def idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise IdempotencyKeyMissing("Send an Idempotency-Key header that names this order.")
    if not KEY.fullmatch(key):
        problem = "Not 1 to 200 visible ASCII characters."
        raise serializers.ValidationError({"Idempotency-Key": [problem]})
    return key


@own_transactions
class Generations(ListModelMixin, GenericAPIView[Generation]):
    permission_classes = [IsAuthenticated]
    scope = "generate"
    serializer_class = GenerationSerializer
    pagination_class = Recent
    queryset = Generation.objects.none()

    def get_queryset(self) -> QuerySet[Generation]:
        wanted = Filter(data=self.request.query_params.dict())
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        return own(self.request).filter(
            **{name: given[name] for name in ("service", "status") if name in given}
        )

    @extend_schema(operation_id="generations_list", parameters=[Filter])
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="generations_create",
        request=OrderSerializer,
        parameters=[KEY_PARAMETER, REPLAY_HEADER, LOCATION_HEADER],
        responses={
            200: GenerationSerializer,
            201: GenerationSerializer,
            202: GenerationSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        wanted = OrderSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        reply = generations.order(caller(request), key, wanted.validated_data["order"])
        return _response(reply)


def _response(reply: generations.Reply) -> Response:
    generation = reply.generation
    if generation.status in (Status.QUEUED, Status.RUNNING):
        status = HTTPStatus.ACCEPTED
    else:
        status = HTTPStatus.OK if reply.replayed else HTTPStatus.CREATED
    headers = {"Location": reverse("google:generation", args=[generation.pk])}
    if reply.replayed:
        headers["Idempotent-Replay"] = "true"
    return Response(GenerationSerializer(generation).data, status=status, headers=headers)


@own_transactions
class OneGeneration(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="generations_read", responses=GenerationSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        generation = generations.refresh(get_object_or_404(own(request), pk=pk))
        return Response(GenerationSerializer(generation).data)


@own_transactions
class Content(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="generations_content",
        responses={
            (200, kind): OpenApiTypes.BINARY
            for kind in ("image/png", "image/jpeg", "image/webp", "video/mp4")
        },
    )
    def get(self, request: Request, pk: UUID, n: int) -> FileResponse:
        found = GenerationResult.objects.filter(generation__user_id=caller(request))
        result = get_object_or_404(found, generation_id=pk, n=n)
        try:
            content = result.file.open("rb")
        except FileNotFoundError:
            raise NotFound from None
        response = FileResponse(content, content_type=result.media_type)
        # A result never changes; private, because only its owner may see it.
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response
