"""What a caller of the API has to tell apart.

ClientError
├── SignInRefused       the password was not taken: ``code`` says why, ``retry_after`` until when
├── SignInRequired      nobody is signed in here
│   └── SessionEnded    no longer: the session was ended, or its time is over
└── ServerUnavailable   no answer of use; whoever is signed in still is
"""


class ClientError(Exception):
    """``status`` and ``code`` are the server's, where it answered; ``retry_after`` in seconds."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.retry_after = retry_after


class SignInRefused(ClientError):
    pass


class SignInRequired(ClientError):
    pass


class SessionEnded(SignInRequired):
    pass


class ServerUnavailable(ClientError):
    pass
