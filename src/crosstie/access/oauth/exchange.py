"""Token exchange (RFC 8693), written from the RFC: Authlib has no grant for it.

An app that got a person's token calls on in his name: the new token is the app's, says for whom it acts, may do no more
than the token that it came from, ends no later, and is revoked with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError

from crosstie.access import jwt
from crosstie.access import session as sessions
from crosstie.access.oauth import scopes
from crosstie.access.oauth.mint import Bearer
from crosstie.access.oauth.server import Snapshot
from crosstie.access.token import Grant, Tokens
from crosstie.db import session
from crosstie.errors import Problem
from crosstie.log.unit import Log

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
#: apps that may stand between a person and the last one
CHAIN = 3


class Exchange:
    """Exchanges the tokens of people: our own, and those of issuers that the tenant trusts."""

    def __init__(self, log: Log, tokens: Tokens) -> None:
        self._log = log
        self._tokens = tokens

    async def answer(self, snapshot: Snapshot, form: Mapping[str, str]) -> dict[str, Any]:
        """What the token endpoint answers. Raises OAuth2Error."""
        _expect(form)
        client = snapshot.client
        grant, claims = await self._subject(form["subject_token"], client.tenant_id)
        async with session.of_tenant(self._log.app, client.tenant_id) as connection:
            person = await sessions.person(connection, client.tenant_id, UUID(grant.actor.id))
        if person is None or not person.active:
            raise _invalid()
        most = scopes.narrowed(grant.actor.scopes, client.scopes) - scopes.IDENTITY.keys()
        granted = scopes.asked(form.get("scope"), most, identity=False)
        if not granted:
            raise InvalidScopeError()
        act = {"sub": client.client_id} | ({"act": claims["act"]} if "act" in claims else {})
        if _length(act) > CHAIN:
            raise InvalidRequestError("Too many apps act for one another.")
        family = UUID(claims["family"]) if "family" in claims else None
        bearer = Bearer(client.tenant_id, client.client_id, str(person.user_id), granted, person.roles, family, act)
        text, seconds = snapshot.mint.access(bearer, grant.ends_at)
        return {
            "access_token": text,
            "issued_token_type": ACCESS,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": scopes.text(granted),
        }

    async def _subject(self, text: str, tenant_id: UUID) -> tuple[Grant, Mapping[str, Any]]:
        """Whose token it is, in this tenant; and, of our own tokens, what they say."""
        try:
            grant = await self._tokens.grant(text, None, str(tenant_id))
            token = jwt.parse(text)
        except (Problem, jwt.BadToken):
            raise _invalid() from None
        if grant.tenant_id != tenant_id or grant.actor.type != "user" or grant.actor.id is None:
            raise _invalid()
        return grant, token.claims if token.issuer == self._log.address else {}


def _expect(form: Mapping[str, str]) -> None:
    if "subject_token" not in form or form.get("subject_token_type") not in (ACCESS, JWT):
        raise InvalidRequestError(f"Send subject_token, and as its subject_token_type {ACCESS} or {JWT}.")
    if form.get("requested_token_type", ACCESS) not in (ACCESS, JWT):
        raise InvalidRequestError(f"Only {ACCESS} can be requested.")
    if "actor_token" in form or "actor_token_type" in form:
        raise InvalidRequestError("The app itself is the actor: actor_token is not supported.")


def _length(act: Mapping[str, Any]) -> int:
    return 1 + (_length(act["act"]) if "act" in act else 0)


def _invalid() -> InvalidRequestError:
    return InvalidRequestError("The subject token is not valid here.")
