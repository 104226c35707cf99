import socket
import ssl

import pytest

from health.reasons import reason_of
from health.verdict import Reason


def wrapped(text: str, cause: BaseException) -> Exception:
    error = RuntimeError(text)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), Reason.TIMEOUT),
        (ConnectionRefusedError(), Reason.REFUSED),
        (FileNotFoundError(), Reason.REFUSED),
        (socket.gaierror(-2, "Name or service not known"), Reason.DNS),
        (ssl.SSLCertVerificationError(), Reason.TLS),
        (wrapped("Error 111 connecting", ConnectionRefusedError()), Reason.REFUSED),
        (RuntimeError("connection failed: Connection refused"), Reason.REFUSED),
        (RuntimeError("connection timeout expired"), Reason.TIMEOUT),
        (RuntimeError("failed to resolve host 'db'"), Reason.DNS),
        (RuntimeError('FATAL: password authentication failed for user "x"'), Reason.CREDENTIALS),
        (RuntimeError("FATAL: sorry, too many clients already"), Reason.SATURATED),
        (RuntimeError("OOM command not allowed when used memory > 'maxmemory'."), Reason.SATURATED),
        (RuntimeError("cannot execute INSERT in a read-only transaction"), Reason.READ_ONLY),
        (ValueError("anything else"), Reason.ERROR),
        (SystemExit(3), Reason.ERROR),
    ],
)
def test_an_exception_becomes_a_word_of_the_list(error: BaseException, reason: Reason) -> None:
    assert reason_of(error) is reason
