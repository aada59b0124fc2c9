"""The endpoints that apps call: token, revoke, introspect, userinfo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request

from crosstie.access import session as sessions
from crosstie.access.oauth.client import Client
from crosstie.access.oauth.end import Ends
from crosstie.access.oauth.flow import Flows
from crosstie.access.oauth.server import claims
from crosstie.api.entry import Api
from crosstie.api.oauth import wire
from crosstie.api.operation import Handler
from crosstie.db import session
from crosstie.errors import InsufficientScope
from crosstie.log.event import Actor
from crosstie.log.idempotency import Answer

Work = Callable[[Client, Mapping[str, str]], Awaitable[Mapping[str, Any]]]
SCOPE = {"WWW-Authenticate": 'Bearer realm="crosstie", error="insufficient_scope", scope="openid"'}


@dataclass(slots=True)
class Endpoints:
    """The endpoints of one process."""

    api: Api
    flows: Flows
    ends: Ends

    def of_client(self, work: Work) -> Handler:
        """A handler for an app that proves who it is, and is counted as an API key is."""

        async def handler(request: Request) -> Answer:
            try:
                sent = await wire.form(request)
                client = await self.flows.client(sent, request.headers.get("authorization"))
                standing = await self.api.meter.take(client.tenant_id, Actor("app", str(client.id)), "tokens")
                request.scope["state"]["headers"] |= standing.headers()
                return wire.answer(await work(client, sent))
            except OAuth2Error as error:
                return wire.refusal(error)

        return handler

    async def userinfo(self, request: Request) -> Answer:
        """Who the token's person is (OpenID Connect Core §5.3). The token needs the scope openid."""
        grant = await self.api.enter(request, None)
        if "openid" not in grant.actor.scopes or grant.actor.type != "user" or grant.actor.id is None:
            raise InsufficientScope("This needs a person's token with the scope openid.", headers=SCOPE)
        async with session.of_tenant(self.api.log.app, grant.tenant_id) as connection:
            person = await sessions.person(connection, grant.tenant_id, UUID(grant.actor.id))
        known = claims(person, grant.actor.scopes) if person else {}
        return wire.answer({"sub": grant.actor.id, "tenant_id": str(grant.tenant_id)} | known)


def routes(endpoints: Endpoints) -> list[tuple[str, str, Handler]]:
    """Path, method, handler."""
    return [
        ("/oauth/token", "POST", endpoints.of_client(endpoints.flows.token)),
        ("/oauth/revoke", "POST", endpoints.of_client(endpoints.ends.revoke)),
        ("/oauth/introspect", "POST", endpoints.of_client(endpoints.ends.introspect)),
        ("/oauth/userinfo", "GET", endpoints.userinfo),
        ("/oauth/userinfo", "POST", endpoints.userinfo),
    ]
