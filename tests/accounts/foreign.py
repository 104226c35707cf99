"""A project's own view, which takes signed requests and refuses all of them."""

from django.urls import path
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

PATH = "/orders"


class Orders(APIView):
    scope = "generate"

    def post(self, request: Request) -> Response:
        raise ParseError


urlpatterns = [path(PATH.strip("/"), Orders.as_view())]
