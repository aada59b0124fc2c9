"""Measuring one tenant: what its calls, queues and lines say at this moment. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from crosstie.db.engine import Connection
from crosstie.db.statement import Statement
from crosstie.log.sink import broker_way, house_way
from crosstie.log.unit import Unit
from crosstie.watch import presence, sketch
from crosstie.watch.presence import Line

#: the window of health, in seconds
WINDOW = 300
CALLS = Statement(
    """
WITH heard AS (
  SELECT * FROM pulses WHERE at > clock_timestamp() - $1::int * interval '1 second'
), last AS (
  SELECT integration_id, max(at) FILTER (WHERE ok > 0) AS ok_pulse FROM heard GROUP BY integration_id
)
SELECT h.integration_id AS id, min(h.kind) AS kind, max(h.name) AS name, sum(h.ok)::int AS ok,
  sum(h.failed)::int AS failed, sum(h.slow)::int AS slow, max(h.ok_at) AS ok_at, max(h.failed_at) AS failed_at,
  sum(CASE WHEN l.ok_pulse IS NULL OR h.at > l.ok_pulse THEN h.failed WHEN h.at = l.ok_pulse THEN h.streak
    ELSE 0 END)::int AS streak,
  (array_agg(h.error ORDER BY h.failed_at DESC NULLS LAST) FILTER (WHERE h.error IS NOT NULL))[1] AS error
  FROM heard h JOIN last l ON l.integration_id = h.integration_id GROUP BY h.integration_id
""",
    ["window"],
)
SPREADS = Statement(
    "SELECT p.integration_id AS id, s.key::int AS bucket, sum(s.value::int)::int AS count FROM pulses p"
    " CROSS JOIN LATERAL jsonb_each_text(p.spread) AS s WHERE p.at > clock_timestamp() - $1::int * interval '1 second'"
    " GROUP BY 1, 2",
    ["window"],
)
ENDPOINTS = Statement("SELECT id, url, status, disabled_reason FROM webhook_endpoints", [])
SERVICES = Statement(
    "SELECT id, service, failures, open_until, failed_at, reason FROM service_providers WHERE mode = 'remote'", []
)
#: who sends messages; the operator's mail server for a day after it was last asked
PROVIDERS = Statement(
    "SELECT id, name, status FROM notification_providers UNION ALL SELECT id, name, 'active' FROM integrations"
    " WHERE id = $1::uuid AND greatest(last_success_at, last_failure_at) > now() - interval '1 day'",
    ["house"],
)
#: the oldest due delivery of each way out: a step along the index for each, however long its queue is
OLDEST = Statement(
    "SELECT w.id, min(d.due_at) AS due_at FROM unnest($1::uuid[]) AS w (id)"
    " CROSS JOIN (VALUES ('pending'), ('retrying')) AS s (status) CROSS JOIN LATERAL (SELECT q.due_at FROM deliveries q"
    "   WHERE q.endpoint_id = w.id AND q.status = s.status AND q.due_at <= now() ORDER BY q.due_at LIMIT 1) d"
    " GROUP BY w.id",
    ["ways"],
)
#: the first event that a broker has not had
FOLLOWED = Statement(
    "SELECT p.way, e.at FROM places p CROSS JOIN LATERAL (SELECT at FROM events e WHERE e.tenant_id = p.tenant_id"
    " AND (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id) ORDER BY e.epoch, e.xid, e.id LIMIT 1) e",
    [],
)
DEAD = Statement(
    "SELECT count(*) FROM dead_letters WHERE status = 'dead' AND last_at > now() - $1::int * interval '1 second'",
    ["window"],
)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to another system that a tenant has."""

    kind: str
    name: str
    off: str | None = None
    line: Line | None = None


@dataclass(slots=True)
class Calls:
    """The calls to one integration in a window."""

    ok: int = 0
    failed: int = 0
    slow: int = 0
    streak: int = 0
    ok_at: datetime | None = None
    failed_at: datetime | None = None
    error: str | None = None
    spread: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many there were."""
        return self.ok + self.failed

    def quantile(self, part: float) -> int | None:
        """The time in milliseconds that this part of them did not exceed."""
        found = sketch.quantile(self.spread, part)
        return None if found is None else round(found)


async def calls(unit: Unit, window: int) -> dict[UUID, tuple[Way, Calls]]:
    """The calls of the last `window` seconds by integration."""
    found = {}
    for row in await unit.fetch(CALLS, window=window):
        counts = {name: row[name] for name in ("ok", "failed", "slow", "streak", "ok_at", "failed_at", "error")}
        found[row["id"]] = Way(row["kind"], row["name"]), Calls(**counts)
    for row in await unit.fetch(SPREADS, window=window):
        if row["id"] in found:
            found[row["id"]][1].spread[row["bucket"]] = row["count"]
    return found


async def ways(unit: Unit, slug: str, called: Mapping[UUID, tuple[Way, Calls]]) -> dict[UUID, Way]:
    """Every way to another system that the tenant has: endpoints, brokers, remote services, who sends its messages."""
    found = {id: way for id, (way, _) in called.items() if way.kind == "broker"}
    for line in await lines(unit):
        if line.kind == "broker" and line.allows(slug):
            found[broker_way(unit.tenant_id, line.name)] = Way("broker", line.name, line=line)
    for row in await unit.fetch(SERVICES):
        found[row["id"]] = Way("service", row["service"], line=_breaker(row))
    house = house_way(unit.tenant_id)
    found |= {id: way for id, (way, _) in called.items() if id == house}
    for row in await unit.fetch(PROVIDERS, house=house):
        found[row["id"]] = Way(
            "notification_provider", row["name"], "disabled" if row["status"] == "disabled" else None
        )
    for row in await unit.fetch(ENDPOINTS):
        off = (row["disabled_reason"] or "disabled") if row["status"] == "disabled" else None
        found[row["id"]] = Way("webhook_endpoint", (urlsplit(row["url"]).netloc.rpartition("@")[2])[:300], off)
    return found


def _breaker(row: asyncpg.Record) -> Line | None:
    """An open breaker, as a line that nobody has."""
    if row["open_until"] is None:
        return None
    fault = f"left in peace after {row['failures']} failures, the last: {row['reason']}"
    return Line("service", row["service"], None, there=0, away=1, since=row["failed_at"], fault=fault)


async def lines(unit: Unit) -> list[Line]:
    """The lines of the installation, as its processes find them."""
    return presence.lines(await presence.alive(unit.connection))


async def oldest(unit: Unit, ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Since when what has waited longest has been due, by way out; only where something waits."""
    found = {row["id"]: row["due_at"] for row in await unit.fetch(OLDEST, ways=list(ids))}
    for row in await unit.fetch(FOLLOWED):
        way = broker_way(unit.tenant_id, row["way"])
        if way in ids:
            found[way] = min(row["at"], found.get(way, row["at"]))
    return found


async def dead(unit: Unit, window: int) -> int:
    """Deliveries given up in the last `window` seconds."""
    (row,) = await unit.fetch(DEAD, window=window)
    return int(row[0])


async def depth(pool: asyncpg.Pool | Connection) -> asyncpg.Record:
    """The queues of the whole installation (for the worker role)."""
    (row,) = await pool.fetch(DEPTH)
    return row


DEPTH = (
    "SELECT d.*, pg_snapshot_xmax(s)::text::bigint - pg_snapshot_xmin(s)::text::bigint AS behind"
    " FROM queue_depth() AS d, pg_current_snapshot() AS s"
)
