"""Probes, /health and /metrics, answered before Django from a snapshot in memory."""

from .probes import Probe
from .verdict import CheckResult, Reason, Status

__all__ = ["CheckResult", "Probe", "Reason", "Status"]
