"""What requests find out by failing, sooner than the next look of a probe."""

import sys
from typing import Any

from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError

from . import checker


def connect() -> None:
    got_request_exception.connect(_failed, dispatch_uid="health")


def _failed(**_: Any) -> None:
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        checker.doubt("database")
