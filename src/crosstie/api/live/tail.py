"""The end of one tenant's log in memory: one reader per process, however many clients."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from crosstie.api.live.frame import Entry
from crosstie.db import session
from crosstie.db.engine import AWAY
from crosstie.errors import Unavailable
from crosstie.log import read
from crosstie.log.read import Cursor
from crosstie.log.unit import Log

#: events in memory, their bytes, and the seconds that they stay
MOST, BYTES, SECONDS = 2_000, 4 << 20, 60.0
#: events read at once, and events that a new reader begins with
LOOK, SEED = 500, 200
#: seconds between two reads: the first event after a pause goes at once
REST = 0.02
#: seconds until the next look while committed events wait for older transactions: doubled each time up to the second
SOON, LONGEST = 0.005, 0.25

logger = structlog.get_logger()


class Reader(Protocol):
    """Whoever is stirred when the log has grown."""

    stir: asyncio.Event


class Tail:
    """The newest settled events. `number` counts them since this reader began: a client is a number, or a cursor."""

    def __init__(self, log: Log, tenant_id: UUID, pages: asyncio.Semaphore) -> None:
        self._log = log
        self._tenant_id = tenant_id
        self._pages = pages
        self._ring: list[Entry] = []
        self._times: list[float] = []
        self._bytes = 0
        #: the number of the first event in memory, and the place before it
        self._first = 0
        self._start = Cursor()
        #: the place behind the last one
        self.end = Cursor()
        self.readers: set[Reader] = set()
        self._called = asyncio.Event()
        self._asking: list[asyncio.Future[None]] = []

    @property
    def number(self) -> int:
        """The number behind the last event."""
        return self._first + len(self._ring)

    def call(self) -> None:
        """The log may have grown."""
        self._called.set()

    async def fresh(self) -> None:
        """Return when the log was read as it is now. Raises Unavailable."""
        asking = asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        self._called.set()
        await asking

    def find(self, place: Cursor) -> int | None:
        """The number behind a place; None where what follows it is no longer in memory."""
        if place >= self.end:
            return self.number
        if place < self._start:
            return None
        return self._first + bisect_right(self._ring, place, key=lambda entry: entry.place)

    def since(self, number: int) -> Sequence[Entry] | None:
        """The events from a number on; None where they are no longer in memory."""
        return None if number < self._first else self._ring[number - self._first :]

    async def page(self, place: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        """Events behind a place, for a client that memory does not reach, and the place reached: `end` at most."""
        end = self.end  # all up to here was settled before the statement below
        async with self._pages, session.of_tenant(self._log.app, self._tenant_id) as connection:
            found, _ = await read.after(connection, self._log.epoch, place, limit)
        entries = [Entry(at, event) for at, event in found if at <= end]
        return entries, entries[-1].place if len(entries) == limit else end

    async def run(self) -> None:
        """Read until cancelled."""
        self._called.set()
        begun, soon = False, SOON
        while True:
            await self._called.wait()
            self._called.clear()
            asking = len(self._asking)
            try:
                count = await self._grow() if begun else await self._begin()
            except (asyncpg.PostgresError, *AWAY) as error:
                logger.warning("live.read_failed", error=repr(error))
                self._tell(asking, Unavailable("The log cannot be read right now.", headers={"Retry-After": "2"}))
                self._called.set()
                await asyncio.sleep(1)
                continue
            if count:
                for reader in self.readers:
                    reader.stir.set()
            if count < LOOK:
                self._tell(asking)
            if begun and not count and self._called.is_set():
                await asyncio.sleep(soon)
                soon = min(LONGEST, soon * 2)
            else:
                await asyncio.sleep(REST if count < LOOK else 0)
                soon = SOON
            begun = True

    async def _begin(self) -> int:
        """Begin with what came last, so that clients that come back after a restart find their place in memory."""
        async with session.of_tenant(self._log.app, self._tenant_id) as connection:
            found = await read.newest(connection, self._log.epoch, SEED + 1)
        if len(found) > SEED:
            self._start = found.pop(0)[0]
        self._add([Entry(place, event) for place, event in found])
        return 0

    async def _grow(self) -> int:
        async with session.of_tenant(self._log.app, self._tenant_id) as connection:
            found, more = await read.after(connection, self._log.epoch, self.end, LOOK)
        self._add([Entry(place, event) for place, event in found])
        if more:
            self._called.set()
        return len(found)

    def _tell(self, asking: int, problem: Unavailable | None = None) -> None:
        """Answer those who asked before the read."""
        answered, self._asking = self._asking[:asking], self._asking[asking:]
        for each in answered:
            if each.done():
                continue
            if problem is None:
                each.set_result(None)
            else:
                each.set_exception(problem)

    def _add(self, entries: list[Entry]) -> None:
        if not entries:
            return
        self._ring += entries
        self._times += [time.monotonic()] * len(entries)
        self._bytes += sum(len(entry.body) for entry in entries)
        self.end = entries[-1].place
        self.trim()

    def trim(self) -> None:
        """Forget what is too much or too old: whoever has not read it finds it in the log."""
        old = time.monotonic() - SECONDS
        count = 0
        while count < len(self._ring) and (
            len(self._ring) - count > MOST or self._bytes > BYTES or self._times[count] < old
        ):
            self._bytes -= len(self._ring[count].body)
            count += 1
        if count:
            self._start = self._ring[count - 1].place
            self._first += count
            del self._ring[:count], self._times[:count]
