"""What the flows read and write: codes, families, refresh tokens, consents, revocations. Always inside one tenant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from crosstie.access.oauth import scopes
from crosstie.access.oauth.client import Client
from crosstie.db.engine import Connection
from crosstie.kit import ids

#: how long a code may be on its way; how long a refresh token may rest, and all of a family live
CODE, REST, LIFE = timedelta(seconds=60), timedelta(days=30), timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a person allowed an app, and how he proved who he is."""

    app_id: UUID
    user_id: UUID
    family_id: UUID
    scopes: tuple[str, ...]
    methods: tuple[str, ...]
    authenticated_at: datetime
    #: the sign-in that takes the family with it when it is ended; None for an app that stays connected
    session_id: UUID | None

    def get_scope(self) -> str:
        """As Authlib asks."""
        return scopes.text(self.scopes)

    def check_client(self, client: Client) -> bool:
        """As Authlib asks."""
        return self.app_id == client.id


@dataclass(frozen=True, slots=True)
class Code(Allowed):
    """An authorization code that is still good."""

    id: UUID
    redirect_uri: str
    challenge: str
    nonce: str | None
    expires_at: datetime
    used_at: datetime | None

    def get_redirect_uri(self) -> str:
        """As Authlib asks."""
        return self.redirect_uri

    @property
    def code_challenge(self) -> str:
        """As Authlib asks."""
        return self.challenge

    @property
    def code_challenge_method(self) -> str:
        """As Authlib asks."""
        return "S256"


@dataclass(frozen=True, slots=True)
class Refresh(Allowed):
    """A refresh token with its family."""

    id: UUID
    expires_at: datetime
    family_ends: datetime
    used_at: datetime | None
    revoked: bool


WHOSE = "app_id, user_id, scopes, methods, authenticated_at, session_id"
FIND_CODE = (
    f"SELECT {WHOSE}, family_id, id, redirect_uri, challenge, nonce, expires_at, used_at FROM oauth_codes"  # noqa: S608  # names of columns
    " WHERE hash = $1"
)
FIND_REFRESH = """
SELECT f.app_id, f.user_id, f.scopes, f.methods, f.authenticated_at, f.session_id, r.family_id, r.id, r.expires_at,
  f.expires_at AS family_ends, r.used_at,
  f.revoked_at IS NOT NULL OR EXISTS (
    SELECT FROM sessions s WHERE s.id = f.session_id AND s.ended_at IS NOT NULL
  ) AS revoked
FROM oauth_refreshes r JOIN oauth_families f ON f.tenant_id = r.tenant_id AND f.id = r.family_id WHERE r.hash = $1
"""
USE = "UPDATE {} SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING true"
REVOKE = "UPDATE oauth_families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"


async def code(connection: Connection, digest: bytes) -> Code | None:
    """The code with this hash."""
    row = await connection.fetchrow(FIND_CODE, digest)
    return Code(**_values(row)) if row else None


async def refresh(connection: Connection, digest: bytes) -> Refresh | None:
    """The refresh token with this hash."""
    row = await connection.fetchrow(FIND_REFRESH, digest)
    return Refresh(**_values(row)) if row else None


def _values(row: asyncpg.Record) -> dict[str, Any]:
    return dict(row) | {"scopes": tuple(row["scopes"]), "methods": tuple(row["methods"])}


async def use(connection: Connection, one: Code | Refresh, now: datetime) -> bool:
    """Use it up. False where somebody else has."""
    table = "oauth_codes" if isinstance(one, Code) else "oauth_refreshes"
    return bool(await connection.fetchval(USE.format(table), one.id, now))


async def revoke(connection: Connection, family_id: UUID, now: datetime) -> None:
    """End a family: no refresh token of it works any more, and no access token for longer than seconds."""
    await connection.execute(REVOKE, family_id, now)


async def add_code(
    connection: Connection, tenant_id: UUID, given: Allowed, digest: bytes, further: Iterable[Any], now: datetime
) -> None:
    """Keep a code. `further` are redirect URI, challenge and nonce."""
    await connection.execute(
        "INSERT INTO oauth_codes (tenant_id, id, hash, family_id, app_id, user_id, scopes, methods, authenticated_at,"
        " session_id, expires_at, redirect_uri, challenge, nonce)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        tenant_id, ids.uuid7(), digest, given.family_id, given.app_id, given.user_id, list(given.scopes),
        list(given.methods), given.authenticated_at, given.session_id, now + CODE, *further,
    )  # fmt: skip


async def add_family(connection: Connection, tenant_id: UUID, given: Allowed, now: datetime) -> None:
    """Begin a family."""
    await connection.execute(
        "INSERT INTO oauth_families (tenant_id, id, app_id, user_id, scopes, methods, authenticated_at, session_id,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id, given.family_id, given.app_id, given.user_id, list(given.scopes), list(given.methods),
        given.authenticated_at, given.session_id, now + LIFE,
    )  # fmt: skip


async def add_refresh(connection: Connection, tenant_id: UUID, family_id: UUID, digest: bytes, until: datetime) -> None:
    """Keep a refresh token."""
    await connection.execute(
        "INSERT INTO oauth_refreshes (tenant_id, id, hash, family_id, expires_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id, ids.uuid7(), digest, family_id, until,
    )  # fmt: skip


async def consented(connection: Connection, app_id: UUID, user_id: UUID) -> frozenset[str]:
    """What a person has allowed an app before."""
    query = "SELECT scopes FROM oauth_consents WHERE app_id = $1 AND user_id = $2"
    return frozenset(await connection.fetchval(query, app_id, user_id) or ())


async def consent(connection: Connection, tenant_id: UUID, given: Allowed, now: datetime) -> None:
    """Remember what a person allows an app."""
    await connection.execute(
        "INSERT INTO oauth_consents (tenant_id, id, app_id, user_id, scopes, given_at) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (tenant_id, user_id, app_id)"
        " DO UPDATE SET scopes = excluded.scopes, given_at = excluded.given_at",
        tenant_id, ids.uuid7(), given.app_id, given.user_id, list(given.scopes), now,
    )  # fmt: skip


async def deny(connection: Connection, tenant_id: UUID, jti: UUID, until: datetime) -> None:
    """Take one access token out of use until it is over anyway."""
    await connection.execute(
        "INSERT INTO oauth_revocations (tenant_id, id, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant_id, jti, until,
    )  # fmt: skip


async def sweep(connection: Connection, now: datetime) -> None:
    """Forget what is over. A used code or token is kept as long as its family: its second use must be known."""
    for table, moment in (
        ("oauth_codes", now - LIFE),
        ("oauth_refreshes", now - REST),
        ("oauth_families", now),
        ("oauth_revocations", now - timedelta(hours=1)),
    ):
        await connection.execute(f"DELETE FROM {table} WHERE expires_at < $1", moment)  # noqa: S608  # names of tables
