"""What can go wrong with credentials, and how each case is told to a client."""

from typing import ClassVar

from rest_framework.exceptions import APIException


class AccountsError(APIException):
    """Base of all; an APIException too, so that DRF's stock handler answers it correctly.

    ``status`` is the HTTP status, ``code`` the problem code; the text is safe to show a client.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "accounts_error"
    auth_header: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.status_code = cls.status
        cls.default_code = cls.code
        cls.default_detail = (cls.__doc__ or "").strip()

    def __init__(self, *, retry_after: float | None = None) -> None:
        """``retry_after`` in seconds."""
        super().__init__()
        self.retry_after = self.wait = retry_after


class InvalidCredentials(AccountsError):
    """The username or the password is wrong."""

    status = 401
    code = "invalid_credentials"
    auth_header = "Bearer"


class AccountLocked(AccountsError):
    """The account is locked after too many failed logins."""

    status = 423
    code = "account_locked"


class RateLimited(AccountsError):
    """Too many requests."""

    status = 429
    code = "rate_limited"


class TokenInvalid(AccountsError):
    """The token is not valid."""

    status = 401
    code = "token_invalid"
    auth_header = 'Bearer error="invalid_token"'


class TokenExpired(TokenInvalid):
    """The token has expired."""

    code = "token_expired"


class TokenRevoked(TokenInvalid):
    """The token has been revoked."""

    code = "token_revoked"


class TokenReused(TokenInvalid):
    """The refresh token was used before; its login session has been ended."""

    code = "token_reused"


class RefreshInProgress(AccountsError):
    """Another request is refreshing this token."""

    status = 409
    code = "refresh_in_progress"


class DatabaseUnavailable(AccountsError):
    """The database does not answer."""

    status = 503
    code = "database_unavailable"


class SealBroken(AccountsError):
    """A sealed value cannot be read: it was moved, altered, or its key is gone."""

    code = "seal_broken"

    def __init__(self, told: str) -> None:
        """``told`` names the place, for the log; callers of the API are told of a fault of ours."""
        super().__init__()
        self.told = told

    def __str__(self) -> str:
        return self.told


class KeyInUse(AccountsError):
    """An encryption key cannot be dropped: rows are sealed with it, or will be."""

    code = "key_in_use"

    def __init__(self, kid: str, *, rows: int) -> None:
        super().__init__()
        self.kid, self.rows = kid, rows

    def __str__(self) -> str:
        return f"Key {self.kid} must stay: it seals, or {self.rows} values are sealed with it."


class KeyUnknown(AccountsError):
    """No encryption key has this name, and nothing is sealed with it."""

    code = "key_unknown"


class SignatureInvalid(AccountsError):
    """The signature of the request is not valid."""

    status = 401
    code = "signature_invalid"
    auth_header = "Bearer"


class SignaturesUnavailable(AccountsError):
    """Signed requests cannot be taken at the moment."""

    status = 503
    code = "signatures_unavailable"


class NotWithinScope(AccountsError):
    """The key that signed this request may not do this."""

    status = 403
    code = "permission_denied"


class ScopeNotAllowed(AccountsError):
    """Only staff may hold keys with the scope introspect."""

    status = 403
    code = "permission_denied"


class TooManyKeys(AccountsError):
    """There are too many signing keys already; revoke some."""

    status = 409
    code = "too_many_signing_keys"


class NotRotatable(AccountsError):
    """Only an active signing key can be rotated."""

    status = 409
    code = "signing_key_not_active"
