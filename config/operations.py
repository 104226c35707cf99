"""What each operation may end in, beyond what any may: the part of the schema nobody can derive.

Named by the errors themselves, so that a status and its code are written down once.
"""

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
