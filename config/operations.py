"""What each operation may end in, beyond what any may: the part of the schema nobody can derive.

Named by the errors themselves, so that a status and its code are written down once.
"""

from typing import Any

from accounts import errors as accounts
from breaker import errors as breaker
from breaker.contrib.google import errors as google
from locking import errors as locking


class Forbidden:
    status, code = 403, "permission_denied"


LOGIN = (accounts.InvalidCredentials, accounts.AccountLocked)
LOCK = (
    locking.LockInvalid,
    locking.LockPrivate,
    locking.LockUnavailable,
)
CIRCUIT = (breaker.CircuitUnknown, breaker.BreakerUnavailable, breaker.CircuitKeyMisused)
CHANGE = (*CIRCUIT, Forbidden, breaker.CircuitChanged)
COMMAND = (*CHANGE, breaker.CommandInvalid, breaker.StaleEpoch)

Told = (
    type[accounts.AccountsError]
    | type[breaker.BreakerError]
    | type[locking.LockError]
    | type[Forbidden]
)

RAISED: dict[str, tuple[Told, ...]] = {
    "auth_token_create": LOGIN,
    "auth_token_refresh_create": (
        accounts.TokenInvalid,
        accounts.TokenExpired,
        accounts.TokenRevoked,
        accounts.TokenReused,
        accounts.RefreshInProgress,
    ),
    "auth_token_introspect_create": (Forbidden,),
    "auth_password_change_create": LOGIN,
    "auth_lockouts_list": (Forbidden,),
    "auth_lockouts_unlock_create": (Forbidden,),
    "auth_signing_keys_create": (accounts.ScopeNotAllowed, accounts.TooManyKeys),
    "auth_signing_keys_rotate": (
        accounts.ScopeNotAllowed,
        accounts.TooManyKeys,
        accounts.NotRotatable,
    ),
    "breakers_list": (breaker.BreakerUnavailable, breaker.CommandInvalid),
    "breakers_read": CIRCUIT,
    "breakers_transitions": CIRCUIT,
    "breakers_config": (*CHANGE, breaker.ConfigInvalid),
    "breakers_open": COMMAND,
    "breakers_close": COMMAND,
    "breakers_disable": COMMAND,
    "breakers_metrics_only": COMMAND,
    "breakers_auto": COMMAND,
    "breakers_reset": COMMAND,
    "generations_create": (
        google.IdempotencyKeyMissing,
        google.IdempotencyKeyReused,
        google.UpstreamFailed,
        google.UpstreamUnavailable,
        google.UpstreamThrottled,
        google.UpstreamTimeout,
        breaker.CircuitOpenError,
        breaker.BulkheadFull,
        breaker.TimeLimitExceeded,
        breaker.CircuitKeyMisused,
        breaker.BreakerUnavailable,
        locking.LockUnavailable,
        locking.LockLost,
        locking.LockQueueFull,
        locking.StaleFence,
    ),
    "generations_read": (
        breaker.CircuitOpenError,
        locking.LockUnavailable,
    ),
    "locks_list": (locking.LockInvalid, locking.LockUnavailable),
    "locks_read": LOCK,
    "locks_acquire": (*LOCK, locking.LockBusy, locking.LockQueueFull, locking.LockDeadlock),
    "locks_extend": (*LOCK, locking.LockLost),
    "locks_release": (*LOCK, locking.LockLost),
    "locks_force_release": (*LOCK, Forbidden, locking.StaleFence),
}

# Of bodies; of each, one that its operation takes.
NAME, WHY = "render:42", "the partner asked us to wait"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"  # noqa: S105
COMMANDED = {"reason": WHY}
EXAMPLES: dict[str, dict[str, Any]] = {
    "auth_token_create": {"username": "ada", "password": "correct horse battery staple"},
    "auth_token_refresh_create": {"refresh": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"},
    "auth_token_revoke_create": {"token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"},
    "auth_token_introspect_create": {"token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"},
    "auth_password_change_create": {
        "current_password": "correct horse battery staple",
        "new_password": "a lighthouse keeps its own hours",
    },
    "auth_lockouts_unlock_create": {"reason": "the owner has called"},
    "auth_signing_keys_create": {"name": "render farm", "scopes": ["generate", "read"]},
    "auth_signing_keys_rotate": {"overlap_seconds": 3_600},
    "breakers_open": COMMANDED | {"expires_in": 600},
    "breakers_close": COMMANDED,
    "breakers_disable": COMMANDED | {"expires_in": 600},
    "breakers_metrics_only": COMMANDED | {"expires_in": 600},
    "breakers_auto": COMMANDED | {"expected_epoch": 7},
    "breakers_reset": COMMANDED,
    "breakers_config": {"failure_threshold": 3, "open_timeout": 30, "failure_rate": None},
    "generations_create": {
        "service": "imagen",
        "prompt": "a lighthouse at dawn",
        "parameters": {"count": 1, "aspect_ratio": "16:9"},
    },
    "locks_acquire": {"name": NAME, "lease": 30, "wait": 5, "meta": {"job": "render"}},
    "locks_extend": {"name": NAME, "token": TOKEN, "lease": 30},
    "locks_release": {"name": NAME, "token": TOKEN},
    "locks_force_release": {"name": NAME, "fence": 7, "reason": "its holder hangs"},
}
