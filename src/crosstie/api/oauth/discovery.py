"""The documents by which apps find the endpoints. What they say works; what works otherwise is not said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from crosstie.access.oauth.app import GRANTS
from crosstie.access.oauth.ring import CACHED, Ring
from crosstie.access.oauth.scopes import IDENTITY
from crosstie.api.entry import JSON, Api
from crosstie.api.operation import Handler
from crosstie.kit import json
from crosstie.log.idempotency import Answer

#: everybody may read them, pages of other origins too
PUBLIC = JSON | {"cache-control": f"public, max-age={CACHED}", "access-control-allow-origin": "*"}
#: ways in which an app proves who it is; a public one proves nothing
PROOFS = ["client_secret_basic", "client_secret_post"]


def server(at: str, scopes: list[str]) -> dict[str, Any]:
    """Authorization server metadata (RFC 8414 §2, OpenID Connect Discovery 1.0 §3)."""
    return {
        "issuer": at,
        "authorization_endpoint": f"{at}/oauth/authorize",
        "token_endpoint": f"{at}/oauth/token",
        "userinfo_endpoint": f"{at}/oauth/userinfo",
        "revocation_endpoint": f"{at}/oauth/revoke",
        "introspection_endpoint": f"{at}/oauth/introspect",
        "jwks_uri": f"{at}/.well-known/jwks.json",
        "scopes_supported": [*IDENTITY, *scopes],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANTS),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*PROOFS, "none"],
        "revocation_endpoint_auth_methods_supported": [*PROOFS, "none"],
        "introspection_endpoint_auth_methods_supported": PROOFS,
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "claims_supported": [
            "iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "amr", "tenant_id", "roles", "name",
            "locale", "email",
        ],
        "prompt_values_supported": ["none", "login", "consent"],
        "ui_locales_supported": ["en", "ar"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_parameter_supported": False,
        "protected_resources": [at],
        "service_documentation": f"{at}/docs",
    }  # fmt: skip


def resource(at: str, scopes: list[str]) -> dict[str, Any]:
    """Protected resource metadata (RFC 9728 §2)."""
    return {
        "resource": at,
        "authorization_servers": [at],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": "Crosstie",
        "resource_documentation": f"{at}/docs",
    }


@dataclass(slots=True)
class Documents:
    """The documents of one process."""

    api: Api
    ring: Ring

    async def server(self, request: Request) -> Answer:
        """Of the authorization server."""
        return _public(server(self.api.address, sorted(self.api.log.catalogue.scopes)))

    async def resource(self, request: Request) -> Answer:
        """Of the API as a resource."""
        return _public(resource(self.api.address, sorted(self.api.log.catalogue.scopes)))

    async def keys(self, request: Request) -> Answer:
        """The public keys."""
        await self.ring.fresh()
        return _public(self.ring.published())


def _public(document: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(document), dict(PUBLIC))


def routes(documents: Documents) -> list[tuple[str, str, Handler]]:
    """Path, method, handler."""
    return [
        ("/.well-known/jwks.json", "GET", documents.keys),
        ("/.well-known/openid-configuration", "GET", documents.server),
        ("/.well-known/oauth-authorization-server", "GET", documents.server),
        ("/.well-known/oauth-protected-resource", "GET", documents.resource),
    ]
