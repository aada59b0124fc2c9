"""Our own access tokens as credentials: the signature says who, the database says whether still."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from crosstie.access import jwt
from crosstie.access import session as sessions
from crosstie.access.jwt import BadToken, Terms, Token
from crosstie.access.oauth import scopes
from crosstie.access.oauth.ring import Ring
from crosstie.access.token import Grant
from crosstie.db import session
from crosstie.kit import clock
from crosstie.log.event import Actor
from crosstie.log.unit import Log

ALGORITHMS = ("RS256", "ES256")
REQUIRED = ("sub", "client_id", "tenant_id", "jti", "scope")
#: app and tenant as they are now, and whether the token, its family or the sign-in behind it has ended
STANDING = """
SELECT a.id, a.status, a.scopes, t.status AS tenant_status,
  EXISTS (SELECT FROM oauth_revocations r WHERE r.id = $2)
    OR EXISTS (SELECT FROM oauth_families f LEFT JOIN sessions s ON s.tenant_id = f.tenant_id AND s.id = f.session_id
      WHERE f.id = $3 AND (f.revoked_at IS NOT NULL OR s.ended_at IS NOT NULL)) AS revoked
FROM oauth_apps a CROSS JOIN tenants t WHERE a.client_id = $1
"""


class Own:
    """Answers for the tokens that this installation issued."""

    def __init__(self, log: Log, ring: Ring) -> None:
        self._log = log
        self.ring = ring

    async def claims(self, token: Token) -> Mapping[str, Any]:
        """The claims of an access token that holds. Raises BadToken."""
        await self.ring.fresh(token.header.get("kid"))
        terms = Terms(self._log.address, self._log.address, ("at+jwt",), ALGORITHMS, REQUIRED)
        return jwt.verify(token, self.ring.find, terms, clock.now().timestamp())

    async def grant(self, token: Token, ip: str | None, hint: str | None) -> Grant:
        """What the token allows now; its tenant is its own, whatever the hint says. Raises BadToken."""
        claims = await self.claims(token)
        tenant_id, jti, subject = UUID(claims["tenant_id"]), UUID(claims["jti"]), claims["sub"]
        family = UUID(claims["family"]) if "family" in claims else None
        person = None
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            row = await connection.fetchrow(STANDING, claims["client_id"], jti, family)
            if row is None or row["status"] != "approved" or row["revoked"]:
                raise BadToken("its app is suspended, or it was revoked")
            if subject != claims["client_id"]:
                person = await sessions.person(connection, tenant_id, UUID(subject))
                if person is None or not person.active:
                    raise BadToken("its person may act no more")
        granted = scopes.narrowed(claims["scope"].split(), row["scopes"])
        if person is None:
            actor = Actor("app", str(row["id"]), granted)
        else:
            actor = Actor("user", subject, scopes.narrowed(granted, person.scopes))
        return Grant(
            tenant_id=tenant_id,
            actor=actor,
            ends_at=datetime.fromtimestamp(claims["exp"], UTC),
            suspended=row["tenant_status"] == "suspended",
        )
