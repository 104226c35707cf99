from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .alerting import reported
from .alerting.reported import Report
from .authentication import HasToken, HookAuthentication
from .serializers import AlertmanagerMessage, Taken


class HookView(APIView):
    authentication_classes = [HookAuthentication]
    permission_classes = [HasToken]

    @extend_schema(
        operation_id="alerts_hook", tags=["alerts"], request=AlertmanagerMessage, responses=Taken
    )
    def post(self, request: Request) -> Response:
        """Put alerts of Prometheus on record, as Alertmanager tells them (version 4).

        Each counts once, however often and late it is told. Other fields are ignored.
        """
        given = AlertmanagerMessage(data=request.data)
        given.is_valid(raise_exception=True)
        alerts = given.validated_data["alerts"]
        news = reported.take(map(_report, alerts))
        return Response({"alerts": len(alerts), "news": news})


def _report(alert: dict[str, Any]) -> Report:
    began, over = alert["startsAt"], alert["status"] == "resolved"
    return Report(
        fingerprint=alert["fingerprint"],
        labels=alert["labels"],
        summary=alert.get("annotations", {}).get("summary", ""),
        began=began,
        ended=max(began, alert.get("endsAt", began)) if over else None,
    )
