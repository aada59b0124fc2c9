"""Rate limits of endpoints, per installation: what was taken in the last span of time stands in one row, and a claim
takes the row's lock before it takes deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from crosstie.db.engine import Connection
from crosstie.log.sink import Route

LOCK = (
    "SELECT endpoint_id, blocks, extract(epoch FROM clock_timestamp())::float8 AS now FROM rates"
    " WHERE tenant_id = ANY ($1::uuid[]) AND endpoint_id = ANY ($2::uuid[]) ORDER BY endpoint_id FOR UPDATE"
)
MAKE = (
    "INSERT INTO rates (tenant_id, endpoint_id, blocks)"
    " SELECT t, e, '[]'::jsonb FROM unnest($1::uuid[], $2::uuid[]) AS r (t, e) ORDER BY e ON CONFLICT DO NOTHING"
)
KEEP = (
    "UPDATE rates r SET blocks = g.blocks::jsonb FROM unnest($1::uuid[], $2::text[]) AS g (endpoint_id, blocks)"
    " WHERE r.endpoint_id = g.endpoint_id AND r.tenant_id = ANY ($3::uuid[])"
)


@dataclass(slots=True)
class Allowance:
    """How many deliveries of an endpoint may be taken now, and when (seconds from now) more will be."""

    room: int
    again: float
    now: float
    blocks: list[list[float]] = field(default_factory=list)


def allowance(limit: tuple[int, float], blocks: Sequence[Sequence[float]], now: float) -> Allowance:
    """What a limit of (requests, seconds) leaves after the blocks [moment, taken] of the last span."""
    most, span = limit
    recent = [list(block) for block in blocks if block[0] > now - span]
    room = most - int(sum(block[1] for block in recent))
    again = recent[0][0] + span - now if room <= 0 and recent else 0.0
    return Allowance(max(0, room), again, now, recent)


async def locked(connection: Connection, routes: Sequence[Route]) -> dict[UUID, Allowance]:
    """The allowance of each limited route; its row is held until the transaction ends."""
    limited = {route.id: route for route in routes if route.rate is not None}
    if not limited:
        return {}
    tenants, endpoints = [r.tenant_id for r in limited.values()], list(limited)
    await connection.execute(MAKE, tenants, endpoints)
    rows = await connection.fetch(LOCK, tenants, endpoints)
    return {
        row["endpoint_id"]: allowance(limit, row["blocks"], row["now"])
        for row in rows
        if (limit := limited[row["endpoint_id"]].rate) is not None
    }


async def taken(connection: Connection, tenants: Sequence[UUID], held: Mapping[UUID, tuple[Allowance, int]]) -> None:
    """Note how many deliveries were taken."""
    texts = [_text([*allowed.blocks, [allowed.now, float(count)]]) for allowed, count in held.values()]
    await connection.execute(KEEP, list(held), texts, tenants)


def _text(blocks: Sequence[Sequence[float]]) -> str:
    return "[" + ",".join(f"[{moment!r},{count!r}]" for moment, count in blocks) + "]"
