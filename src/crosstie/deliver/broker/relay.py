"""The relay: follows the log for one broker and hands it what its tenants' events are, page by page.

The place in the log is the promise, so a commit writes nothing for brokers, and one that is away costs only time. A
delivery is written down once the broker has confirmed it, with the rest of its page. What the broker refuses becomes a
delivery that the worker tries once more, with a dead letter at its end.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import session
from crosstie.db.engine import TROUBLE, Connection
from crosstie.deliver.broker.broker import Broker
from crosstie.kit import clock, ids
from crosstie.log import follow, queue
from crosstie.log.event import Event
from crosstie.log.follow import Entry
from crosstie.log.news import AGAIN, EVERY, News
from crosstie.log.queue import Queued
from crosstie.log.read import Cursor
from crosstie.log.route import ADDRESSED, Routes
from crosstie.log.sink import BROKER, Lease, Outcome, Result, Route
from crosstie.log.worker import SILENCE, Worker

#: events looked at in one page, and those of them under way at once
PAGE, ABREAST = 500, 64
#: seconds between looks at every tenant, and at a broker that is away or another worker's
SWEEP, AWAY = 2.0, 0.2
#: seconds between pages: the first event after a pause goes at once, of many each page takes several
REST = 0.02
#: how late that rest must end for the process to count as busy, and the longest rest then
BUSY, LONGEST = 0.005, 1.0
#: while the process is busy, one part in so many of its time is the broker's
PART = 10
#: seconds until the next look while committed events wait for older transactions: doubled each time up to the second
SOON, LATEST = 0.005, 0.25
#: subjects whose last sequence is remembered
SUBJECTS = 50_000
logger = structlog.get_logger()
#: whose events keep an order: a subject of a tenant, or an event alone
Lane = tuple[UUID, str]


class Relay:
    """One per broker of a process that works. Of several processes one holds the broker, the others stand by."""

    def __init__(
        self, pool: asyncpg.Pool, broker: Broker, routes: Routes, worker: Worker, epoch: int, news: News
    ) -> None:
        self._pool = pool
        self._broker = broker
        self._way = broker.address.name
        self._routes = routes
        self._worker = worker
        self._epoch = epoch
        self._news = news
        news.listen(self._hear)
        self._told: set[UUID] = set()
        self._called = asyncio.Event()
        #: tenants that have been looked at, so that the broker has its place there
        self._known: set[UUID] = set()
        self._held = False
        self._swept = self._wished = float("-inf")
        self._soon = SOON
        #: what the broker took or refused of pages that are not behind its place yet, and what of it is to be noted
        self._sent: set[UUID] = set()
        self._taken: list[Result] = []
        self._refused: list[Queued] = []
        #: the last sequence of a subject that went by, so that what came before it need not be looked up
        self._last: OrderedDict[Lane, int] = OrderedDict()
        self._away = False
        self._stopping = False
        self._turn = asyncio.Lock()

    def _hear(self, tenant_id: UUID) -> None:
        self._told.add(tenant_id)
        self._called.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while not self._stopping:
            try:
                async with asyncio.timeout(SWEEP):
                    await self._called.wait()
            except TimeoutError:
                pass
            self._called.clear()
            try:
                async with self._turn:
                    await self._round()
            except TROUBLE as error:
                logger.warning("relay.failed", broker=self._way, error=repr(error))
                self._swept = float("-inf")
                await asyncio.sleep(0.5)

    async def stop(self, seconds: float) -> None:
        """Begin nothing new, and note what the broker has: whoever comes next would send it again."""
        self._stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._turn:
                pass

    async def _round(self) -> None:
        """One page for whoever has news; a look at everybody where it is time."""
        if not (self._broker.ready() and self._worker.alive()):
            await asyncio.sleep(AWAY)
            self._called.set()
            return
        strangers = self._held and not self._told <= self._known
        if strangers or time.monotonic() - self._swept >= SWEEP:
            await self._sweep()
        tenants, self._told = self._told & self._known, set()
        if tenants and self._held:
            try:
                await self._page(tenants)
            except BaseException:
                self._told |= tenants
                raise

    async def _sweep(self) -> None:
        self._swept = time.monotonic()
        held = await self._pool.fetchval("SELECT broker_hold($1, $2, $3)", self._way, self._worker.id, SILENCE)
        if held != self._held:
            logger.info("relay.held" if held else "relay.standing_by", broker=self._way)
            self._held = held
            for kept in (self._sent, self._last, self._taken, self._refused):
                kept.clear()  # another one may have gone on meanwhile
        if not held:
            return
        if time.monotonic() - self._wished >= AGAIN:
            self._wished = time.monotonic()
            self._news.want((EVERY,))
        rows = await self._pool.fetch("SELECT * FROM broker_tenants($1)", self._way)
        self._known = {row["tenant_id"] for row in rows}
        self._told.update(row["tenant_id"] for row in rows if row["behind"])

    async def _page(self, tenants: set[UUID]) -> None:
        began = time.monotonic()
        async with session.of_tenants(self._pool, tenants, session.BY_KEY) as connection:
            await self._routes.refresh(connection, tenants)
            tenants = {tenant for tenant in tenants if (route := self._route(tenant)) and route.flowing}
            entries = await follow.page(connection, self._way, tenants, self._epoch, PAGE)
            before = await self._before(connection, [event for _, event in entries])
            left = set() if entries else await follow.coming(connection, self._way, tenants)
        if not entries:
            await self._later(left)
            return
        self._soon, self._away = SOON, False
        await self._hand(self._lanes([*before, *(event for _, event in entries)]))
        await self._note(entries)
        self._told |= {event.tenant_id for _, event in entries}
        self._called.set()
        await self._rest(0.0 if len(entries) == PAGE else REST, time.monotonic() - began)

    async def _later(self, tenants: set[UUID]) -> None:
        """Look again soon at what older transactions hold back."""
        if tenants:
            await asyncio.sleep(self._soon)
            self._soon = min(LATEST, 2 * self._soon)
            self._told |= tenants
            self._called.set()

    async def _rest(self, seconds: float, took: float) -> None:
        """Let others have their turn, and most of the time where they need it: what waits for a broker waits safely."""
        if self._away:
            await asyncio.sleep(AWAY)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        await asyncio.sleep(seconds)
        if loop.time() - until > BUSY:
            await asyncio.sleep(min(LONGEST, (PART - 1) * took))

    # the order of a subject

    async def _before(self, connection: Connection, events: Sequence[Event]) -> list[Event]:
        """What must go before these events and stands behind them in the log."""
        known = {event.id for event in events}
        found: list[Event] = []
        while first := [event for event in _first(events) if not self._follows(event)]:
            events = [event for event in await follow.earlier(connection, self._way, first) if event.id not in known]
            known.update(event.id for event in events)
            found += events
        return found

    def _follows(self, event: Event) -> bool:
        """Whether the event before it in its subject is known to have gone by."""
        if event.sequence is None or event.sequence == 1:
            return True
        last = self._last.get((event.tenant_id, event.lane or ""))
        return last is not None and last >= event.sequence - 1

    def _went(self, event: Event) -> None:
        """An event, and with it all that came before it in its subject, has gone by."""
        self._sent.discard(event.id)
        if event.lane is None or event.sequence is None:
            return
        lane = (event.tenant_id, event.lane)
        self._last[lane] = max(event.sequence, self._last.pop(lane, 0))
        if len(self._last) > SUBJECTS:
            self._last.popitem(last=False)

    # sending

    def _lanes(self, events: Iterable[Event]) -> list[list[Event]]:
        """What the broker wants of these and has not had, by lane, each in order."""
        lanes: dict[Lane, list[Event]] = {}
        for event in events:
            if self._wants(event):
                lanes.setdefault((event.tenant_id, event.lane or str(event.id)), []).append(event)
        for lane in lanes.values():
            lane.sort(key=lambda event: event.sequence or 0)
        return list(lanes.values())

    def _route(self, tenant_id: UUID) -> Route | None:
        return self._routes.get(self._broker.address.route(tenant_id))

    def _wants(self, event: Event) -> bool:
        """Whether the broker is to have an event and has not had it."""
        if event.id in self._sent or event.type in ADDRESSED:
            return False
        route = self._route(event.tenant_id)
        return route is None or self._routes.fits(event, route)

    async def _hand(self, lanes: Sequence[Sequence[Event]]) -> None:
        rest = iter(lanes)

        async def work() -> None:
            for lane in rest:
                for event in lane:
                    if self._away or self._stopping:
                        return
                    await self._send(event)

        await asyncio.gather(*(work() for _ in range(min(ABREAST, len(lanes)))))

    async def _send(self, event: Event) -> None:
        route = self._route(event.tenant_id)
        if route is None:
            self._away = True  # its tenant is no longer the broker's; the next sweep knows
            return
        lease = Lease(event.tenant_id, ids.uuid7(), route.id, route.sink, 1, event)
        try:
            outcome = await self._routes.sinks[route.sink].send(lease, route)
        except Exception:  # a fault of ours must not hold up the rest: it is seen at the delivery
            logger.exception("relay.send_failed", broker=self._way, event_id=event.event_id)
            outcome = Outcome(False, clock.now(), 0, gone=True)
        if outcome.error_code == BROKER:
            self._away = True
            self._worker.observe(Result(lease, outcome, "retrying", AWAY))
            return
        self._sent.add(event.id)
        if outcome.ok:
            self._taken.append(Result(lease, outcome, "delivered", None))
        else:
            self._refused.append(Queued(event, route, lease.delivery_id, leased=False))

    # noting

    async def _note(self, entries: Sequence[Entry]) -> None:
        """Write down what was taken and refused, and how far each tenant's log has gone by."""
        places: dict[UUID, Cursor] = {}
        stuck: set[UUID] = set()
        gone: list[Event] = []
        for place, event in entries:
            if event.tenant_id in stuck or self._wants(event):
                stuck.add(event.tenant_id)
            else:
                places[event.tenant_id] = place
                gone.append(event)
        tenants = {event.tenant_id for _, event in entries}
        async with session.of_tenants(self._pool, tenants, session.BY_KEY) as connection:
            await follow.delivered(connection, self._taken)
            await queue.write(connection, self._refused, None)
            await follow.move(connection, self._way, places)
        for event in gone:
            self._went(event)
        for result in self._taken:
            self._worker.observe(result)
        if self._refused:
            self._worker.wake()
        self._taken, self._refused = [], []


def _first(events: Sequence[Event]) -> list[Event]:
    """Of each run of sequences of a subject the first event."""
    held = {(event.tenant_id, event.lane, event.sequence) for event in events}
    return [
        event
        for event in events
        if event.sequence is not None and (event.tenant_id, event.lane, event.sequence - 1) not in held
    ]
