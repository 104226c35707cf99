"""How the OpenAPI document names our authentication; drf-spectacular finds the class by itself."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class HookScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "health.authentication.HookAuthentication"
    name = "hook"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        told = 'A token whose SHA-256 digest is in `HEALTH["ALERTS"]["HOOK_TOKENS"]`.'
        return {"type": "http", "scheme": "bearer", "description": told}
