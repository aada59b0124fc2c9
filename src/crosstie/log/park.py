"""Events that came in and cannot become entries of the log: parked and tried again, or dead letters with their cause.

Parked is what may fit later: its type may yet be registered. Its row is the promise: the broker has been told that the
event is here. A repeat of the same bytes is the same letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import session
from crosstie.db.engine import AWAY, Connection
from crosstie.errors import EventTypeUnknown, Problem
from crosstie.kit import clock, ids, json, retry
from crosstie.log import dialect
from crosstie.log.append import columns
from crosstie.log.event import Actor
from crosstie.log.ingest import Arrival, Ingest
from crosstie.log.intake import Intake
from crosstie.log.record import APPEND, event

#: seconds between two looks, rows of one look, seconds in which who took a row must be done with it
SWEEP, MOST, LEASE = 2.0, 200, 60.0
JITTER = Random()  # noqa: S311  # spreads retries, guards nothing
KEEP = (
    "INSERT INTO dead_letters AS l (tenant_id, id, source, event, event_type, cause, detail, attempts, first_at,"
    " last_at, status, due_at, digest)"
    " SELECT tenant_id, id, source, event, event_type, cause, detail, 1, now(), now(), status,"
    " now() + wait * interval '1 second', digest"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::json[], $5::text[], $6::text[], $7::text[], $8::text[],"
    " $9::float8[], $10::bytea[])"
    " AS g (tenant_id, id, source, event, event_type, cause, detail, status, wait, digest)"
    " ON CONFLICT (tenant_id, source, digest) WHERE digest IS NOT NULL DO UPDATE SET last_at = now()"
    " RETURNING id"
)
TAKE = (
    "UPDATE dead_letters SET due_at = now() + $3::float8 * interval '1 second', attempts = attempts + 1,"
    " last_at = now() WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[]) AND status = 'parked' AND due_at <= now()"
    " RETURNING tenant_id, id, source, event, event_type, attempts"
)
DONE = "DELETE FROM dead_letters WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[])"
AGAIN = (
    "UPDATE dead_letters SET status = $3, cause = $4, detail = $5, due_at = now() + $6::float8 * interval '1 second'"
    " WHERE tenant_id = $1::uuid AND id = $2::uuid"
)
logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Odd:
    """An event that cannot be taken: `document` is what came, JSON; `parked` where it may fit later."""

    tenant_id: UUID
    source: str
    document: bytes
    cause: str
    detail: str
    event_type: str = ""
    parked: bool = False

    @property
    def digest(self) -> bytes:
        """By which a repeat is known."""
        return sha256(self.document).digest()


def odd(tenant_id: UUID, source: str, document: Any, raw: bytes, problem: Problem) -> Odd:
    """What is kept of a document that the intake refused."""
    named = None
    if isinstance(document, dict):  # by the name under which it would be registered
        named = dialect.normal(document)[0].get("event_type") or document.get("type")
    detail = " ".join([problem.detail, *(f"{fault.pointer} {fault.message}." for fault in problem.errors[:5])])
    return Odd(
        tenant_id,
        source,
        raw,
        problem.code,
        detail[:2000],
        str(named or "")[:200],
        parked=isinstance(problem, EventTypeUnknown),
    )


def unstorable(arrival: Arrival, raw: bytes, fate: BaseException) -> Odd:
    """What is kept of an event that the log refused: its id was used for another, or the database cannot hold it."""
    event = arrival.event
    code = fate.code if isinstance(fate, Problem) else "unstorable"
    detail = fate.detail if isinstance(fate, Problem) else type(fate).__name__
    return Odd(event.tenant_id, event.source or "", raw, code, detail, event.type)


class Park:
    """Keeps what could not be taken, and tries the parked again. One per process."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        intake: Intake,
        ingest: Ingest,
        epoch: int,
        schedule: Sequence[float],
        actors: Mapping[str, Actor],
    ) -> None:
        #: by source: who tells what comes from there
        self._actors = actors
        self._pool = pool
        self._intake = intake
        self._ingest = ingest
        self._epoch = epoch
        self._schedule = schedule

    async def keep(self, found: Sequence[Odd]) -> None:
        """Write them down, those of each tenant once."""
        kept = list({(each.tenant_id, each.source, each.digest): each for each in found}.values())
        if not kept:
            return
        named = {ids.uuid7(): each for each in kept}
        waits = [self._wait(1) if each.parked else None for each in kept]
        async with session.of_tenants(self._pool, {each.tenant_id for each in kept}) as connection:
            rows = await connection.fetch(
                KEEP,
                [each.tenant_id for each in kept],
                list(named),
                [each.source for each in kept],
                [each.document.decode() for each in kept],
                [each.event_type for each in kept],
                [each.cause for each in kept],
                [each.detail for each in kept],
                ["dead" if wait is None else "parked" for wait in waits],
                waits,
                [each.digest for each in kept],
            )
            fresh = {row["id"] for row in rows}
            dead = [(id, each) for (id, each), wait in zip(named.items(), waits, strict=True) if wait is None]
            await self._tell(connection, [(id, each) for id, each in dead if id in fresh])

    async def run(self) -> None:
        """Try what is due until cancelled."""
        while True:
            await asyncio.sleep(SWEEP)
            try:
                due: dict[UUID, list[UUID]] = {}
                for row in await self._pool.fetch("SELECT tenant_id, id FROM due_letters($1)", MOST):
                    due.setdefault(row["tenant_id"], []).append(row["id"])
                for tenant_id, ids_ in due.items():
                    await self._retry(tenant_id, ids_)
            except (*AWAY, OSError) as error:
                logger.warning("park.failed", error=repr(error))

    async def _retry(self, tenant_id: UUID, letters: Sequence[UUID]) -> None:
        async with session.of_tenants(self._pool, {tenant_id}) as connection:
            rows = await connection.fetch(TAKE, tenant_id, letters, LEASE)
        taken = []
        for row in rows:
            again = await self._take(row)
            if again is None:
                taken.append(row["id"])
            else:
                await self._back(row, again)
        if taken:
            async with session.of_tenants(self._pool, {tenant_id}) as connection:
                await connection.execute(DONE, tenant_id, taken)

    async def _take(self, row: asyncpg.Record) -> Odd | None:
        """Into the log with it; answers what still stands against that."""
        raw = row["event"].encode()
        document = json.loads(raw)
        # a source that is here no more tells of its tenant only, and an inbound source of no people
        kind, _, name = row["source"].partition(":")
        actor = self._actors.get(row["source"]) or Actor(kind, name, frozenset("*" if kind == "broker" else ()))
        try:
            arrival = await self._intake.arrival(row["tenant_id"], actor, document, raw, source=row["source"])
            (fate,) = await self._ingest.put([arrival])
            if isinstance(fate, BaseException):
                return unstorable(arrival, raw, fate)
        except Problem as problem:
            return odd(row["tenant_id"], row["source"], document, raw, problem)
        return None

    async def _back(self, row: asyncpg.Record, again: Odd) -> None:
        wait = self._wait(row["attempts"]) if again.parked else None
        status = "dead" if wait is None else "parked"
        async with session.of_tenants(self._pool, {again.tenant_id}) as connection:
            await connection.execute(AGAIN, again.tenant_id, row["id"], status, again.cause, again.detail, wait)
            if wait is None:
                await self._tell(connection, [(row["id"], again)])

    def _wait(self, attempts: int) -> float | None:
        return retry.wait(self._schedule, attempts, JITTER)

    async def _tell(self, connection: Connection, dead: Sequence[tuple[UUID, Odd]]) -> None:
        """An event for each dead letter, in the transaction that made it one."""
        if not dead:
            return
        news = [
            event(
                "dead_letter.created",
                each.tenant_id,
                {"dead_letter_id": id, "source": each.source, "cause": each.cause, "refused_type": each.event_type},
                ("dead_letter", str(id)),
                clock.now(),
            )
            for id, each in dead
        ]
        await connection.execute(APPEND, *columns(news, self._epoch))
