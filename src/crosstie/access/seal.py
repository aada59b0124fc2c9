"""Sealing: what Units noted is chained, tenant by tenant, in the order in which it was noted.

The row of a tenant's head is the lock: of several sealers one works on a tenant, the others pass it by. An entry moves
from the waiting ones into the chain in one statement, so that a sealer that is killed leaves it here or there. What no
process of this installation wrote is put out of the way, and the chain tells of it.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from crosstie.access import chain
from crosstie.access.anchor import Anchors, Checkpoint
from crosstie.db import session
from crosstie.db.engine import TROUBLE, Connection
from crosstie.declare.row import Row
from crosstie.kit import clock
from crosstie.log import trail
from crosstie.log.event import Actor, Origin
from crosstie.log.trail import Act

#: seconds between two looks; tenants and entries of one transaction
SWEEP, TENANTS, MOST = 0.3, 100, 500
logger = structlog.get_logger()

audit_heads = sa.Table(
    "audit_heads",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("anchored", sa.BigInteger, nullable=False, comment="Up to here a checkpoint was written."),
    info={"reach": "batch", "app": "SELECT", "batch": "SELECT, INSERT, UPDATE"},
)

BEGIN = (
    "INSERT INTO audit_heads (tenant_id, position, hash, anchored) SELECT t, 0, h, 0"
    " FROM unnest($1::uuid[], $2::bytea[]) AS g (t, h) ON CONFLICT DO NOTHING"
)
WAIT = (
    "SELECT tenant_id, position, hash, anchored FROM audit_heads"
    " WHERE tenant_id = ANY ($1::uuid[]) ORDER BY tenant_id FOR UPDATE"
)
HOLD = f"{WAIT} SKIP LOCKED"
#: where a chain really ends: somebody may have put rows behind its head, and they must not stop it
LAST = (
    "SELECT t AS tenant_id, coalesce((SELECT max(e.position) FROM audit_entries e WHERE e.tenant_id = t), 0) AS last"
    " FROM unnest($1::uuid[]) AS t"
)
WAITING = (
    "SELECT p.* FROM unnest($1::uuid[]) AS t CROSS JOIN LATERAL"
    " (SELECT * FROM audit_pending w WHERE w.tenant_id = t ORDER BY w.id LIMIT $2) AS p"
)
#: what waits and bears the id of an entry that was sealed before
AGAIN = (
    "SELECT p.tenant_id, p.id FROM unnest($1::uuid[], $2::uuid[]) AS p (tenant_id, id)"
    " JOIN audit_entries e ON e.tenant_id = p.tenant_id AND e.id = p.id"
)
DROP = (
    "DELETE FROM audit_pending p USING unnest($1::uuid[], $2::uuid[]) AS g (tenant_id, id)"
    " WHERE p.tenant_id = g.tenant_id AND p.id = g.id"
)
#: who says what was found while sealing
SEALER = Actor("system", "sealer")
#: characters of a foreign row that its refusal repeats
QUOTED = 4000
MOVE = (
    "WITH g AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[],"
    " $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[]) AS g (tenant_id, id, position, ip_salt, ip_digest,"
    " personal_salt, personal_digest, mark, previous, hash)), moved AS (DELETE FROM audit_pending p USING g"
    " WHERE p.tenant_id = g.tenant_id AND p.id = g.id RETURNING p.*)"
    " INSERT INTO audit_entries (tenant_id, id, position, at, actor_type, actor_id, action, target_type, target_id,"
    " outcome, request_id, ip, ip_salt, ip_digest, before, after, personal, personal_salt, personal_digest, mark,"
    " previous, hash) SELECT m.tenant_id, m.id, g.position, m.at, m.actor_type, m.actor_id, m.action, m.target_type,"
    " m.target_id, m.outcome, m.request_id, m.ip, CASE WHEN m.ip IS NOT NULL THEN g.ip_salt END, g.ip_digest,"
    " m.before, m.after, m.personal,"
    # what was blanked while it was sealed has no salt either
    " CASE WHEN m.personal IS NOT NULL THEN g.personal_salt END, g.personal_digest, g.mark, g.previous, g.hash"
    " FROM moved m JOIN g ON g.tenant_id = m.tenant_id AND g.id = m.id"
)
#: an erasure that is sealed blanks what was said about its target before, and from where its target acted
BLANK = (
    "UPDATE audit_entries e SET personal = NULL, personal_salt = NULL"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS g (tenant_id, kind, subject, position)"
    " WHERE e.tenant_id = g.tenant_id AND e.target_type = g.kind AND e.target_id = g.subject"
    " AND e.position < g.position AND e.personal IS NOT NULL",
    "UPDATE audit_entries e SET ip = NULL, ip_salt = NULL"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS g (tenant_id, kind, subject, position)"
    " WHERE e.tenant_id = g.tenant_id AND e.actor_type = g.kind AND e.actor_id = g.subject"
    " AND e.position < g.position AND e.ip IS NOT NULL",
)
ADVANCE = (
    "UPDATE audit_heads h SET position = g.position, hash = g.hash"
    " FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS g (tenant_id, position, hash)"
    " WHERE h.tenant_id = g.tenant_id"
)
MARKS = (
    "SELECT position, mark FROM audit_entries WHERE tenant_id = $1 AND position > $2 AND position <= $3"
    " ORDER BY position"
)
ANCHORED = "UPDATE audit_heads SET anchored = greatest(anchored, $2) WHERE tenant_id = $1"


#: an entry that waits, and which of its parts were blanked meanwhile
Found = tuple[Mapping[str, Any], frozenset[str]]


@dataclass(slots=True)
class Head:
    """Where a tenant's chain ends."""

    position: int
    hash: bytes


