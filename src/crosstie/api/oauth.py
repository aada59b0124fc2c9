"""OAuth 2 over HTTP: the endpoints that apps call, and the documents by which they find them. Errors are RFC 6749's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from starlette.requests import Request

from crosstie.access.oauth.flow import Flows
from crosstie.access.oauth.ring import CACHED
from crosstie.access.oauth.scopes import IDENTITY
from crosstie.api import body
from crosstie.api.entry import JSON, Api
from crosstie.api.operation import Handler
from crosstie.kit import json
from crosstie.log.event import Actor
from crosstie.log.idempotency import Answer

FORM = "application/x-www-form-urlencoded"
LIMIT = 64 << 10
PRIVATE = JSON | {"cache-control": "no-store", "pragma": "no-cache"}
PUBLIC = JSON | {"cache-control": f"public, max-age={CACHED}", "access-control-allow-origin": "*"}
#: ways in which a client proves who it is
PROOFS = ["client_secret_basic", "client_secret_post"]


@dataclass(slots=True)
class Protocol:
    """The endpoints of one process."""

    api: Api
    flows: Flows

    def answering(self, work: Callable[[Request, dict[str, str]], Awaitable[dict[str, Any]]]) -> Handler:
        """A handler that takes a form and answers JSON, refusals as RFC 6749 §5.2 writes them."""

        async def handler(request: Request) -> Answer:
            try:
                found = await work(request, await form(request))
            except OAuth2Error as error:
                return refusal(error)
            return Answer(200, json.dumps(found), dict(PRIVATE))

        return handler

    async def token(self, request: Request, sent: dict[str, str]) -> dict[str, Any]:
        """`POST /oauth/token`."""
        client = await self.flows.client(sent, request.headers.get("authorization"))
        standing = await self.api.meter.take(client.tenant_id, Actor("app", str(client.id)), "api")
        request.scope["state"]["headers"] |= standing.headers()
        return await self.flows.token(client, sent)

    async def keys(self, request: Request) -> Answer:
        """`GET /.well-known/jwks.json`."""
        await self.flows.ring.fresh()
        return Answer(200, json.dumps(self.flows.ring.published()), dict(PUBLIC))

    async def server(self, request: Request) -> Answer:
        """Authorization server metadata (RFC 8414, OpenID Connect Discovery §3): what is said here works."""
        at = self.flows.issuer
        scopes = ["*", *IDENTITY, *sorted(self.api.log.catalogue.scopes)]
        found = {
            "issuer": at,
            "token_endpoint": f"{at}/oauth/token",
            "jwks_uri": f"{at}/.well-known/jwks.json",
            "scopes_supported": scopes,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": [*PROOFS, "none"],
            "service_documentation": f"{at}/docs",
        }
        return Answer(200, json.dumps(found), dict(PUBLIC))

    async def resource(self, request: Request) -> Answer:
        """Protected resource metadata (RFC 9728)."""
        at = self.flows.issuer
        found = {
            "resource": at,
            "authorization_servers": [at],
            "jwks_uri": f"{at}/.well-known/jwks.json",
            "scopes_supported": sorted(self.api.log.catalogue.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": "Crosstie",
            "resource_documentation": f"{at}/docs",
        }
        return Answer(200, json.dumps(found), dict(PUBLIC))


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, each sent once (RFC 6749 §3.1, §3.2). Raises InvalidRequestError."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Send the parameters as {FORM}.")
    return once((await body.read(request, LIMIT)).decode("latin-1"))


def once(query: str) -> dict[str, str]:
    """Parameters, each sent once; those without a value are as if they had not been sent (RFC 6749 §3.1)."""
    try:
        pairs = parse_qsl(query, encoding="utf-8", errors="strict", max_num_fields=50)
    except ValueError:
        raise InvalidRequestError("The parameters cannot be read.") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidRequestError("A parameter was sent more than once.")
    if any("\0" in value for value in found.values()):
        raise InvalidRequestError("The character U+0000 is not accepted.")
    return found


def refusal(error: OAuth2Error) -> Answer:
    """An error of the protocol as an answer."""
    status = error.status_code
    headers = dict(PRIVATE)
    if status == 401:
        headers["www-authenticate"] = f'Basic realm="crosstie", error="{error.error}"'
    found = {"error": error.error, "error_description": error.get_error_description()}
    return Answer(status, json.dumps({name: value for name, value in found.items() if value}), headers)


def routes(protocol: Protocol) -> list[tuple[str, str, Handler]]:
    """Path, method, handler."""
    return [
        ("/oauth/token", "POST", protocol.answering(protocol.token)),
        ("/.well-known/jwks.json", "GET", protocol.keys),
        ("/.well-known/openid-configuration", "GET", protocol.server),
        ("/.well-known/oauth-authorization-server", "GET", protocol.server),
        ("/.well-known/oauth-protected-resource", "GET", protocol.resource),
    ]
