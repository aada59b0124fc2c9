"""Reading the log by cursor, bounded by the snapshot's horizon: the order of ids is not the order of commits."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

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

    def takes(self, event: Event) -> bool:
        """Whether an event is wanted."""
        return (
            (not self.types or text.matcher(self.types)(event.type))
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


async def head(connection: Connection, epoch: int) -> Cursor:
    """The place behind the newest readable event: where a live reader starts."""
    row = await connection.fetchrow(BEFORE, END.epoch, END.xid, END.id, epoch, 1)
    return Cursor(row["epoch"], row["xid"], row["id"]) if row else Cursor()