async def seal(pool: asyncpg.Pool, witness: bytes, tenants: Iterable[UUID], *, wait: bool = False) -> int:
    """Chain what waits for these tenants, on the worker's role; how many entries. `witness` tells ours from others.

    A tenant at which another sealer is now is left to it; with `wait` until that one has done.
    """
    wanted = list(tenants)
    try:
        return await _try(pool, witness, wanted, WAIT if wait else HOLD)
    except asyncpg.UniqueViolationError:  # rare enough to be looked for only now
        return await _try(pool, witness, wanted, WAIT if wait else HOLD, doubt=True)


async def _try(pool: asyncpg.Pool, witness: bytes, tenants: Sequence[UUID], hold: str, *, doubt: bool = False) -> int:
    """Seal in one transaction. With `doubt`, what bears the id of a sealed entry is taken for foreign."""
    async with session.of_tenants(pool, tenants) as connection:
        waiting = await connection.fetch(WAITING, tenants, 1)
        busy = [row["tenant_id"] for row in waiting]
        return await _seal(connection, witness, busy, hold, doubt) if busy else 0


async def _seal(connection: Connection, witness: bytes, tenants: Sequence[UUID], hold: str, doubt: bool) -> int:
    await connection.execute(BEGIN, tenants, [chain.genesis(tenant) for tenant in tenants])
    held = {row["tenant_id"]: Head(row["position"], row["hash"]) for row in await connection.fetch(hold, tenants)}
    if not held:
        return 0
    for end in await connection.fetch(LAST, list(held)):
        if end["last"] > held[end["tenant_id"]].position:
            logger.error("audit.foreign_entries", tenant_id=str(end["tenant_id"]), position=end["last"])
            held[end["tenant_id"]].position = end["last"]
    found = await connection.fetch(WAITING, list(held), MOST)
    rows = await _ours(connection, witness, found, await _again(connection, found) if doubt else frozenset())
    if not rows:
        return 0
    columns: list[list[object]] = [[] for _ in range(10)]
    for row, gone in rows:
        for column, value in zip(columns, _chained(row, gone, held[row["tenant_id"]]), strict=True):
            column.append(value)
    await connection.execute(MOVE, *columns)
    erasures = [
        (row["tenant_id"], row["target_type"], row["target_id"], position)
        for (row, _), position in zip(rows, columns[2], strict=True)
        if chain.erases(row)
    ]
    for statement in BLANK if erasures else ():
        await connection.execute(statement, *map(list, zip(*erasures, strict=True)))
    heads = list(held.items())
    await connection.execute(
        ADVANCE, [tenant for tenant, _ in heads], [head.position for _, head in heads], [head.hash for _, head in heads]
    )
    return len(rows)


async def _again(connection: Connection, found: Sequence[asyncpg.Record]) -> frozenset[tuple[UUID, UUID]]:
    """Which of these bear the id of an entry that was sealed before."""
    keys = [row["tenant_id"] for row in found], [row["id"] for row in found]
    return frozenset((row["tenant_id"], row["id"]) for row in await connection.fetch(AGAIN, *keys))


