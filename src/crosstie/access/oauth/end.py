"""Revocation (RFC 7009) and introspection (RFC 7662) of what this server issued."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from crosstie.access import jwt
from crosstie.access.jwt import BadToken
from crosstie.access.oauth import kept
from crosstie.access.oauth.client import Client, refused, usable
from crosstie.access.oauth.kept import Refresh
from crosstie.access.oauth.own import Own
from crosstie.access.oauth.server import PREFIX
from crosstie.db import session
from crosstie.kit import clock, crypto
from crosstie.log.unit import Log

#: all that is said about a token that is over, unknown, somebody else's or none at all
INACTIVE: Mapping[str, Any] = {"active": False}
#: claims of an access token that introspection repeats
SHOWN = ("iss", "aud", "sub", "client_id", "tenant_id", "scope", "roles", "jti", "iat", "exp", "act")


class Ends:
    """The two endpoints of one process."""

    def __init__(self, log: Log, own: Own) -> None:
        self._log = log
        self._own = own

    async def revoke(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        """Take a token out of use: a refresh token with its family, an access token alone. Raises OAuth2Error."""
        text = _token(form)
        if text.startswith(f"{PREFIX}_"):
            async with self._log.unit(client.tenant_id) as unit:
                found = await kept.refresh(unit.connection, self._digest(text))
                if found and found.app_id == client.id:
                    await kept.revoke(unit.connection, found.family_id, unit.now)
            _own_token(found is None or found.app_id == client.id)
            return {}
        try:
            claims = await self._own.claims(jwt.parse(text))
        except BadToken:
            return {}
        _own_token(claims["client_id"] == client.client_id)
        async with self._log.unit(client.tenant_id) as unit:
            until = datetime.fromtimestamp(claims["exp"], UTC)
            await kept.deny(unit.connection, client.tenant_id, UUID(claims["jti"]), until)
        return {}

    async def introspect(self, client: Client, form: Mapping[str, str]) -> Mapping[str, Any]:
        """What a token of the caller's firm stands for now. Raises OAuth2Error."""
        if client.public:
            raise refused()  # whoever asks must be known; of a public app anybody knows the name
        usable(client)
        text = _token(form)
        if text.startswith(f"{PREFIX}_"):
            return await self._refresh(client, text)
        try:
            token = jwt.parse(text)
            grant = await self._own.grant(token, None, None)
        except BadToken:
            return INACTIVE
        if grant.tenant_id != client.tenant_id:
            return INACTIVE
        shown = {name: token.claims[name] for name in SHOWN if name in token.claims}
        return {"active": True, "token_type": "Bearer"} | shown | {"scope": " ".join(sorted(grant.actor.scopes))}

    async def _refresh(self, client: Client, text: str) -> Mapping[str, Any]:
        async with session.of_tenant(self._log.app, client.tenant_id) as connection:
            found = await kept.refresh(connection, self._digest(text))
        if found is None or found.app_id != client.id or not _alive(found):
            return INACTIVE
        return {
            "active": True,
            "iss": self._log.address,
            "sub": str(found.user_id),
            "client_id": client.client_id,
            "tenant_id": str(client.tenant_id),
            "scope": found.get_scope(),
            "exp": int(min(found.expires_at, found.family_ends).timestamp()),
        }

    def _digest(self, text: str) -> bytes:
        return crypto.digest(self._log.cipher.pepper, text)


def _alive(found: Refresh) -> bool:
    return found.used_at is None and not found.revoked and min(found.expires_at, found.family_ends) > clock.now()


def _token(form: Mapping[str, str]) -> str:
    if "token" not in form:
        raise InvalidRequestError("token is missing.")
    return form["token"]


def _own_token(own: bool) -> None:
    if not own:
        raise InvalidGrantError("The token was issued to another app.")
