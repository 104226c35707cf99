"""Which reason an exception is. Drivers wrap their causes, hence the walk along the chain."""

import socket
import ssl
from collections.abc import Iterator

from .verdict import Reason

TYPES: dict[type[BaseException], Reason] = {
    TimeoutError: Reason.TIMEOUT,
    ConnectionRefusedError: Reason.REFUSED,
    FileNotFoundError: Reason.REFUSED,  # a unix socket that nobody serves
    socket.gaierror: Reason.DNS,
    ssl.SSLError: Reason.TLS,
}
# libpq reports a failed connect as text only, and servers their own limits as a reply.
PHRASES = {
    "timeout": Reason.TIMEOUT,
    "timed out": Reason.TIMEOUT,
    "refused": Reason.REFUSED,
    "no such file": Reason.REFUSED,
    "resolve host": Reason.DNS,
    "translate host name": Reason.DNS,
    "name or service not known": Reason.DNS,
    "authentication": Reason.CREDENTIALS,
    "password": Reason.CREDENTIALS,
    "no permissions": Reason.CREDENTIALS,
    "certificate": Reason.TLS,
    "too many c": Reason.SATURATED,  # clients, connections
    "max number of clients": Reason.SATURATED,
    "maxmemory": Reason.SATURATED,
    "read only": Reason.READ_ONLY,
    "read-only": Reason.READ_ONLY,
    "readonly": Reason.READ_ONLY,
}


def reason_of(error: BaseException) -> Reason:
    chain = list(_chain(error))
    for link in chain:
        for kind, reason in TYPES.items():
            if isinstance(link, kind):
                return reason
    text = " ".join(str(link) for link in chain).lower()
    return next((reason for phrase, reason in PHRASES.items() if phrase in text), Reason.ERROR)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
