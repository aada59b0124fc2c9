"""Hot ingest: events of outside systems, committed in natural batches, counted once by (tenant, source, event_id)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from crosstie.db import session
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


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that came in, and the digest of its body, by which a repeat is told from a contradiction."""

    event: Event
    hash: bytes

    @property
    def key(self) -> Key:
        """What it is unique by."""
        return self.event.tenant_id, self.event.source or "", self.event.event_id


class Ingest:
    """Commits arrivals. The result of each is True where it is new, False where it was here before."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        routes: Routes,
        epoch: int,
        *,
        worker: Worker | None,
        wake: Callable[[Iterable[UUID]], None],
    ) -> None:
        self._pool = pool
        self._routes = routes
        self._epoch = epoch
        self._worker = worker
        self._wake = wake
        #: events that came in here and were new
        self.appended = 0
        self._batches: Batcher[Arrival, bool] = Batcher(self._flush, most=1000, abreast=1)
        self.put = self._batches.put
        self.drain = self._batches.drain

    async def _flush(self, arrivals: list[Arrival]) -> Sequence[bool | BaseException]:
        try:
            return await self._commit(arrivals)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.DeadlockDetectedError) as error:
            if len(arrivals) == 1:
                return [error]
        # one bad row fails its whole batch: one by one, each caller gets its own answer
        return [(await self._flush([arrival]))[0] for arrival in arrivals]

    async def _commit(self, arrivals: list[Arrival]) -> list[bool | BaseException]:
        first: dict[Key, int] = {}
        for number, arrival in enumerate(arrivals):
            first.setdefault(arrival.key, number)
        unique = [arrivals[number] for number in first.values()]
        fresh = await self._insert(unique)
        results: dict[Key, bool | BaseException] = {}
        old = []
        for number, arrival in enumerate(unique):
            results[arrival.key] = number in fresh
            if number not in fresh:
                old.append(arrival)
        hashes = {arrival.key: arrival.hash for arrival in unique} | await self._seen(old)
        answers: list[bool | BaseException] = []
        for number, arrival in enumerate(arrivals):
            new = results[arrival.key] and first[arrival.key] == number
            same = hashes[arrival.key] == arrival.hash
            answers.append(new if new or same else EventIdConflict(f"{arrival.event.event_id} was used before."))
        return answers

    async def _insert(self, arrivals: list[Arrival]) -> set[int]:
        """Write one batch of different keys; answers the numbers of those that were new."""
        tenants = {arrival.event.tenant_id for arrival in arrivals}
        await self._routes.have(tenants)
        versions = {tenant: self._routes.version(tenant) for tenant in tenants}
        direct, queued, numbers = self._plan(arrivals)
        worker = self._worker
        async with session.of_tenants(self._pool, tenants) as connection:
            rows = await connection.fetch(
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
        async with session.of_tenants(self._pool, {arrival.event.tenant_id for arrival in arrivals}) as connection:
            rows = await connection.fetch(
                QUERIES["seen"].text,
                [arrival.event.tenant_id for arrival in arrivals],
                [arrival.event.source or "" for arrival in arrivals],
                [arrival.event.event_id for arrival in arrivals],
            )
        return {arrivals[row["n"] - 1].key: row["hash"] for row in rows}
