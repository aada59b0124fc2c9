"""Reactions as a sink: what follows from an event inside Crosstie, in a Unit of its own, tried again until it succeeds.

A reaction is a delivery like any other: leased, retried, a dead letter in the end. It may be begun more than once, but
what it does and the mark that it is done commit together: a second run finds the mark and does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from crosstie.db.engine import TROUBLE, Connection
from crosstie.db.statement import Statement
from crosstie.declare.module import Reaction
from crosstie.errors import Problem
from crosstie.kit import clock, json, text
from crosstie.log.event import Actor, Event
from crosstie.log.sink import Lease, Outcome, Result, Route
from crosstie.log.unit import Log, Unit

KIND = "reaction"
#: a twin that is under way is waited for: after its commit there is nothing left to do, after its end all of it
MARK = Statement(
    "INSERT INTO inbox (tenant_id, source, event_id, hash, log_id)"
    " VALUES ($1::uuid, $2::text, $3::uuid::text, ''::bytea, $3::uuid) ON CONFLICT DO NOTHING RETURNING log_id",
    ["tenant", "source", "event"],
)
#: the time of the newest word about a subject that a reaction has taken, in microseconds; locked until the end
NEWEST = Statement(
    "INSERT INTO counters AS c (tenant_id, subject_type, subject_id, value)"
    " VALUES ($1::uuid, $2::text, $3::text, (extract(epoch FROM $4::timestamptz) * 1000000)::bigint)"
    " ON CONFLICT (tenant_id, subject_type, subject_id) DO UPDATE SET value = excluded.value"
    " WHERE c.value <= excluded.value RETURNING value",
    ["tenant", "source", "lane", "at"],
)


class Reactions:
    """The sink of reactions. Every tenant has all of them."""

    kind = KIND

    def __init__(self, log: Log, reactions: Sequence[Reaction], schedule: Sequence[float]) -> None:
        self._log = log
        self._reactions = [(each, text.matcher(each.events)) for each in reactions]
        self._schedule = schedule

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """A route per tenant and reaction."""
        return [
            Route(
                tenant_id=tenant,
                id=uuid5(tenant, f"reaction {each.name}"),
                sink=KIND,
                wants=wants,
                passes=each.passes,
                ordered=each.ordered,
                urgent=False,
                schedule=self._schedule,
                max_in_flight=8,
                target=each,
                name=each.name,
            )
            for tenant in tenants
            for each, wants in self._reactions
        ]

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Run the reaction. A refusal counts as a failure that may pass, as what it waits for may yet come."""
        started, begun = clock.now(), time.perf_counter()
        reaction: Reaction = route.target
        event = lease.event
        actor = Actor("system", reaction.name, frozenset("*"))
        code = message = None
        try:
            async with self._log.unit(
                lease.tenant_id,
                actor,
                correlation_id=event.correlation_id or event.event_id,
                causation_id=event.event_id,
                trace=lease.place,
            ) as unit:
                if await _due(unit, reaction, event):
                    await reaction.run(unit, event, json.loads(event.data.encode()))
        except Problem as problem:
            code, message = problem.code, problem.detail
        except TROUBLE as error:
            code, message = "database", type(error).__name__
        duration = round((time.perf_counter() - begun) * 1000)
        return Outcome(code is None, started, duration, error_code=code, error_message=message)

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Nothing follows but the record."""
        return ()


async def _due(unit: Unit, reaction: Reaction, event: Event) -> bool:
    """Mark an event as done by a reaction; whether there is anything to do."""
    source = f"{KIND}:{reaction.name}"
    if not await unit.fetch(MARK, tenant=unit.tenant_id, source=source, event=event.id):
        return False
    if not reaction.latest or event.lane is None:
        return True
    return await newest(unit, source, event.lane, event.at)


async def newest(unit: Unit, source: str, lane: str, at: datetime) -> bool:
    """Whether nothing later about this has been taken. Whoever asks about the same at that moment waits for the end."""
    return bool(await unit.fetch(NEWEST, tenant=unit.tenant_id, source=source, lane=lane, at=at))
