"""What each process says of itself every few seconds: that it lives, how its lines are, and what it has counted.

So any process can show the whole installation, on however many machines its processes run.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import JSONB

from crosstie.db.engine import TROUBLE, Connection
from crosstie.declare.row import Row
from crosstie.kit import clock, ids

#: seconds between two beats, and of silence after which a process counts as gone
BEAT, SILENCE = 4.0, 15.0
MOMENT = sa.DateTime(timezone=True)
logger = structlog.get_logger()

processes = sa.Table(
    "processes",
    Row.metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", MOMENT, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
    sa.Column("states", JSONB, nullable=False, comment="Lines to brokers and services, as this process finds them."),
    sa.Column("figures", sa.LargeBinary, nullable=False, comment="What it has counted."),
    info={"reach": "closed"},
)
turns = sa.Table(
    "turns",
    Row.metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("due_at", MOMENT, nullable=False),
    info={"reach": "closed"},
)


@dataclass(frozen=True, slots=True)
class State:
    """A line to another system as one process finds it; `fault` is None where it is there."""

    kind: str
    name: str
    since: datetime
    fault: str | None
    #: slugs of the tenants that it is for; None: all
    tenants: Sequence[str] | None = None

    def document(self) -> dict[str, Any]:
        """As the row keeps it."""
        tenants = None if self.tenants is None else list(self.tenants)
        since = clock.format(self.since)
        return {"kind": self.kind, "name": self.name, "since": since, "fault": self.fault, "tenants": tenants}


@dataclass(frozen=True, slots=True)
class Line:
    """A line to another system as the whole installation finds it."""

    kind: str
    name: str
    tenants: Sequence[str] | None
    there: int
    away: int
    since: datetime
    fault: str | None

    def allows(self, slug: str) -> bool:
        """Whether it is for a tenant."""
        return self.tenants is None or slug in self.tenants


class Presence:
    """The beat of one process. `states` tells of its lines, `figures` what it has counted."""

    def __init__(
        self, pool: asyncpg.Pool, name: str, states: Callable[[], Iterable[State]], figures: Callable[[], bytes]
    ) -> None:
        self.id: UUID = ids.uuid7()
        self.name = name
        self.started = clock.now()
        self._pool = pool
        self._states = states
        self._figures = figures

    async def run(self) -> None:
        """Beat until cancelled, then take the row away."""
        try:
            while True:
                await self.beat()
                await asyncio.sleep(BEAT)
        finally:
            await self._leave()

    async def beat(self) -> None:
        """One sign of life."""
        states = [state.document() for state in self._states()]
        try:
            await self._pool.execute(
                "SELECT process_beat($1, $2, $3, $4, $5, $6, $7)",
                self.id,
                self.name,
                socket.gethostname(),
                os.getpid(),
                self.started,
                states,
                self._figures(),
            )
        except (*TROUBLE, TimeoutError) as error:
            logger.warning("presence.failed", error=repr(error))

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(2):
                await self._pool.execute("SELECT process_leave($1)", self.id)
        except (*TROUBLE, TimeoutError):
            logger.info("presence.left_behind", process=self.name)  # it is forgotten after a silence


async def alive(connection: asyncpg.Pool | Connection) -> list[asyncpg.Record]:
    """The processes that live, by name."""
    return await connection.fetch("SELECT * FROM processes_alive($1)", SILENCE)


def lines(rows: Iterable[asyncpg.Record]) -> list[Line]:
    """The lines of an installation out of what its processes said."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        for state in row["states"]:
            found.setdefault((state["kind"], state["name"]), []).append(state)
    return [_line(states) for _, states in sorted(found.items())]


def _line(states: Sequence[dict[str, Any]]) -> Line:
    away = [state for state in states if state["fault"] is not None]
    telling = away or states
    return Line(
        kind=states[0]["kind"],
        name=states[0]["name"],
        tenants=states[0]["tenants"],
        there=len(states) - len(away),
        away=len(away),
        since=max(clock.parse(state["since"]) for state in telling),
        fault=away[0]["fault"] if away else None,
    )
