"""Deliveries about to be written: which of them this process takes along, and the arrays that write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crosstie.db import lock
from crosstie.db.engine import Connection
from crosstie.kit import ids
from crosstie.log.append import QUERIES
from crosstie.log.event import Event
from crosstie.log.sink import Lease, Route


@dataclass(slots=True)
class Queued:
    """One delivery to be written, leased where this process will make its first attempt."""

    event: Event
    route: Route
    id: UUID
    leased: bool
    round: int = 0

    @property
    def lane(self) -> str | None:
        """The lane it must keep its place in, where the endpoint asks for order."""
        return self.event.lane if self.route.ordered else None

    def lease(self) -> Lease:
        """The first attempt."""
        return Lease(
            tenant_id=self.event.tenant_id,
            delivery_id=self.id,
            endpoint_id=self.route.id,
            sink=self.route.sink,
            number=1,
            event=self.event,
        )


def plan(event: Event, routes: Sequence[Route], taken: dict[UUID, int], room: Any) -> list[Queued]:
    """A delivery per route. `room(route, taken)` says how many more this process may hold beside those `taken` here."""
    found = []
    for route in routes:
        leased = False
        if not route.ordered and route.flows and route.rate is None and room is not None:
            leased = room(route, taken) > 0
            taken[route.id] = taken.get(route.id, 0) + leased
            taken[route.tenant_id] = taken.get(route.tenant_id, 0) + leased
        found.append(Queued(event, route, ids.uuid7(), leased))
    return found


#: tenant, endpoint, and the key of its order
Place = tuple[UUID, UUID, str | None]


async def write(
    connection: Connection, queued: Sequence[Queued], worker: UUID | None, passed: Sequence[Place] = ()
) -> None:
    """Write deliveries in the caller's transaction, and let the heads of their lanes (and of `passed`) go."""
    if queued:
        await _insert(connection, queued, worker)
    lanes = {(q.event.tenant_id, q.route.id, q.lane) for q in queued if q.lane is not None}
    await promote(connection, list(lanes.union(passed)))


async def _insert(connection: Connection, queued: Sequence[Queued], worker: UUID | None) -> None:
    await connection.execute(
        QUERIES["queue"].text,
        [q.event.tenant_id for q in queued],
        [q.id for q in queued],
        [q.event.id for q in queued],
        [q.event.event_id for q in queued],
        [q.event.type for q in queued],
        [q.route.id for q in queued],
        [q.route.sink for q in queued],
        [q.lane for q in queued],
        [q.event.sequence for q in queued],
        [q.leased for q in queued],
        worker,
        [q.round for q in queued],
    )


async def promote(connection: Connection, lanes: Sequence[Place]) -> int:
    """Let the head of each lane become claimable.

    Whoever writes into a lane and whoever finishes its head both come here, after their write and in its transaction,
    and take the lane's lock first: the second of two sees what the first committed, so no lane is left standing.
    """
    if not lanes:
        return 0
    await connection.execute(QUERIES["lanes"].text, sorted({_hash(endpoint, lane) for _, endpoint, lane in lanes}))
    freed = await connection.fetch(
        QUERIES["promote"].text, [t for t, _, _ in lanes], [e for _, e, _ in lanes], [lane for _, _, lane in lanes]
    )
    return len(freed)


def _hash(endpoint: UUID, lane: str | None) -> int:
    return lock.number(f"{endpoint}/{lane}".encode())
