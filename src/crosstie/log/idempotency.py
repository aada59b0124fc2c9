"""Keyed requests: the effect and its answer commit together; a repeat gets the stored answer, a twin waits its turn.

The twin is found by a try-lock taken with BEGIN. The effect runs in a savepoint, so that a refusal rolls back to it and
commits only its record. Answers are sealed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from crosstie.db import lock, session
from crosstie.db.engine import Connection
from crosstie.db.statement import Statement
from crosstie.errors import AlreadyRunning, Invalid, KeyReused, MoveRefused, NotFound, PreconditionFailed, Problem
from crosstie.log.event import Actor
from crosstie.log.refusal import Twin
from crosstie.log.tables import answer_place
from crosstie.log.unit import Log, Unit

#: refusals that are verdicts about the state, and so part of the answer that a key stands for
VERDICTS = (NotFound, PreconditionFailed, Invalid, MoveRefused)

FIND = (
    "SELECT current_setting('app.locked') AS locked, i.fingerprint, i.answer FROM (SELECT 1) AS one"
    " LEFT JOIN idempotency i ON i.tenant_id = $1 AND i.principal = $2 AND i.key = $3"
)
KEEP = Statement(
    "INSERT INTO idempotency (tenant_id, principal, key, fingerprint, answer)"
    " VALUES ($1::uuid, $2::text, $3::bytea, $4::bytea, $5::bytea)",
    "12345",
)


class Answer(msgspec.Struct, array_like=True):
    """What a caller gets: status, headers, the bytes of the body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key with what it stands for."""

    principal: str
    digest: bytes
    fingerprint: bytes
    place: UUID = field(repr=False)

    @classmethod
    def of(cls, actor: Actor, key: str, route: str, body: bytes) -> Key:
        """The key of a request: per tenant and principal; bound to route and body."""
        digest = sha256(key.encode()).digest()
        return cls(
            principal=actor.principal,
            digest=digest,
            fingerprint=sha256(route.encode() + b"\0" + body).digest(),
            place=answer_place({"principal": actor.principal, "key": digest}),
        )

    def lock(self, tenant_id: UUID) -> int:
        """The number of the advisory lock."""
        return lock.number(tenant_id.bytes + self.principal.encode() + self.digest)


async def perform(
    log: Log,
    tenant_id: UUID,
    actor: Actor,
    work: Callable[[Unit], Awaitable[Answer]],
    refused: Callable[[Problem], Answer],
    key: Key | None = None,
    **context: Any,
) -> Answer:
    """Run the work in one Unit; with a key at most once. `refused` draws the answer of a verdict."""
    if key is None:
        async with log.unit(tenant_id, actor, **context) as unit:
            return await work(unit)
    await log.cipher.load(log.app, tenant_id)
    try:
        return await _keyed(log, tenant_id, actor, work, refused, key, context)
    except Twin:
        # the twin committed between our look and our write: now its answer is there
        return await _keyed(log, tenant_id, actor, work, refused, key, context)


async def _keyed(
    log: Log,
    tenant_id: UUID,
    actor: Actor,
    work: Callable[[Unit], Awaitable[Answer]],
    refused: Callable[[Problem], Answer],
    key: Key,
    context: dict[str, Any],
) -> Answer:
    async with entered(log, tenant_id, key) as (connection, stored):
        if stored is not None:
            return stored
        unit = Unit(log, connection, tenant_id, actor, **context)
        try:
            answer = await work(unit)
            await keep(unit, key, answer)
        except VERDICTS as problem:
            await connection.execute("ROLLBACK TO SAVEPOINT effect")
            unit = Unit(log, connection, tenant_id, actor, **context)
            answer = refused(problem)
            await keep(unit, key, answer)
    unit.committed()
    return answer


@asynccontextmanager
async def entered(log: Log, tenant_id: UUID, key: Key) -> AsyncIterator[tuple[Connection, Answer | None]]:
    """A transaction that holds the key, at a savepoint; and the answer that it stands for, where there is one.

    The tenant's keys must be loaded. Raises AlreadyRunning, KeyReused.
    """
    opening = (
        f"{session.begin(tenant_id)},"
        f" set_config('app.locked', pg_try_advisory_xact_lock({key.lock(tenant_id)})::text, true); SAVEPOINT effect"
    )
    async with log.app.acquire() as connection, session.transaction(connection, opening):
        (found,) = await connection.fetch(FIND, tenant_id, key.principal, key.digest)
        if found["answer"] is None and found["locked"] != "true":
            raise AlreadyRunning(headers={"Retry-After": "1"})
        stored = await _stored(log, connection, tenant_id, key, found) if found["answer"] is not None else None
        yield connection, stored


async def keep(unit: Unit, key: Key, answer: Answer) -> None:
    """The answer goes with the effect's own writes."""
    plain = msgspec.msgpack.encode(answer)
    sealed = unit.log.cipher.seal(unit.tenant_id, plain, "idempotency", "answer", key.place)
    unit.write(KEEP, [unit.tenant_id, key.principal, key.digest, key.fingerprint, sealed])
    await unit.finish()


async def _stored(log: Log, connection: Connection, tenant_id: UUID, key: Key, found: asyncpg.Record) -> Answer:
    if found["fingerprint"] != key.fingerprint:
        raise KeyReused()
    plain = await log.cipher.unseal(connection, tenant_id, found["answer"], "idempotency", "answer", key.place)
    answer = msgspec.msgpack.decode(plain, type=Answer)
    answer.replayed = True
    return answer
