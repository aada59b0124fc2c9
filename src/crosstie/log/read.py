"""Reading the log by cursor, bounded by the snapshot's horizon: the order of ids is not the order of commits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from crosstie.db.engine import Connection
from crosstie.errors import InvalidCursor
from crosstie.kit import text
from crosstie.log.event import Event, read

#: transactions older than this bound are all committed or gone, so that nothing can still appear before it
HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

AFTER = f"""
SELECT * FROM events
  WHERE (epoch, xid, id) > ($1::int, $2::bigint, $3::uuid) AND (epoch < $4::int OR xid < {HORIZON})
  ORDER BY epoch, xid, id LIMIT $5
"""  # noqa: S608  # the horizon is a constant
BEFORE = f"""
SELECT * FROM events
  WHERE (epoch, xid, id) < ($1::int, $2::bigint, $3::uuid) AND (epoch < $4::int OR xid < {HORIZON})
  ORDER BY epoch DESC, xid DESC, id DESC LIMIT $5
"""  # noqa: S608
#: whether there are committed events behind a place, be they settled or not
COMING = "SELECT EXISTS (SELECT FROM events WHERE (epoch, xid, id) > ($1::int, $2::bigint, $3::uuid))"
EXISTS = "SELECT EXISTS (SELECT FROM events WHERE (epoch, xid, id) = ($1::int, $2::bigint, $3::uuid))"
#: of these tenants and places, those with events behind them
GROWN = """
SELECT t.tenant_id FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::uuid[]) AS t (tenant_id, epoch, xid, id)
  WHERE EXISTS (SELECT FROM events e
    WHERE e.tenant_id = t.tenant_id AND (e.epoch, e.xid, e.id) > (t.epoch, t.xid, t.id))
"""
FIRST = UUID(int=0)
LAST = UUID(int=2**128 - 1)
#: rows looked at for one page, where filters pass over many
LOOK = 1000


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the log."""

    epoch: int = 0
    xid: int = 0
    id: UUID = FIRST

    def __str__(self) -> str:
        packed = f"{self.epoch}.{self.xid}.{self.id.hex}".encode()
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def parse(cls, given: str) -> Cursor:
        """The place that a cursor names. Raises InvalidCursor."""
        try:
            epoch, xid, id = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode("ascii").split(".")
            found = cls(int(epoch), int(xid), UUID(id))
        except (ValueError, AttributeError):
            raise InvalidCursor("Take the cursor from an answer of the event log.") from None
        if not (0 <= found.epoch < 2**31 and 0 <= found.xid < 2**63):
            raise InvalidCursor("Take the cursor from an answer of the event log.")
        return found


END = Cursor(2**31 - 1, 2**63 - 1, LAST)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events of the log: by type patterns and subject."""

    types: tuple[str, ...] = ()
    subject: tuple[str, str] | None = None
    correlation_id: str | None = None
    #: whether the reader may see events of a type
    reads: Callable[[str], bool] = lambda type: True

    def takes(self, event: Event) -> bool:
        """Whether an event is wanted."""
        return (
            self.reads(event.type)
            and (not self.types or text.matcher(self.types)(event.type))
            and (self.subject is None or self.subject == (event.subject_type, event.subject_id))
            and (self.correlation_id is None or self.correlation_id == event.correlation_id)
        )


async def page(
    connection: Connection, epoch: int, start: Cursor, wanted: Wanted, limit: int, *, backwards: bool = False
) -> tuple[Sequence[tuple[Cursor, Event]], Cursor, bool]:
    """Wanted events after (or before) a place, the place reached, and whether more may follow."""
    query = BEFORE if backwards else AFTER
    found: list[tuple[Cursor, Event]] = []
    place = start
    while True:
        rows = await connection.fetch(query, place.epoch, place.xid, place.id, epoch, min(LOOK, limit + 1))
        for row in rows:
            event = read(row)
            if len(found) == limit and wanted.takes(event):
                return found, place, True
            place = Cursor(row["epoch"], row["xid"], row["id"])
            if wanted.takes(event):
                found.append((place, event))
        if len(rows) < min(LOOK, limit + 1):
            return found, place, False


async def after(
    connection: Connection, epoch: int, start: Cursor, limit: int
) -> tuple[list[tuple[Cursor, Event]], bool]:
    """Events that follow a place, and whether more may be read soon: committed, but perhaps not settled yet."""
    rows = await connection.fetch(AFTER, start.epoch, start.xid, start.id, epoch, limit)
    found = _placed(rows)
    if len(found) == limit:
        return found, True
    place = found[-1][0] if found else start
    return found, await connection.fetchval(COMING, place.epoch, place.xid, place.id)


async def newest(connection: Connection, epoch: int, limit: int) -> list[tuple[Cursor, Event]]:
    """The newest settled events, oldest first."""
    rows = await connection.fetch(BEFORE, END.epoch, END.xid, END.id, epoch, limit)
    return _placed(rows[::-1])


async def kept(connection: Connection, place: Cursor) -> bool:
    """Whether the event at a place is still in this tenant's log."""
    return bool(await connection.fetchval(EXISTS, place.epoch, place.xid, place.id))


async def oldest(connection: Connection) -> UUID | None:
    """The lowest id in this tenant's log."""
    found: UUID | None = await connection.fetchval("SELECT id FROM events ORDER BY id LIMIT 1")
    return found


async def grown(connection: Connection, places: Mapping[UUID, Cursor]) -> list[UUID]:
    """The tenants whose log goes on behind a place; the connection is set to them."""
    ends = places.values()
    columns = [[end.epoch for end in ends], [end.xid for end in ends], [end.id for end in ends]]
    return [row["tenant_id"] for row in await connection.fetch(GROWN, list(places), *columns)]


def _placed(rows: Sequence[asyncpg.Record]) -> list[tuple[Cursor, Event]]:
    return [(Cursor(row["epoch"], row["xid"], row["id"]), read(row)) for row in rows]
