"""What a body and an answer look like: an example of each, for the schema."""

from typing import Any

Json = dict[str, Any]

NAME, WHY = "render:42", "the partner asked us to wait"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"  # noqa: S105
JWT = "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"
AT, LATER = "2026-11-23T03:10:07Z", "2026-11-23T04:10:07Z"
COMMANDED = {"reason": WHY}
# By the operation that takes them.
BODIES: dict[str, Json] = {
    "auth_token_create": {"username": "ada", "password": "correct horse battery staple"},
    "auth_token_refresh_create": {"refresh": JWT},
    "auth_token_revoke_create": {"token": JWT},
    "auth_token_introspect_create": {"token": JWT},
    "auth_password_change_create": {
        "current_password": "correct horse battery staple",
        "new_password": "a lighthouse keeps its own hours",
    },
    "auth_lockouts_unlock_create": {"reason": "the owner has called"},
    "auth_signing_keys_create": {"name": "render farm", "scopes": ["generate", "read"]},
    "auth_signing_keys_rotate": {"overlap_seconds": 3_600},
    "alerts_hook": {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "LockLost", "pattern": "render:*", "severity": "ticket"},
                "annotations": {"summary": "A lock render:* was lost by its holder"},
                "startsAt": AT,
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "c51f8a6e4d2b9037",
            }
        ],
    },
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

PAIR = {
    "access": JWT,
    "refresh": JWT,
    "access_expires_at": LATER,
    "refresh_expires_at": "2026-12-23T03:10:07Z",
    "session": "kS2b7Yc0Qd4",
}
LOCKOUT = {
    "id": 5,
    "username": "ada",
    "dimension": "account",
    "failures": 5,
    "level": 1,
    "hard": False,
    "locked_until": LATER,
    "addresses": ["203.0.113.0/24"],
}
SESSION = {
    "id": "kS2b7Yc0Qd4",
    "device": "Firefox on Linux",
    "created_at": AT,
    "last_used_at": AT,
    "address": "203.0.113.0/24",
    "current": True,
}
KEY = {
    "id": 3,
    "keyid": "pQ0vZ7mW1xYt2aBcDeFgHi",
    "name": "render farm",
    "state": "active",
    "scopes": ["generate", "read"],
    "not_before": AT,
    "not_after": None,
    "last_used_at": None,
    "created_at": AT,
}
HOLDER = {"host": "web-1", "pid": 4321, "thread": 140_213, "meta": {"job": "render"}}
LOCK = {
    "name": NAME,
    "kind": "lock",
    "phase": "held",
    "fence": 7,
    "holder": HOLDER,
    "held_for": 3.2,
    "expires_in": 26.8,
    "held": 1,
    "holders": [
        HOLDER
        | {"fence": 7, "mode": "exclusive", "phase": "held", "held_for": 3.2, "expires_in": 26.8}
    ],
    "waiting": 1,
    "waiters": [{"position": 1, "waited": 1.5, "host": "web-2", "pid": 1234}],
    "grants": 7,
    "contended": 2,
    "forced": 0,
}
TOTALS = {"ok": 980, "failed": 14, "throttled": 2, "slow": 0}
POLICY = {
    "failure_threshold": 5,
    "minimum_calls": 1,
    "failure_rate": None,
    "consecutive": False,
    "slow_call_seconds": None,
    "slow_rate": 0.5,
    "trip_quorum": 1,
    "window": 60.0,
    "open_timeout": 60.0,
    "max_open_timeout": None,
    "backoff_factor": 1.0,
    "jitter": None,
    "half_open_permits": 1,
    "success_threshold": 1,
    "half_open_timeout": 600.0,
    "on_store_error": "local",
}
CIRCUIT = {
    "name": "imagen:us-central1:imagen-4.0-generate-001",
    "state": "open",
    "override": None,
    "override_ends_in": None,
    "epoch": 7,
    "calls": 9,
    "failures": 5,
    "slow": 0,
    "failure_rate": 0.556,
    "slow_rate": 0.0,
    "rejected": 31,
    "totals": TOTALS,
    "retry_after": 41.3,
    "attempt": 1,
    "opened_at": AT,
    "open_until": LATER,
    "changed_at": AT,
    "reason": "threshold_reached",
    "actor": "",
    "last_error": "ServerError: 503 UNAVAILABLE",
    "source": "shared",
    "config": POLICY,
    "configured": dict.fromkeys(POLICY) | {"failure_threshold": 5},
}
TRANSITION = {
    "epoch": 7,
    "from_state": "closed",
    "to_state": "open",
    "reason": "threshold_reached",
    "actor": "",
    "at": AT,
    "counts": {"ok": 4, "failed": 5, "throttled": 0, "slow": 0},
    "last_error": "ServerError: 503 UNAVAILABLE",
    "host": "web-1",
    "pid": 4321,
}
ID = "0190a6a2-3f7c-7c3e-9d55-3b7b1f0e8a11"
GENERATION = {
    "id": ID,
    "service": "imagen",
    "model": "imagen-4.0-generate-001",
    "status": "succeeded",
    "created_at": AT,
    "finished_at": AT,
    "results": [
        {
            "n": 0,
            "media_type": "image/png",
            "size": 412_816,
            "url": f"https://mainstay.example/api/v1/generations/{ID}/content/0",
        }
    ],
    "text": "",
    "error": None,
}


def page(row: Json) -> Json:
    return {"results": [row], "next": None, "previous": None}


# By the schema of the answer.
ANSWERS: dict[str, Json] = {
    "CircuitPage": page(CIRCUIT),
    "CircuitRow": CIRCUIT,
    "ForcedReleaseRow": {
        "id": 2,
        "name": NAME,
        "kind": "lock",
        "fence": 7,
        "holder": "web-1:4321:140213",
        "meta": '{"job": "render"}',
        "actor": "operator",
        "reason": "its holder hangs",
        "at": AT,
        "outcome": "released",
    },
    "Generation": GENERATION,
    "IntrospectionReply": {
        "active": True,
        "sub": "12",
        "username": "ada",
        "sid": "kS2b7Yc0Qd4",
        "token_type": "access",
        "iat": 1_795_403_407,
        "exp": 1_795_407_007,
    },
    "Jwks": {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": "2026-11",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }
        ]
    },
    "LeaseReply": {"name": NAME, "token": TOKEN, "fence": 7, "lease": 30.0, "expires_in": 29.9},
    "LockPage": page(LOCK),
    "LockRow": LOCK,
    "LockoutRow": LOCKOUT,
    "Me": {
        "id": 12,
        "username": "ada",
        "is_staff": False,
        "permissions": [],
        "session": "kS2b7Yc0Qd4",
    },
    "NewKeyRow": KEY | {"secret": "c2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXMtb25jZSE", "tag": "mainstay"},
    "PaginatedGenerationList": page(GENERATION),
    "PaginatedKeyRowList": page(KEY),
    "PaginatedLockoutRowList": page(LOCKOUT),
    "PaginatedSessionRowList": page(SESSION),
    "Revoked": {"revoked": 2},
    "SignedInReply": PAIR | {"device_token": "eyJkIjoia1MyYjdZYzAifQ.c2ln"},
    "Taken": {"alerts": 1, "news": 1},
    "TokenPairReply": PAIR,
    "TransitionPage": page(TRANSITION),
}
