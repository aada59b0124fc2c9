"""The second look at requests that wait: for the provider's word, for a suspended tenant, or because somebody asked.

The row is the promise. Providers are asked outside any transaction; a look that a killed process did not finish is
taken again once its lease is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import session
from crosstie.db.engine import AWAY
from crosstie.deliver.inbound.confirm import Asked, Asker, Unsure
from crosstie.deliver.inbound.directory import Source, Sources
from crosstie.deliver.inbound.keep import Observe, Outcome
from crosstie.deliver.inbound.knock import Knock, Refused, Reply
from crosstie.deliver.inbound.reading import Reader
from crosstie.deliver.inbound.reply import Replies
from crosstie.kit import clock, ids, retry

#: seconds between two looks, rows of one look, rows under way at once, seconds in which a look must be done
SWEEP, MOST, ABREAST, LEASE = 1.0, 50, 16, 60.0
#: seconds between upkeeps, requests forgotten at once, refused requests that are kept of each source
EVERY, FORGET, REFUSED = 3600.0, 5000, 10_000
JITTER = Random()  # noqa: S311  # spreads retries, guards nothing
TAKE = (
    "UPDATE inbound_requests SET attempts = attempts + 1, due_at = now() + $3::float8 * interval '1 second'"
    " WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[]) AND status = 'pending' AND due_at <= now() RETURNING *"
)
DONE = (
    "UPDATE inbound_requests SET status = $4, reason = $5, detail = $6, event_id = $7, verified = $8,"
    " asked = coalesce($10::jsonb, asked), answer = CASE WHEN $4 = 'pending' THEN answer END,"
    " due_at = CASE WHEN answered = ($10::jsonb ->> 'number')::bigint THEN now()"
    " ELSE now() + $9::float8 * interval '1 second' END"
    " WHERE tenant_id = $1::uuid AND id = $2::uuid AND attempts = $3::bigint AND status = 'pending'"
)
logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Terms:
    """How often it is tried again, and for how many days requests are kept."""

    schedule: Sequence[float]
    days: int


class Later:
    """Takes second looks. One per working process."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        sources: Sources,
        reader: Reader,
        asker: Asker,
        replies: Replies,
        terms: Terms,
        observe: Observe,
    ) -> None:
        self._pool = pool
        self._sources = sources
        self._reader = reader
        self._asker = asker
        self._replies = replies
        self._terms = terms
        self._observe = observe
        self._room = asyncio.Semaphore(ABREAST)

    async def run(self) -> None:
        """Look until cancelled."""
        kept = -EVERY
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await self.sweep()
                if time.monotonic() - kept >= EVERY:
                    await self.forget()
                    kept = time.monotonic()
            except (*AWAY, OSError) as error:
                logger.warning("inbound.failed", error=repr(error))

    async def sweep(self) -> None:
        """Look at all that is due."""
        due: dict[UUID, list[UUID]] = {}
        for row in await self._pool.fetch("SELECT tenant_id, id FROM due_inbound($1)", MOST):
            due.setdefault(row["tenant_id"], []).append(row["id"])
        rows = [row for tenant, named in due.items() for row in await self._taken(tenant, named)]
        await asyncio.gather(*(self._look(row) for row in rows))

    async def _taken(self, tenant_id: UUID, named: list[UUID]) -> list[asyncpg.Record]:
        async with session.of_tenants(self._pool, {tenant_id}) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(TAKE, tenant_id, named, LEASE)
        return rows

    async def _look(self, row: asyncpg.Record) -> None:
        async with self._room:
            wait, dialect, question = None, "unknown", None
            try:
                source = await self._source(row)
                dialect = source.dialect.name
                outcome = await self._settled(source, row)
            except Refused as refused:
                outcome = Outcome("rejected", refused.reason, verified=row["verified"])
            except (*AWAY, OSError):
                raise
            except Exception as error:  # one request's trouble is not the worker's, nor that of those beside it
                words = str(error)[:2000]
                if isinstance(error, Asked):
                    question = error.question
                if not isinstance(error, Unsure):
                    logger.error("inbound.look_failed", request_id=str(row["id"]), exc_info=error)
                    words = "It could not be looked at; the log says why."
                wait = retry.wait(self._terms.schedule, row["attempts"] - 1, JITTER)
                outcome = Outcome("pending" if wait is not None else "rejected", "unconfirmed", words)
            await self._write(row, outcome, wait, question)
            if outcome.status != "pending":
                self._observe(dialect, outcome.status)

    async def _source(self, row: asyncpg.Record) -> Source:
        async with session.of_tenants(self._pool, {row["tenant_id"]}) as connection:
            found = await self._sources.of(connection, row["tenant_id"], row["source_id"])
        if found is None:
            raise Refused("source_gone")
        return found

    async def _settled(self, source: Source, row: asyncpg.Record) -> Outcome:
        """Prove it as of when it came, unless it was; ask the provider; count it."""
        knock = Knock(row["headers"], row["body"], ip=row["ip"], at=row["received_at"], reply=self._reply(row))
        key = source.keys[0] if source.keys else ""
        if not row["verified"]:
            key = source.prove(knock)
        confirmation = None
        if source.dialect.confirm:
            confirmation = await source.dialect.confirm(self._asker, knock, key, source.options)
        said = row["provider_event_id"], row["provider_event_type"]
        outcome, _ = await self._reader.settle(row["id"], source, knock, said, confirmation)
        return outcome

    def _reply(self, row: asyncpg.Record) -> Reply:
        """Where the answer to a question of this look would come, and the answer to an earlier one."""
        asked = row["asked"]
        answer = row["answer"] if asked and asked["number"] == row["answered"] else None
        number = time.time_ns() // 1000
        return Reply(number, self._replies.address(row["tenant_id"], row["id"], number), asked, answer)

    async def _write(
        self, row: asyncpg.Record, outcome: Outcome, wait: float | None, question: Mapping[str, Any] | None
    ) -> None:
        async with session.of_tenants(self._pool, {row["tenant_id"]}) as connection:
            await connection.execute(
                DONE,
                row["tenant_id"],
                row["id"],
                row["attempts"],
                outcome.status,
                outcome.reason,
                outcome.detail,
                outcome.event_id,
                outcome.verified,
                wait,
                question,
            )

    async def forget(self) -> None:
        """Drop what is past its time."""
        before = ids.floor(clock.now() - timedelta(days=self._terms.days))
        gone = FORGET
        while gone >= FORGET:
            gone = await self._pool.fetchval("SELECT forget_inbound($1, $2, $3)", before, REFUSED, FORGET)