async def _ours(
    connection: Connection, witness: bytes, found: Sequence[asyncpg.Record], again: frozenset[tuple[UUID, UUID]]
) -> list[Found]:
    """What processes of this installation wrote, erasures last: they account for what is blank in those before them.

    The rest is taken away, and an entry in its place, to be sealed with the next, says what it claimed.
    """
    ours: list[Found] = []
    foreign = []
    for row in map(dict, found):
        gone = trail.blanked(witness, row)
        if gone is None or (row["tenant_id"], row["id"]) in again:
            foreign.append(row)
        else:
            ours.append((row, gone))
    if foreign:
        await connection.execute(DROP, [row["tenant_id"] for row in foreign], [row["id"] for row in foreign])
    for row in foreign:
        logger.error("audit.forged_entry", tenant_id=str(row["tenant_id"]), entry_id=str(row["id"]))
        claimed = {name: str(row[name])[:QUOTED] for name in trail.COVERED if row[name] is not None}
        act = Act(chain.REFUSAL, "audit_entry", str(row["id"]), after={"claimed": claimed}, outcome="denied")
        statement, arguments = trail.noted(witness, row["tenant_id"], [act], clock.now(), SEALER, Origin())
        await connection.execute(statement.text, *arguments)
    return sorted(ours, key=lambda each: chain.erases(each[0]))


def _chained(row: Mapping[str, Any], gone: frozenset[str], head: Head) -> tuple[object, ...]:
    """The columns that an entry gets in its place; the head moves on to it. Of parts that are gone no salt is left."""
    salts: dict[str, bytes | None] = {}
    digests: dict[str, bytes | None] = {}
    for name in trail.PARTS:
        salt = os.urandom(chain.SALT) if row[name] is not None or name in gone else None
        salts[name] = salt if name not in gone else None
        digests[f"{name}_digest"] = chain.salted(salt, row[name] or "") if salt is not None else None
    content = chain.content({**row, **digests})
    previous, position = head.hash, head.position + 1
    head.position, head.hash = position, chain.link(previous, position, content)
    return (
        row["tenant_id"],
        row["id"],
        position,
        salts["ip"],
        digests["ip_digest"],
        salts["personal"],
        digests["personal_digest"],
        content[: chain.MARK],
        previous,
        head.hash,
    )


class Sealer:
    """Seals and anchors. Any number of processes may: each tenant is sealed by one at a time."""

    def __init__(self, pool: asyncpg.Pool, witness: bytes, anchors: Anchors) -> None:
        self._pool = pool
        self._witness = witness
        self._anchors = anchors

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                if not await self.sweep():
                    await asyncio.sleep(SWEEP)
            except TROUBLE as error:
                logger.warning("audit.seal_failed", error=repr(error))
                await asyncio.sleep(1)

    async def sweep(self) -> bool:
        """Seal what waits, then write checkpoints. Answers whether there may be more."""
        tenants = [row["tenant_id"] for row in await self._pool.fetch("SELECT * FROM audit_waiting($1)", TENANTS)]
        sealed = await seal(self._pool, self._witness, tenants) if tenants else 0
        await self.anchor()
        return sealed >= MOST

    async def anchor(self) -> None:
        """Write checkpoints for every chain that grew since its last one, and say so once they are on disk."""
        rows = await self._pool.fetch("SELECT * FROM audit_unanchored($1)", TENANTS)
        if not rows:
            return
        found = []
        for tenant_id in (row["tenant_id"] for row in rows):
            async with session.of_tenants(self._pool, [tenant_id]) as connection:
                found += await _grown(connection, tenant_id)
        await asyncio.to_thread(self._anchors.write, found)
        by_tenant: dict[UUID, int] = defaultdict(int)
        for checkpoint in found:
            by_tenant[checkpoint.tenant_id] = max(by_tenant[checkpoint.tenant_id], checkpoint.position)
        for tenant_id, position in by_tenant.items():
            async with session.of_tenants(self._pool, [tenant_id]) as connection:
                await connection.execute(ANCHORED, tenant_id, position)
        await self._anchors.push()


async def _grown(connection: Connection, tenant_id: UUID) -> list[Checkpoint]:
    """The checkpoint of a chain, unless another process is at it."""
    heads = await connection.fetch(HOLD, [tenant_id])
    if not heads or heads[0]["position"] <= heads[0]["anchored"]:
        return []
    head = heads[0]
    marks = {
        row["position"]: row["mark"]
        for row in await connection.fetch(MARKS, tenant_id, head["anchored"], head["position"])
    }
    span = range(head["anchored"] + 1, head["position"] + 1)
    lost = bytes(chain.MARK)
    whole = b"".join(marks.get(position, lost) for position in span)
    return [Checkpoint(tenant_id, head["anchored"], head["position"], head["hash"], whole, clock.now())]
