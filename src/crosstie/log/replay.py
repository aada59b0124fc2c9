"""Replay and recovery for one endpoint: counted first, in small steps, never flooding the queue, resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from crosstie.db.statement import Statement
from crosstie.errors import NotFound
from crosstie.kit import clock, ids, text
from crosstie.log import event as events
from crosstie.log import queue, registry
from crosstie.log.delivery import again
from crosstie.log.operation import Operation, Step
from crosstie.log.queue import Queued
from crosstie.log.route import Routes
from crosstie.log.sink import Route
from crosstie.log.unit import Unit

STEP = 500
#: replayed deliveries of one endpoint that wait at once; above, the replay waits
BACKLOG = 2000
PAUSE = 1.0

#: events of a span of time, in the order of the log's ids
SPAN = Statement(
    "SELECT * FROM events WHERE id > $1::uuid AND id < $2::uuid AND ($3::text[] IS NULL OR type = ANY ($3::text[]))"
    " AND ($5::text[] IS NULL OR event_id = ANY ($5::text[])) ORDER BY id LIMIT $4::bigint",
    ["after", "until", "types", "most", "events"],
)
COUNT = Statement(
    "SELECT type, count(*) AS n FROM events WHERE id > $1::uuid AND id < $2::uuid"
    " AND ($3::text[] IS NULL OR type = ANY ($3::text[])) AND ($4::text[] IS NULL OR event_id = ANY ($4::text[]))"
    " GROUP BY type",
    ["after", "until", "types", "events"],
)
WAITING = Statement(
    "SELECT count(*) AS n FROM (SELECT 1 FROM deliveries WHERE endpoint_id = $1::uuid AND due_at IS NOT NULL"
    " LIMIT $2::bigint) AS w",
    ["endpoint", "most"],
)
FAILED = Statement(
    "SELECT id FROM deliveries WHERE endpoint_id = $1::uuid AND status = 'dead' AND created_at >= $2::timestamptz"
    " AND created_at < $3::timestamptz AND id > $4::uuid AND ($5::text[] IS NULL OR event_type = ANY ($5::text[]))"
    " ORDER BY id LIMIT $6::bigint FOR UPDATE",
    ["endpoint", "since", "until", "after", "types", "most"],
)
FAILURES = Statement(
    "SELECT count(*) AS n FROM deliveries WHERE endpoint_id = $1::uuid AND status = 'dead'"
    " AND created_at >= $2::timestamptz AND created_at < $3::timestamptz"
    " AND ($4::text[] IS NULL OR event_type = ANY ($4::text[]))",
    ["endpoint", "since", "until", "types"],
)
DROPPED = 5000
DROP = Statement(
    "UPDATE deliveries d SET status = 'cancelled', due_at = NULL, finished_at = now() FROM (SELECT tenant_id, id"
    " FROM deliveries WHERE endpoint_id = $1::uuid AND status IN ('pending', 'retrying') LIMIT $2::bigint FOR UPDATE) w"
    " WHERE d.tenant_id = w.tenant_id AND d.id = w.id RETURNING d.id",
    ["endpoint", "most"],
)
UNDER_WAY = Statement(
    "SELECT id FROM deliveries WHERE endpoint_id = $1::uuid AND status = 'delivering' LIMIT 1", ["endpoint"]
)


def given(endpoint_id: UUID, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The arguments of a replay or recovery as an operation keeps them; `until` is now where none is named."""
    return {
        "endpoint_id": str(endpoint_id),
        "since": clock.format(values["since"]),
        "until": clock.format(values.get("until") or now),
        "event_types": values.get("event_types") or None,
        "event_ids": values.get("event_ids") or None,
    }


async def count_events(unit: Unit, kept: Mapping[str, Any], patterns: Sequence[str]) -> int:
    """How many events a replay would send to an endpoint that subscribed to these patterns."""
    wants = text.matcher(patterns)
    rows = await unit.fetch(COUNT, **_span(kept), types=await _types(unit, kept), events=kept["event_ids"])
    return sum(row["n"] for row in rows if wants(row["type"]))


