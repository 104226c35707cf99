"""How the OpenAPI document names our authentication; drf-spectacular finds the class by itself."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from .scopes import demanded

SIGNATURE = """\
RFC 9421 with hmac-sha256 and a key of `/api/v1/auth/signing-keys`: one signature labelled `sig1`
over `@method`, `@authority`, `@path`, `@query` and, with a body, `content-type` and
`content-digest` (RFC 9530, sha-256 or sha-512), with the parameters `created` (at most 300 s old),
`keyid`, `nonce` (22 to 64 characters, used once) and `tag="mainstay"`. Percent-encode in the path
nothing that need not be. The headers are `Signature-Input` and `Signature`; every fault is one
401 `signature_invalid`."""


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class SignatureScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.signing.SignatureAuthentication"
    name = "signature"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Signature", "description": SIGNATURE}

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        """With the scope it takes; None for operations that no signature opens."""
        scope = demanded(auto_schema.view, auto_schema.method)
        return None if scope is None else {self.name: [scope]}
