"""Hot ingest: events of outside systems, committed in natural batches, counted once by (tenant, source, event_id)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from crosstie.db.seat import Seat
from crosstie.errors import EventIdConflict
from crosstie.log import queue
from crosstie.log.append import QUERIES, columns
from crosstie.log.batch import Batcher
from crosstie.log.event import Event
from crosstie.log.queue import Queued
from crosstie.log.route import Routes

if TYPE_CHECKING:
    from crosstie.log.worker import Worker

Key = tuple[UUID, str, str]


class Arrival(msgspec.Struct, frozen=True):
    """An event that came in, and the digest of its body, by which a repeat is told from a contradiction."""

    event: Event
    hash: bytes

    @property
    def key(self) -> Key:
        """What it is unique by."""
        return self.event.tenant_id, self.event.source or "", self.event.event_id


#: what becomes of one arrival: True where it is new, False where it was here before
Fate = bool | BaseException


class Ingest:
    """Commits arrivals: what waits while one commit is under way goes into the next."""

    def __init__(
        self,
        seat: Seat,
        routes: Routes,
        epoch: int,
        *,
        worker: Worker | None,
        wake: Callable[[Iterable[UUID]], None],
        tell: Callable[[Iterable[UUID]], None],
    ) -> None:
        self._seat = seat
        self._routes = routes
        self._epoch = epoch
        self._worker = worker
        self._wake = wake
        self._tell = tell
        #: events that came in here and were new
        self.appended = 0
        # those that came together stay together: one commit, in their order
        self._batches: Batcher[list[Arrival], Sequence[Fate]] = Batcher(self._flush, most=1000, abreast=1, size=len)
        #: queues arrivals; the future brings their fates, in order
        self.put = self._batches.put
        self.drain = self._batches.drain

    async def _flush(self, groups: list[list[Arrival]]) -> Sequence[Sequence[Fate]]:
        fates = iter(await self._settle([arrival for group in groups for arrival in group]))
        return [list(islice(fates, len(group))) for group in groups]

    async def _settle(self, arrivals: list[Arrival]) -> Sequence[Fate]:
        try:
            return await self._commit(arrivals)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.DeadlockDetectedError) as error:
            if len(arrivals) == 1:
                return [error]
        # one bad row fails its whole batch: one by one, each gets its own answer
        return [(await self._settle([arrival]))[0] for arrival in arrivals]

    async def _commit(self, arrivals: list[Arrival]) -> Sequence[Fate]:
        keys = [arrival.key for arrival in arrivals]
        first: dict[Key, int] = {}
        for number, key in enumerate(keys):
            first.setdefault(key, number)
        unique = arrivals if len(first) == len(arrivals) else [arrivals[number] for number in first.values()]
        fresh = await self._insert(unique)
        if len(fresh) == len(arrivals):
            return [True] * len(arrivals)
        known = await self._seen([each for number, each in enumerate(unique) if number not in fresh])
        new = {number for place, number in enumerate(first.values()) if place in fresh}
        fates: list[Fate] = []
        for number, (key, arrival) in enumerate(zip(keys, arrivals, strict=True)):
            same = known.get(key, arrivals[first[key]].hash) == arrival.hash
            again = False if same else EventIdConflict(f"{arrival.event.event_id} was used before.")
            fates.append(True if number in new else again)
        return fates

    async def _insert(self, arrivals: list[Arrival]) -> set[int]:
        """Write one batch of different keys; answers the numbers of those that were new."""
        tenants = frozenset(arrival.event.tenant_id for arrival in arrivals)
        await self._routes.have(tenants)
        versions = {tenant: self._routes.version(tenant) for tenant in tenants}
        direct, queued, numbers = self._plan(arrivals)
        worker = self._worker
        rows = await self._seat.fetch(
            tenants,
            QUERIES["ingest"].text,
            *columns([arrival.event for arrival in arrivals], self._epoch),
            [arrival.hash for arrival in arrivals],
            direct,
            list(versions),
            list(versions.values()),
            numbers,
            [q.id for q in queued],
            [q.route.id for q in queued],
            [q.route.sink for q in queued],
            [q.leased for q in queued],
            worker.id if worker else None,
        )
        self._follow(arrivals, direct, queued, numbers, rows)
        if rows:
            self._tell(tenants)
        return {row["n"] - 1 for row in rows}

    def _plan(self, arrivals: list[Arrival]) -> tuple[list[bool], list[Queued], list[int]]:
        """Which events get their deliveries at once (none that must keep an order), and those deliveries."""
        worker = self._worker
        taken: dict[UUID, int] = {}
        direct, queued, numbers = [], [], []
        for number, arrival in enumerate(arrivals, 1):
            routes = self._routes.match(arrival.event)
            at_once = not any(route.ordered for route in routes) or arrival.event.lane is None
            direct.append(at_once)
            if at_once:
                found = queue.plan(arrival.event, routes, taken, worker.room if worker else None)
                queued += found
                numbers += [number] * len(found)
        return direct, queued, numbers

    def _follow(
        self,
        arrivals: list[Arrival],
        direct: list[bool],
        queued: list[Queued],
        numbers: list[int],
        rows: list[asyncpg.Record],
    ) -> None:
        """After the commit: hand over what is leased, wake whoever takes the rest."""
        self.appended += len(rows)
        if not queued and all(direct):  # nobody hears of any, unless routes came meanwhile
            rows = [row for row in rows if not row["now"]]
        written = {row["n"]: row for row in rows}
        leases, left = [], False
        for number, delivery in zip(numbers, queued, strict=True):
            row = written.get(number)
            if row is None or not row["now"]:
                continue
            if delivery.leased:
                lease = delivery.lease()
                lease.event = msgspec.structs.replace(lease.event, sequence=row["sequence"])
                leases.append(lease)
            else:
                left = True
        if self._worker:
            self._worker.take(leases)
        if left:
            self._wake(())
        later = {arrivals[n - 1].event.tenant_id for n, row in written.items() if not row["now"]}
        if later:
            for tenant in {
                arrivals[n - 1].event.tenant_id for n, r in written.items() if direct[n - 1] and not r["now"]
            }:
                self._routes.drop(tenant)
            self._wake(later)

    async def _seen(self, arrivals: list[Arrival]) -> dict[Key, bytes]:
        if not arrivals:
            return {}
        rows = await self._seat.fetch(
            frozenset(arrival.event.tenant_id for arrival in arrivals),
            QUERIES["seen"].text,
            [arrival.event.tenant_id for arrival in arrivals],
            [arrival.event.source or "" for arrival in arrivals],
            [arrival.event.event_id for arrival in arrivals],
        )
        return {arrivals[row["n"] - 1].key: row["hash"] for row in rows}
