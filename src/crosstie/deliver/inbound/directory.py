"""Sources by their tokens, with their secrets opened; known for some seconds."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from crosstie.access.vault import Vault
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.deliver.inbound.dialect import DIALECTS, Dialect
from crosstie.deliver.inbound.knock import Knock, Refused, named
from crosstie.deliver.inbound.source import LABEL, SEALED, SHAPES, TABLE
from crosstie.errors import NotFound, Unavailable
from crosstie.kit import crypto, ids
from crosstie.kit.crypto import Unsealable
from crosstie.log.event import Actor

#: seconds for which a source is known without another look, and sources that are known at once
TTL, KNOWN = 3.0, 10_000
BY_ID = (
    "SELECT tenant_id, id, name, dialect, options, secret, old_secret, old_until, 'active' AS tenant_status"
    " FROM inbound_sources WHERE tenant_id = $1 AND id = $2"
)
logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Source:
    """A source, ready to be knocked at."""

    tenant_id: UUID
    id: UUID
    name: str
    dialect: Dialect
    options: Mapping[str, Any]
    #: the secret, then the one before it
    keys: tuple[str, ...] = field(repr=False)
    old_until: datetime | None
    suspended: bool
    looked: float

    @property
    def actor(self) -> Actor:
        """Who sends its events. It may tell of its own tenant's affairs, and of no people."""
        return Actor("inbound_source", str(self.id), frozenset(("events:write",)))

    def said(self, knock: Knock) -> tuple[str | None, str | None]:
        """What the sender calls the event: its id and its type."""
        id, kind = named(self.options.get("event_id")), named(self.options.get("event_type"))
        return id(knock) or self.dialect.id(knock), kind(knock) or self.dialect.type(knock)

    def prove(self, knock: Knock) -> str:
        """Which key vouches for a request. Raises Refused."""
        networks = [ipaddress.ip_network(each, strict=False) for each in self.options.get("ips") or ()]
        if networks and not any(_within(knock.ip, network) for network in networks):
            raise Refused("address")
        if not self.keys and not self.dialect.open:
            raise Refused("no_secret")
        refusal: Refused | None = None
        for key in self.keys or ("",):
            if refusal is not None and (self.old_until is None or self.old_until <= knock.at):
                break
            try:
                self.dialect.prove(knock, key, self.options)
            except Refused as refused:
                refusal = refusal or refused
            else:
                return key
        assert refusal is not None
        raise refusal


class Sources:
    """Finds sources. One per process."""

    def __init__(self, app: asyncpg.Pool, vault: Vault) -> None:
        self._app = app
        self._vault = vault
        self._pepper = vault.derive(LABEL)
        self._known: dict[bytes, Source] = {}
        self._asking: dict[bytes, asyncio.Task[Source]] = {}

    def knows(self, token: str) -> bool:
        """Whether a token's source is at hand, however long ago it was looked at."""
        return crypto.digest(self._pepper, token) in self._known

    async def find(self, token: str, *, anew: bool = False) -> Source:
        """The source of a token; `anew` looks at the database in any case. Raises NotFound."""
        if not ids.checked(token):
            raise NotFound("There is nothing at this address.")
        found = crypto.digest(self._pepper, token)
        known = self._known.get(found)
        if known is not None and not anew and known.looked + TTL > time.monotonic():
            return known
        asking = self._asking.get(found)
        if asking is None:
            asking = self._asking[found] = asyncio.create_task(self._find(found))
            asking.add_done_callback(lambda task: self._asking.pop(found, None))
        return await asyncio.shield(asking)

    async def _find(self, digest: bytes) -> Source:
        looked = time.monotonic()
        row = await self._app.fetchrow("SELECT * FROM inbound_find($1)", digest)
        if row is None:
            self._known.pop(digest, None)
            raise NotFound("There is nothing at this address.")
        async with session.of_tenant(self._app, row["tenant_id"]) as connection:
            found = await self._opened(connection, row, looked)
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[digest] = found
        return found

    async def of(self, connection: Connection, tenant_id: UUID, id: UUID) -> Source | None:
        """A source by its id, in a transaction of its tenant."""
        row = await connection.fetchrow(BY_ID, tenant_id, id)
        return await self._opened(connection, row, time.monotonic()) if row else None

    async def _opened(self, connection: Connection, row: asyncpg.Record, looked: float) -> Source:
        sealed = [(column, row[column]) for column in SEALED if row[column] is not None]
        await self._vault.know(connection, [value for _, value in sealed])
        try:
            keys = [self._vault.open(row["tenant_id"], value, TABLE, column, row["id"]) for column, value in sealed]
        except Unsealable as error:
            logger.error("inbound_source.sealed", source_id=str(row["id"]), error=str(error))
            raise Unavailable("The source's secret cannot be opened right now.") from None
        return Source(
            tenant_id=row["tenant_id"],
            id=row["id"],
            name=row["name"],
            dialect=DIALECTS[row["dialect"]],
            options=SHAPES[row["dialect"]].read(row["options"], "", []),
            keys=tuple(key.decode() for key in keys),
            old_until=row["old_until"],
            suspended=row["tenant_status"] != "active",
            looked=looked,
        )


def _within(ip: str | None, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if ip is None:
        return False
    address = ipaddress.ip_address(ip)
    return network.version == address.version and address in network