async def count_failed(unit: Unit, kept: Mapping[str, Any]) -> int:
    """How many dead deliveries a recovery would try again."""
    rows = await unit.fetch(FAILURES, **_failed(kept), types=await _types(unit, kept))
    return int(rows[0]["n"])


class Replays:
    """The kinds of operation over deliveries, with the routes of this process."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    async def replay(self, unit: Unit, operation: Operation) -> Step:
        """Make new deliveries of old events, in the order of the log."""
        kept = operation.given
        route = await self._route(unit, kept)
        if await self._full(unit, route.id):
            return Step(wait=PAUSE)
        span = _span(kept)
        if "after" in operation.state:
            span["after"] = UUID(operation.state["after"])
        types = await _types(unit, kept)
        rows = await unit.fetch(SPAN, **span, types=types, events=kept["event_ids"], most=STEP)
        wanted = [event for event in map(events.read, rows) if self._routes.fits(event, route)]
        await queue.write(
            unit.connection, [Queued(event, route, ids.uuid7(), False, kept.get("round", 0)) for event in wanted], None
        )
        unit.after.append(unit.log.poke)
        if len(rows) < STEP:
            return Step(done=len(wanted), finished=True, result={"deliveries": operation.progress + len(wanted)})
        return Step(done=len(wanted), state={"after": str(rows[-1]["id"])})

    async def recover(self, unit: Unit, operation: Operation) -> Step:
        """Try dead deliveries again, from the start of the schedule."""
        kept = operation.given
        endpoint = UUID(kept["endpoint_id"])
        types = await _types(unit, kept)
        if await self._full(unit, endpoint):
            return Step(wait=PAUSE)
        after = UUID(operation.state["after"]) if "after" in operation.state else UUID(int=0)
        rows = await unit.fetch(FAILED, **_failed(kept), types=types, after=after, most=STEP)
        await again(unit, [row["id"] for row in rows])
        if len(rows) < STEP:
            return Step(done=len(rows), finished=True, result={"deliveries": operation.progress + len(rows)})
        return Step(done=len(rows), state={"after": str(rows[-1]["id"])})

    async def drop(self, unit: Unit, operation: Operation) -> Step:
        """Cancel what still waits for an endpoint that is no more.

        Until a later look finds nothing: what was under way or being written when it went comes back.
        """
        endpoint = UUID(operation.given["endpoint_id"])
        rows = await unit.fetch(DROP, endpoint=endpoint, most=DROPPED)
        if len(rows) == DROPPED:
            return Step(done=DROPPED)
        if rows or not operation.state or await unit.fetch(UNDER_WAY, endpoint=endpoint):
            return Step(done=len(rows), state={"looked": True}, wait=PAUSE)
        return Step(finished=True)

    async def _route(self, unit: Unit, kept: Mapping[str, Any]) -> Route:
        await self._routes.have({unit.tenant_id})
        route = self._routes.get(UUID(kept["endpoint_id"]))
        if route is None:
            raise NotFound("The endpoint is gone.")
        return route

    async def _full(self, unit: Unit, endpoint: UUID) -> bool:
        rows = await unit.fetch(WAITING, endpoint=endpoint, most=BACKLOG)
        return bool(rows[0]["n"] >= BACKLOG)


def _span(kept: Mapping[str, Any]) -> dict[str, Any]:
    # no event is older than the ids that name it
    since, until = (max(clock.parse(kept[name]), datetime(1970, 1, 1, tzinfo=UTC)) for name in ("since", "until"))
    return {"after": ids.floor(since), "until": ids.floor(until)}


def _failed(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "endpoint": UUID(kept["endpoint_id"]),
        "since": clock.parse(kept["since"]),
        "until": clock.parse(kept["until"]),
    }


async def _types(unit: Unit, kept: Mapping[str, Any]) -> Sequence[str] | None:
    return await registry.named(unit, kept["event_types"]) if kept["event_types"] else None
