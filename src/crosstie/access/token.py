"""Credentials of requests: whose they are, and what they may do. The form tells an API key from a signed token, whose
issuer is asked. Answers are kept for seconds, so that a revocation takes effect in every process within 5 s
(CONTRACT §3)."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import structlog

from crosstie.access import audit, jwt
from crosstie.access.jwt import BadToken, Token
from crosstie.access.vault import Vault
from crosstie.db import session
from crosstie.errors import Forbidden, TenantSuspended, Unauthorized
from crosstie.kit import clock, crypto, ids
from crosstie.log.event import Actor

TTL = 3.0
KNOWN = 10_000
USED = timedelta(minutes=1)
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="crosstie"'}
#: RFC 6750 §3.1: a credential came, and it does not hold
INVALID = {"WWW-Authenticate": 'Bearer realm="crosstie", error="invalid_token"'}

logger = structlog.get_logger()


@dataclass(slots=True)
class Grant:
    """A tenant, and who acts for it."""

    tenant_id: UUID
    actor: Actor
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    ends_at: datetime | None = None
    suspended: bool = False
    fresh_until: float = 0.0
    #: its use from a forbidden address is in the audit log
    reported: bool = False


class Issuer(Protocol):
    """Whoever can say what signed tokens stand for: this installation itself, or the issuers that tenants trust."""

    async def grant(self, token: Token, ip: str | None, hint: str | None) -> Grant:
        """The grant of a token, which is proved here. `hint` is the caller's X-Tenant-ID: it may pick, never overrule.

        Asked again every few seconds while the token is in use. Raises BadToken, or a Problem for the bearer.
        """


class Tokens:
    """Reads credentials. One per process. `own` answers for tokens whose issuer is `address`, `trusted` for others."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        address: str = "",
        own: Issuer | None = None,
        trusted: Issuer | None = None,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._address = address
        self._own = own
        self._trusted = trusted
        self._known: dict[bytes, Grant] = {}
        #: raises TooManyRequests for an address that guesses too much, before anything is looked up for it
        self.refuse: Callable[[str | None], None] = lambda ip: None
        #: requests by tenant and key, until they are written
        self.used: Counter[tuple[UUID, str]] = Counter()
        self._asking: dict[bytes, asyncio.Task[Grant]] = {}

    async def grant(self, token: str | None, ip: str | None, hint: str | None = None) -> Grant:
        """The grant of a token, for a request. Raises Unauthorized, the same for unknown, revoked and expired ones."""
        grant = await self.standing(token, ip, hint)
        if grant.actor.type == "api_key":
            self.used[grant.tenant_id, grant.actor.id or ""] += 1
        return grant

    async def standing(self, token: str | None, ip: str | None, hint: str | None = None) -> Grant:
        """The same without counting it as a use: for whoever stays, and is looked at again and again."""
        if token is None:
            raise Unauthorized("Send a credential: Authorization: Bearer <key>.", headers=CHALLENGE)
        key = token.startswith("ct_")
        # the same foreign token may stand for several tenants
        digest = crypto.digest(self._vault.pepper, token if key or hint is None else f"{token} {hint}")
        grant = self._known.get(digest)
        if grant is None:
            self.refuse(ip)
        if grant is None or grant.fresh_until < time.monotonic():
            grant = await self._once(
                digest, lambda: self._find(token, digest) if key else self._ask(token, digest, ip, hint)
            )
        if grant.ends_at is not None and grant.ends_at <= clock.now():
            raise Unauthorized("The credential is not valid.", headers=INVALID)
        if grant.suspended:
            raise TenantSuspended("This tenant is suspended; its operator can say why.")
        if grant.networks and not _within(ip, grant):
            if not grant.reported:  # once while it is kept: whoever tries on does not fill the audit log
                grant.reported = True
                after = {"reason": "address"}
                await audit.note(
                    self._pool,
                    self._vault,
                    grant.tenant_id,
                    grant.actor,
                    "credentials.use",
                    outcome="denied",
                    after=after,
                )
            raise Forbidden("The key may not be used from this address.")
        return grant

    async def _once(self, digest: bytes, find: Callable[[], Coroutine[Any, Any, Grant]]) -> Grant:
        """Many requests with one credential find its grant stale at the same moment: one asks, and tells the others."""
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.create_task(find())
            asking.add_done_callback(lambda task: self._asking.pop(digest, None))
        return await asyncio.shield(asking)

    async def _ask(self, text: str, digest: bytes, ip: str | None, hint: str | None) -> Grant:
        self._known.pop(digest, None)
        try:
            token = jwt.parse(text)
            issuer = self._own if token.issuer == self._address else self._trusted
            if issuer is None:
                raise BadToken("nobody here answers for its issuer")
            grant = await issuer.grant(token, ip, hint)
        except BadToken as error:
            logger.info("token.refused", reason=str(error))
            raise Unauthorized("The credential is not valid.", headers=INVALID) from None
        self._keep(digest, grant)
        return grant

    async def _find(self, token: str, digest: bytes) -> Grant:
        if not ids.checked(token):
            raise Unauthorized("The credential is not valid.", headers=INVALID)
        row = await self._pool.fetchrow("SELECT * FROM key_find($1)", digest)
        if row is None or row["revoked_at"] is not None:
            self._known.pop(digest, None)
            raise Unauthorized("The credential is not valid.", headers=INVALID)
        ends = [
            moment for moment in (row["expires_at"], row["old_until"] if row["old"] else None) if moment is not None
        ]
        grant = Grant(
            tenant_id=row["tenant_id"],
            actor=Actor("api_key", str(row["id"]), frozenset(row["scopes"])),
            networks=tuple(ipaddress.ip_network(ip, strict=False) for ip in row["ips"]),
            ends_at=min(ends, default=None),
            suspended=row["tenant_status"] == "suspended",
        )
        self._keep(digest, grant)
        if row["last_used_at"] is None or row["last_used_at"] < clock.now() - USED:
            await self._used(grant, row["id"])
        return grant

    def _keep(self, digest: bytes, grant: Grant) -> None:
        if len(self._known) >= KNOWN:
            self._known.clear()
        grant.fresh_until = time.monotonic() + TTL
        self._known[digest] = grant

    async def _used(self, grant: Grant, id: UUID) -> None:
        async with session.of_tenant(self._pool, grant.tenant_id) as connection:
            await connection.execute("UPDATE api_keys SET last_used_at = now() WHERE id = $1", id)


def _within(ip: str | None, grant: Grant) -> bool:
    if ip is None:
        return False
    address = ipaddress.ip_address(ip)
    return any(address in network for network in grant.networks if network.version == address.version)
