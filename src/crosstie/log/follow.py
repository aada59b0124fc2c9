"""Following the log of many tenants: each has a place, and what was not taken waits behind it, in the log itself.

The order of the log is that of transactions. One that began early may have waited for the counter of a subject: then it
stands before the event that it came after (decision 3), and `earlier` finds what has to go first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from crosstie.db.engine import Connection
from crosstie.log.event import Event, read
from crosstie.log.read import HORIZON, Cursor
from crosstie.log.sink import Result

PAGE = f"""
SELECT e.* FROM unnest($1::uuid[]) AS t (tenant_id)
  JOIN places p ON p.tenant_id = t.tenant_id AND p.way = $2
  CROSS JOIN LATERAL (
    SELECT * FROM events e WHERE e.tenant_id = t.tenant_id AND (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id)
      AND (e.epoch < $3::int OR e.xid < {HORIZON})
    ORDER BY e.epoch, e.xid, e.id LIMIT $4
  ) e
"""  # noqa: S608  # the horizon is a constant
#: of each subject the last event before a sequence, where it is behind the place
EARLIER = """
SELECT e.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[])
    AS s (tenant_id, subject_type, subject_id, sequence)
  JOIN places p ON p.tenant_id = s.tenant_id AND p.way = $1
  CROSS JOIN LATERAL (
    SELECT * FROM events e WHERE e.tenant_id = s.tenant_id AND e.subject_type = s.subject_type
      AND e.subject_id = s.subject_id AND e.sequence < s.sequence ORDER BY e.sequence DESC LIMIT 1
  ) e
  WHERE (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id)
"""
#: tenants whose log goes on behind the place, be it settled or not
COMING = """
SELECT t.tenant_id FROM unnest($1::uuid[]) AS t (tenant_id)
  JOIN places p ON p.tenant_id = t.tenant_id AND p.way = $2
  WHERE EXISTS (SELECT FROM events e
    WHERE e.tenant_id = t.tenant_id AND (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id))
"""
#: forwards only: whoever is late with a place takes nothing back
MOVE = """
UPDATE places p SET epoch = g.epoch, xid = g.xid, id = g.id
  FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::uuid[]) AS g (tenant_id, epoch, xid, id)
  WHERE p.tenant_id = g.tenant_id AND p.way = $1 AND (p.epoch, p.xid, p.id) < (g.epoch, g.xid, g.id)
"""
#: deliveries that were made before they are written: by whoever follows the log
DELIVERED = """
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[],
      $8::timestamptz[], $9::int[])
    AS g (tenant_id, id, log_id, event_id, event_type, endpoint_id, sink, started_at, duration_ms)
), noted AS (
  INSERT INTO attempts (tenant_id, delivery_id, number, started_at, duration_ms)
    SELECT tenant_id, id, 1, started_at, duration_ms FROM given
)
INSERT INTO deliveries (tenant_id, id, created_at, log_id, event_id, event_type, endpoint_id, sink, status, attempts,
    finished_at)
  SELECT tenant_id, id, started_at, log_id, event_id, event_type, endpoint_id, sink, 'delivered', 1, now()
    FROM given
"""
#: a place in the log, and the event there
Entry = tuple[Cursor, Event]


async def page(connection: Connection, way: str, tenants: Collection[UUID], epoch: int, most: int) -> list[Entry]:
    """What follows the places of these tenants, of each its share of `most`, in the order of the log."""
    share = max(1, most // max(1, len(tenants)))
    rows = await connection.fetch(PAGE, list(tenants), way, epoch, share)
    found = [(Cursor(row["epoch"], row["xid"], row["id"]), read(row)) for row in rows]
    found.sort(key=lambda entry: entry[0])  # it is, by tenant; a join promises nothing
    return found


async def earlier(connection: Connection, way: str, events: Sequence[Event]) -> list[Event]:
    """Events of the same subjects that come right before these, and that the way has not had."""
    if not events:
        return []
    rows = await connection.fetch(
        EARLIER,
        way,
        [event.tenant_id for event in events],
        [event.subject_type for event in events],
        [event.subject_id for event in events],
        [event.sequence for event in events],
    )
    return [read(row) for row in rows]


async def coming(connection: Connection, way: str, tenants: Collection[UUID]) -> set[UUID]:
    """Of these tenants those with committed events behind the place, which older transactions may still hold back."""
    return {row["tenant_id"] for row in await connection.fetch(COMING, list(tenants), way)}


async def move(connection: Connection, way: str, places: Mapping[UUID, Cursor]) -> None:
    """Note how far the way has come for each tenant."""
    ends = places.values()
    columns = [[end.epoch for end in ends], [end.xid for end in ends], [end.id for end in ends]]
    await connection.execute(MOVE, way, list(places), *columns)


async def delivered(connection: Connection, results: Sequence[Result]) -> None:
    """Write down deliveries that have been made."""
    if not results:
        return
    leases = [result.lease for result in results]
    await connection.execute(
        DELIVERED,
        [lease.tenant_id for lease in leases],
        [lease.delivery_id for lease in leases],
        [lease.event.id for lease in leases],
        [lease.event.event_id for lease in leases],
        [lease.event.type for lease in leases],
        [lease.endpoint_id for lease in leases],
        [lease.sink for lease in leases],
        [result.outcome.started_at for result in results],
        [result.outcome.duration_ms for result in results],
    )
