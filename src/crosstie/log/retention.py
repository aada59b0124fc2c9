"""Time's work on the log: partitions made ahead and dropped when their span is over, old keys forgotten."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import asyncpg
import structlog

from crosstie.db.engine import TROUBLE
from crosstie.kit import clock, ids

SPAN = timedelta(days=7)
AHEAD = 4
#: seconds between upkeeps, and between looks at how partitions grow
EVERY, LOOK = 3600.0, 5.0
PARENTS = ("events", "deliveries", "attempts")
ANSWERS = timedelta(hours=72)
#: rows forgotten in one transaction
FORGET = 5000
#: weeks are counted from a Monday
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)

logger = structlog.get_logger()


class Terms(Protocol):
    """How long things are kept, in days."""

    @property
    def retention_events(self) -> int: ...

    @property
    def retention_deliveries(self) -> int: ...


def week(moment: datetime) -> datetime:
    """The Monday on which a moment's partition begins."""
    return MONDAY + SPAN * ((moment - MONDAY) // SPAN)


class Keeper:
    """Runs the upkeep of the log once an hour."""

    def __init__(self, pool: asyncpg.Pool, terms: Terms) -> None:
        self._pool = pool
        self._terms = terms

    async def run(self) -> None:
        """Keep until cancelled: once an hour, and every few seconds the planner's figures of what grew fast."""
        kept = -EVERY
        while True:
            try:
                if time.monotonic() - kept >= EVERY:
                    await self.keep(clock.now())
                    kept = time.monotonic()
                await self._pool.execute("SELECT partitions_analyze()")
            except TROUBLE as error:
                logger.warning("retention.failed", error=repr(error))
                await asyncio.sleep(60)
            await asyncio.sleep(LOOK)

    async def begin(self) -> None:
        """Have the partitions before the first request: one made while rows come in refuses those of that moment."""
        try:
            await self.ahead(clock.now())
        except TROUBLE as error:
            logger.warning("retention.failed", error=repr(error))  # until `run` succeeds, rows fall into the default

    async def ahead(self, now: datetime) -> None:
        """Make the partitions of the coming weeks."""
        for step in range(-1, AHEAD):
            start = week(now) + SPAN * step
            for parent in PARENTS:
                await self._pool.execute(
                    "SELECT partition_add($1, $2, $3, $4)",
                    parent,
                    start.strftime("%Y%m%d"),
                    ids.floor(start),
                    ids.floor(start + SPAN),
                )

    async def keep(self, now: datetime) -> None:
        """Make the partitions of the coming weeks, drop those that are over, forget old keys."""
        await self.ahead(now)
        terms = {
            "events": timedelta(days=self._terms.retention_events),
            "deliveries": timedelta(days=self._terms.retention_deliveries),
            "attempts": timedelta(days=self._terms.retention_deliveries),
        }
        for row in await self._pool.fetch("SELECT parent, suffix FROM partitions()"):
            end = datetime.strptime(row["suffix"], "%Y%m%d").replace(tzinfo=UTC) + SPAN
            if end < now - terms[row["parent"]]:
                kept = await self._pool.fetchval("SELECT partition_drop($1, $2)", row["parent"], row["suffix"])
                logger.info("retention.dropped", partition=f"{row['parent']}_{row['suffix']}", kept=kept)
        inbox = ids.floor(now - terms["events"])
        forgotten = FORGET
        while forgotten >= FORGET:
            forgotten = await self._pool.fetchval("SELECT forget($1, $2, $3)", now - ANSWERS, inbox, FORGET)
