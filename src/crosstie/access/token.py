"""Credentials of requests: whose they are, and what they may do. Answers are kept for seconds, so that a revocation
takes effect in every process within 5 s (CONTRACT §3)."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from crosstie.access.vault import Vault
from crosstie.db import session
from crosstie.errors import Forbidden, TenantSuspended, Unauthorized
from crosstie.kit import clock, crypto, ids
from crosstie.log.event import Actor

TTL = 3.0
KNOWN = 10_000
USED = timedelta(minutes=1)
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="crosstie"'}


@dataclass(slots=True)
class Grant:
    """A tenant, and who acts for it."""

    tenant_id: UUID
    actor: Actor
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    ends_at: datetime | None = None
    suspended: bool = False
    fresh_until: float = 0.0


class Tokens:
    """Reads credentials. One per process."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._known: dict[bytes, Grant] = {}

    async def grant(self, token: str | None, ip: str | None) -> Grant:
        """The grant of a token. Raises Unauthorized, the same for unknown, revoked and expired ones."""
        if token is None:
            raise Unauthorized("Send a credential: Authorization: Bearer <key>.", headers=CHALLENGE)
        digest = crypto.digest(self._vault.pepper, token)
        grant = self._known.get(digest)
        if grant is None or grant.fresh_until < time.monotonic():
            if not token.startswith("ct_") or not ids.checked(token):
                raise Unauthorized("The credential is not valid.", headers=CHALLENGE)
            grant = await self._find(digest)
        if grant.ends_at is not None and grant.ends_at <= clock.now():
            raise Unauthorized("The credential is not valid.", headers=CHALLENGE)
        if grant.suspended:
            raise TenantSuspended("This tenant is suspended; its operator can say why.")
        if grant.networks and not _within(ip, grant):
            raise Forbidden("The key may not be used from this address.")
        return grant

    async def _find(self, digest: bytes) -> Grant:
        row = await self._pool.fetchrow("SELECT * FROM key_find($1)", digest)
        if row is None or row["revoked_at"] is not None:
            self._known.pop(digest, None)
            raise Unauthorized("The credential is not valid.", headers=CHALLENGE)
        ends = [
            moment for moment in (row["expires_at"], row["old_until"] if row["old"] else None) if moment is not None
        ]
        grant = Grant(
            tenant_id=row["tenant_id"],
            actor=Actor("api_key", str(row["id"]), frozenset(row["scopes"])),
            networks=tuple(ipaddress.ip_network(ip, strict=False) for ip in row["ips"]),
            ends_at=min(ends, default=None),
            suspended=row["tenant_status"] == "suspended",
            fresh_until=time.monotonic() + TTL,
        )
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[digest] = grant
        if row["last_used_at"] is None or row["last_used_at"] < clock.now() - USED:
            await self._used(grant, row["id"])
        return grant

    async def _used(self, grant: Grant, id: UUID) -> None:
        async with session.of_tenant(self._pool, grant.tenant_id) as connection:
            await connection.execute("UPDATE api_keys SET last_used_at = now() WHERE id = $1", id)


def _within(ip: str | None, grant: Grant) -> bool:
    if ip is None:
        return False
    address = ipaddress.ip_address(ip)
    return any(address in network for network in grant.networks if network.version == address.version)
