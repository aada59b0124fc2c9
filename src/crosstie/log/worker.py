"""The worker: leases deliveries, has them sent, and records the results in batches.

A lease comes in memory from the ingest and the dispatcher of this process, or by a claim from the table. Results carry
the attempt's number as fencing token, so that a worker that lost its lease writes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import session
from crosstie.db.engine import AWAY, TROUBLE, Connection
from crosstie.kit import clock, ids, retry
from crosstie.log import rate
from crosstie.log.append import QUERIES
from crosstie.log.batch import Batcher
from crosstie.log.event import read
from crosstie.log.places import Places
from crosstie.log.record import write
from crosstie.log.route import Routes
from crosstie.log.sink import BROKER, LOCAL, RESTING, Lease, Outcome, Result, Route

#: seconds: how often a worker says that it lives, and after which silence its leases are freed
BEAT, SILENCE = 4.0, 20.0
SWEEP = 1.0
#: seconds: how long a result may wait for others, so that they are recorded together; nobody waits for it
GATHER = 0.05
#: deliveries that one process may have under way
ABREAST = 2000
#: sends under way at most to an endpoint that fails, in the whole installation
PROBES = 4

#: seconds before another try, where this machine was out of sockets or memory, a broker away, a service left in peace
OVERLOADED = 5.0
JITTER = Random()  # noqa: S311  # spreads retries, guards nothing

logger = structlog.get_logger()


@dataclass(slots=True)
class Lane:
    """What one endpoint has in this process: leases waiting, and how many are being sent."""

    waiting: deque[Lease] = field(default_factory=deque)
    sending: int = 0
    #: the table may hold more for it
    more: bool = False


class Worker:
    """Sends what is due. One per process."""

    def __init__(self, pool: asyncpg.Pool, routes: Routes, name: str, epoch: int) -> None:
        self.id = ids.uuid7()
        self._pool = pool
        self._routes = routes
        self._name = name
        self._epoch = epoch
        self._lanes: dict[UUID, Lane] = {}
        self._place, self._peers = 0, 1
        #: the loop's time when a sign of life was sent last; without one nothing is leased
        self._beaten = float("-inf")
        #: what is leased here, from its hand-over to the record of its result, and what the table holds beside it
        self._held: set[tuple[UUID, int]] = set()
        self._strays: set[tuple[UUID, int]] = set()
        self._places = Places(ABREAST)
        self._awake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._record: Batcher[Result, None] = Batcher(self._write, most=500, abreast=2, gather=GATHER)
        #: told of every recorded result
        self.observe: Callable[[Result], None] = lambda result: None
        self._stopping = False
        self._next = float("inf")

    # room and hand-over

    def cap(self, route: Route) -> int:
        """How many sends of one endpoint this process may have under way: the shares of all add up to its cap.

        One that fails is only probed until something comes through: silent ones would else hold every place there is.
        """
        most = min(route.max_in_flight, PROBES) if route.failing else route.max_in_flight
        share, rest = divmod(most, self._peers)
        return share + ((self._place + route.id.int) % self._peers < rest)

    def room(self, route: Route, taken: Mapping[UUID, int]) -> int:
        """How many more leases of an endpoint this process may hold: twice its cap, so that none waits for a claim.

        Where a rate limit counts when they are claimed, none is claimed before it can be sent. `taken` are those that
        are being leased at this moment, by endpoint and by tenant.
        """
        if self._stopping or not self.alive():
            return 0
        lane = self._lanes.get(route.id)
        held = len(lane.waiting) + lane.sending if lane else 0
        own = self.cap(route) * (2 if route.rate is None else 1) - held - taken.get(route.id, 0)
        return max(0, min(own, self._places.room(route.tenant_id) - taken.get(route.tenant_id, 0)))

    def alive(self) -> bool:
        """Whether our leases are surely ours: after a freeze others may have them by now."""
        return asyncio.get_running_loop().time() - self._beaten < SILENCE - 1

    def take(self, leases: Iterable[Lease]) -> None:
        """Take over leases and start what the caps allow."""
        if self._stopping:
            return  # they are freed when we leave
        touched = set()
        for lease in leases:
            self._held.add((lease.delivery_id, lease.number))
            self._places.hold(lease.tenant_id)
            self._lanes.setdefault(lease.endpoint_id, Lane()).waiting.append(lease)
            touched.add(lease.endpoint_id)
        for endpoint_id in touched:
            self._start(endpoint_id)

    def wake(self) -> None:
        """Something in the table may be due."""
        self._awake.set()

    # the life of a worker

    async def run(self) -> None:
        """Claim until cancelled, say that we live, free what the silent held."""
        await self._beat()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beats())
            group.create_task(self._sweeps())
            group.create_task(self._claims())

    async def stop(self, seconds: float) -> None:
        """Take nothing new, let what is under way finish, give back the rest."""
        self._stopping = True
        for lane in self._lanes.values():
            lane.waiting.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        await self._record.drain()
        # what is still leased here is freed at once, not after a silence
        await self._pool.execute("SELECT worker_leave($1)", self.id)
        await self._pool.execute("SELECT free_silent($1)", SILENCE)

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self._beat()
            except TROUBLE as error:
                logger.warning("worker.beat_failed", error=repr(error))

    async def _sweeps(self) -> None:
        """Beside the beats: however long it takes to find what was lost, what is under way stays ours meanwhile."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                if await self._pool.fetchval("SELECT free_silent($1)", SILENCE) or await self._return_strays():
                    self.wake()
            except TROUBLE as error:
                logger.warning("worker.sweep_failed", error=repr(error))

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        (row,) = await self._pool.fetch("SELECT * FROM worker_beat($1, $2)", self.id, self._name)
        self._place, self._peers, self._beaten = row["place"], row["peers"], now

    async def _return_strays(self) -> int:
        """Free what the table says is ours and we know nothing of; answers how much that was.

        The answer to a commit may be lost when the database goes away: then we never hear of the leases it made. Two
        looks a beat apart tell them from those whose answer is on its way.
        """
        rows = await self._pool.fetch("SELECT id, number FROM worker_leases($1)", self.id)
        unknown = {(row["id"], row["number"]) for row in rows} - self._held
        strays, self._strays = list(self._strays & unknown), unknown
        if not strays:
            return 0
        ids, numbers = [id for id, _ in strays], [number for _, number in strays]
        freed: int = await self._pool.fetchval("SELECT worker_return($1, $2, $3)", self.id, ids, numbers)
        logger.warning("worker.strays_returned", count=freed)
        return freed

    async def _claims(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(max(0.01, min(SWEEP, self._next - loop.time()))):
                    await self._awake.wait()
            except TimeoutError:
                pass
            self._awake.clear()
            self._next = float("inf")
            try:
                if await self.claim():
                    self.wake()  # there may be more
            except TROUBLE as error:
                logger.warning("worker.claim_failed", error=repr(error))
                await asyncio.sleep(0.5)

    async def claim(self) -> int:
        """Lease what is due and has room; answers how much that was."""
        if self._places.full or self._stopping:
            return 0
        due = await self._pool.fetch(QUERIES["due"].text, 10_000)
        if not due:
            return 0
        await self._routes.have({row["tenant_id"] for row in due})
        routes = [route for row in due if (route := self._routes.get(row["endpoint_id"])) and route.flows]
        routes = [route for route in routes if self.room(route, {})]
        if not routes:
            return 0
        async with session.of_tenants(self._pool, {r.tenant_id for r in routes}, session.BY_KEY) as connection:
            rows = await self._lease(connection, routes)
        for route in routes:
            self._lanes.setdefault(route.id, Lane()).more = True
        self.take(_leases(rows))
        return len(rows)

    async def _lease(self, connection: Connection, routes: list[Route]) -> list[asyncpg.Record]:
        allowed = await rate.locked(connection, routes)
        found = zip(routes, self._rooms(routes), strict=True)
        rooms = [min(room, allowed[route.id].room) if route.id in allowed else room for route, room in found]
        rows = await connection.fetch(
            QUERIES["claim"].text, [r.tenant_id for r in routes], [r.id for r in routes], rooms, self.id
        )
        if allowed:
            counts = Counter(row["endpoint_id"] for row in rows)
            held = {id: (allowance, counts[id]) for id, allowance in allowed.items() if counts[id]}
            await rate.taken(connection, [r.tenant_id for r in routes], held)
            now = asyncio.get_running_loop().time()
            self._next = min([self._next, *(now + a.again for a in allowed.values() if a.again)])
        return rows

    def _rooms(self, routes: list[Route]) -> list[int]:
        """Room for each route, a tenant's shared out among its own so that the first do not take it all."""
        many, taken = Counter(route.tenant_id for route in routes), Counter[UUID]()
        rooms = []
        for route in routes:
            share = max(1, self._places.room(route.tenant_id) // many[route.tenant_id])
            room = min(share, self.room(route, taken))
            taken[route.tenant_id] += room
            rooms.append(room)
        return rooms

    # sending

    def _start(self, endpoint_id: UUID) -> None:
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            return
        route = self._routes.get(endpoint_id)
        cap = max(1, self.cap(route)) if route else 1  # what is leased already is sent
        while lane.waiting and lane.sending < cap:
            if not self._places.take(lane.waiting[0].tenant_id, endpoint_id):
                return
            lease = lane.waiting.popleft()
            lane.sending += 1
            task = asyncio.create_task(self._send(lease, route))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not lane.waiting:
            if lane.more:
                lane.more = False
                self.wake()
            elif not lane.sending:
                del self._lanes[endpoint_id]

    async def _send(self, lease: Lease, route: Route | None) -> None:
        try:
            if not self.alive():
                self._held.discard((lease.delivery_id, lease.number))
                return
            outcome = await self._attempt(lease, route)
            # the next of its lane waits for this one's record
            recorded = self._record.put(_judge(lease, outcome, route), at_once=lease.lane is not None)
            recorded.add_done_callback(_noted)
        except BaseException:  # nothing will be recorded: it is a stray from now on, and comes again
            self._held.discard((lease.delivery_id, lease.number))
            raise
        finally:
            self._places.give(lease.tenant_id)
            self._lanes[lease.endpoint_id].sending -= 1
            self._start(lease.endpoint_id)
            while (waiting := self._places.turn()) is not None:
                self._start(waiting)

    async def _attempt(self, lease: Lease, route: Route | None) -> Outcome:
        started = clock.now()
        if route is None:
            message = "the endpoint is gone"
            return Outcome(False, started, 0, gone=True, error_code="endpoint_gone", error_message=message)
        try:
            return await self._routes.sinks[lease.sink].send(lease, route)
        except Exception as error:  # a fault of ours must not lose the delivery
            logger.exception("worker.send_failed", delivery_id=str(lease.delivery_id))
            return Outcome(False, started, 0, error_code="internal", error_message=type(error).__name__)

    # recording

    async def _write(self, results: list[Result]) -> list[None]:
        try:
            freed = await self._commit(results)
        finally:  # what could not be recorded is a stray from now on
            self._held.difference_update((result.lease.delivery_id, result.lease.number) for result in results)
        for result in results:
            self.observe(result)
        waits = [result.wait for result in results if result.wait is not None]
        if waits:
            self._next = min(self._next, asyncio.get_running_loop().time() + min(waits))
            if min(waits) < SWEEP:
                self.wake()
        if freed:
            self.wake()
        return [None] * len(results)

    async def _commit(self, results: list[Result]) -> bool:
        """Write results; where the database is away they wait for it, for they are true."""
        tenants = {result.lease.tenant_id for result in results}
        while True:
            try:
                async with session.of_tenants(self._pool, tenants, session.BY_KEYS) as connection:
                    return await write(connection, results, self.id, self._routes.sinks, self._epoch)
            except (*AWAY, OSError):
                await asyncio.sleep(0.5)
            except (asyncpg.DataError, asyncpg.UntranslatableCharacterError, asyncpg.DeadlockDetectedError):
                if len(results) == 1:
                    return await self._commit([_plain(results[0])])
                # one answer that cannot be kept must not cost the others their record
                return any([await self._commit([result]) for result in results])


def _leases(rows: list[asyncpg.Record]) -> list[Lease]:
    return [
        Lease(
            tenant_id=row["tenant_id"],
            delivery_id=row["delivery_id"],
            endpoint_id=row["endpoint_id"],
            sink=row["sink"],
            number=row["attempts"],
            base=row["base"],
            event=read(row),
            created_at=row["created_at"],
            lane=row["lane"],
            round=row["round"],
        )
        for row in rows
    ]


def _plain(result: Result) -> Result:
    """A result without what the receiver said, where that cannot be stored."""
    bare = replace(result.outcome, response_headers=None, response_body=None, error_message=None)
    return replace(result, outcome=bare)


def _judge(lease: Lease, outcome: Outcome, route: Route | None) -> Result:
    """What follows from an outcome: done, another try after a wait, or dead."""
    if outcome.ok:
        return Result(lease, outcome, "delivered", None)
    wait = None
    if outcome.error_code in (LOCAL, BROKER, RESTING):
        wait = OVERLOADED
    elif not outcome.gone:
        wait = retry.wait(route.schedule if route else (), lease.number - lease.base, JITTER)
    if wait is not None and outcome.retry_after is not None:
        wait = max(wait, outcome.retry_after)
    return Result(lease, outcome, "dead" if wait is None else "retrying", wait)


def _noted(future: asyncio.Future[None]) -> None:
    if not future.cancelled() and future.exception():
        logger.error("worker.record_failed", error=repr(future.exception()))
