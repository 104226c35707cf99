"""django-prometheus without the series that an anonymous client could invent.

Its latency histogram labels the raw request method: fifty made-up methods were 850 series.
/health and /metrics never come here, the wrapper answers them first.
"""

from typing import Any

from django_prometheus.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware

__all__ = ["AfterMiddleware", "BeforeMiddleware"]

BeforeMiddleware = PrometheusBeforeMiddleware


class AfterMiddleware(PrometheusAfterMiddleware):  # type: ignore[misc]  # untyped package
    def label_metric(self, metric: Any, request: Any, response: Any = None, **labels: str) -> Any:
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
