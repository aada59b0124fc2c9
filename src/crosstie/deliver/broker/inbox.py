"""What comes in from brokers: read like a document over REST, committed, and only then acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from crosstie.db.engine import AWAY
from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.line import ORIGIN, Incoming
from crosstie.errors import CrosstieError, Problem
from crosstie.kit import json
from crosstie.log.ingest import Arrival, Ingest
from crosstie.log.intake import Intake
from crosstie.log.park import Odd, Park, odd, unstorable

#: bytes of one event, as over REST; seconds that a tenant's state may be old, and that a message waits for the database
LIMIT, FRESH, LATER = 1 << 20, 5.0, 5.0
logger = structlog.get_logger()


class Unaddressed(CrosstieError):
    """No tenant that this broker is for: the broker keeps the message, as no tenant's letters may show it."""


class Inbox:
    """Takes messages of every broker. One per process."""

    def __init__(self, app: asyncpg.Pool, intake: Intake, ingest: Ingest, park: Park, origin: str) -> None:
        self._app = app
        self._intake = intake
        self._ingest = ingest
        self._park = park
        self._origin = origin
        self._tenants: dict[UUID, asyncpg.Record] = {}
        self._looked = float("-inf")

    async def take(self, address: Address, messages: Sequence[Incoming]) -> None:
        """Settle messages of one broker. Where the database is away, all of them come again later."""
        try:
            await self._settle(address, messages)
        except (*AWAY, OSError) as error:
            logger.warning("inbox.failed", broker=address.name, error=repr(error))
            for message in messages:
                await message.later(LATER)
            await asyncio.sleep(1)
            return

    async def _settle(self, address: Address, messages: Sequence[Incoming]) -> None:
        arrivals: list[tuple[Arrival, bytes]] = []
        odds: list[Odd] = []
        done, buried = [], []
        for message in messages:
            try:
                found = await self._read(address, message)
            except Unaddressed as error:
                buried.append((message, str(error)))
                continue
            done.append(message)
            if isinstance(found, Odd):
                odds.append(found)
            elif found is not None:
                arrivals.append((found, message.body))
        fates = await self._ingest.put([arrival for arrival, _ in arrivals]) if arrivals else ()
        for (arrival, body), fate in zip(arrivals, fates, strict=True):
            if isinstance(fate, BaseException):
                odds.append(unstorable(arrival, body, fate))
        await self._park.keep(odds)
        await asyncio.gather(*(message.ack() for message in done))
        for message, cause in buried:
            logger.warning("inbox.buried", broker=address.name, cause=cause)
            await message.bury(cause)

    async def _read(self, address: Address, message: Incoming) -> Arrival | Odd | None:
        """An arrival, or what stands against it; None for what we sent ourselves. Raises Unaddressed."""
        if message.headers.get(ORIGIN) == self._origin:
            return None
        if len(message.body) > LIMIT:
            raise Unaddressed("too_large")
        try:
            document = json.loads(message.body)
        except ValueError:
            raise Unaddressed("malformed_json") from None
        named = _named(document, message)
        tenant = await self._tenant(named)
        source, raw = address.source, message.body
        founding = address.tenants is None and self._intake.founding(document)
        if tenant is None:
            if named is None or not founding:
                raise Unaddressed("tenant_unknown")
            id = named
        elif not address.allows(tenant["slug"]):
            raise Unaddressed("tenant_forbidden")
        elif tenant["status"] != "active" and not founding:  # the directory's own word may end the suspension
            words = "The tenant is suspended."
            return Odd(tenant["id"], source, raw, "tenant_suspended", words, parked=True)
        else:
            id = tenant["id"]
        try:
            trace = message.headers.get("traceparent")
            return await self._intake.arrival(id, address.actor, document, raw, source=source, trace=trace)
        except Problem as problem:
            if tenant is None:
                raise Unaddressed(problem.code) from None
            return odd(id, source, document, raw, problem)

    async def _tenant(self, id: UUID | None) -> asyncpg.Record | None:
        now = asyncio.get_running_loop().time()
        if id not in self._tenants or now - self._looked > FRESH:  # it may be new: what is buried is not tried again
            self._tenants = {row["id"]: row for row in await self._app.fetch("SELECT * FROM tenant_list()")}
            self._looked = now
        return self._tenants.get(id) if id is not None else None


def _named(document: Any, message: Incoming) -> UUID | None:
    """The tenant that an envelope names, in any dialect; where it names none, the message's header."""
    found = None
    if isinstance(document, dict):
        found = document.get("tenant_id") or document.get("tenantId") or document.get("tenantid")
    found = found or message.headers.get("Crosstie-Tenant-Id") or message.headers.get("tenant-id")
    try:
        return UUID(found)
    except (ValueError, TypeError, AttributeError):
        return None
