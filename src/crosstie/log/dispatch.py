"""The dispatcher: takes events from the outbox and writes one delivery per matching route, in batches.

Woken in memory by Units of this process, by NOTIFY from others, and by a sweep every few seconds as the net (B-142: a
sweep of our own outbox, never of another system's tables).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import session
from crosstie.db.engine import TROUBLE
from crosstie.log import event as events
from crosstie.log import queue
from crosstie.log.append import QUERIES
from crosstie.log.event import Event
from crosstie.log.route import Routes

if TYPE_CHECKING:
    from crosstie.log.worker import Worker

BATCH = 500
SWEEP = 2.0
#: seconds between batches: the first event after a pause goes at once, of many each batch takes several
REST = 0.005

logger = structlog.get_logger()


class Dispatcher:
    """One per process. With a worker it hands first attempts over in memory; without, it leaves them due."""

    def __init__(self, pool: asyncpg.Pool, routes: Routes, worker: Worker | None) -> None:
        self._pool = pool
        self._routes = routes
        self._worker = worker
        self._tenants: set[UUID] = set()
        self._awake = asyncio.Event()
        self.dispatched = 0
        #: told of dispatched events, and when that began (perf_counter)
        self.observe: Callable[[Sequence[Event], float], None] = lambda events, began: None

    def wake(self, tenants: Iterable[UUID]) -> None:
        """There is news for these tenants; what nobody hears of is left to the sweep, which takes much at once."""
        self._tenants.update(tenant for tenant in tenants if not self._routes.silent(tenant))
        if self._tenants:
            self._awake.set()

    async def run(self) -> None:
        """Dispatch until cancelled."""
        loop = asyncio.get_running_loop()
        swept = 0.0
        while True:
            try:
                async with asyncio.timeout(SWEEP):
                    await self._awake.wait()
            except TimeoutError:
                pass
            self._awake.clear()
            if loop.time() - swept >= SWEEP:  # by the clock: with news all the time there is never a pause
                await self._sweep()
                swept = loop.time()
            tenants, self._tenants = self._tenants, set()
            if tenants:
                await self._dispatch(tenants)
                await asyncio.sleep(REST)

    async def _sweep(self) -> None:
        try:
            found = await self._pool.fetch("SELECT tenant_id FROM outbox_tenants(1000)")
        except TROUBLE as error:
            logger.warning("dispatch.sweep_failed", error=repr(error))
            return
        self._tenants.update(row["tenant_id"] for row in found)

    async def _dispatch(self, tenants: set[UUID]) -> None:
        try:
            left = await self.batch(tenants)
            if left:
                self._tenants.update(left)
                self._awake.set()
        except TROUBLE as error:
            # the rows are still in the outbox: the next wake or sweep takes them
            logger.warning("dispatch.failed", error=repr(error))
            await asyncio.sleep(0.5)

    async def batch(self, tenants: set[UUID]) -> set[UUID]:
        """Dispatch one batch, of each tenant its share; answers the tenants that may have more."""
        worker, began = self._worker, time.perf_counter()
        share = max(1, BATCH // len(tenants))
        async with session.of_tenants(self._pool, tenants, session.BY_KEY) as connection:
            rows = await connection.fetch(QUERIES["pending"].text, list(tenants), share)
            if not rows:
                return set()
            await self._routes.refresh(connection, {row["tenant_id"] for row in rows})
            taken: dict[UUID, int] = {}
            found = [events.read(row) for row in rows]
            queued = [
                each
                for event in found
                for each in queue.plan(event, self._routes.match(event), taken, worker.room if worker else None)
            ]
            # an event that an endpoint does not want may have held back a later one of its lane that it wants
            passed = [(e.tenant_id, r.id, e.lane) for e in found if e.lane for r in self._routes.ordered(e.tenant_id)]
            await queue.write(connection, queued, worker.id if worker else None, passed)
        self.dispatched += len(rows)
        self.observe(found, began)
        if worker:
            worker.take([q.lease() for q in queued if q.leased])
            if any(not q.leased for q in queued):
                worker.wake()
        counts = Counter(event.tenant_id for event in found)
        return {tenant for tenant, count in counts.items() if count == share}
