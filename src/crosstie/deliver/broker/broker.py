"""A broker of the settings: kept connected, watched, read from. What waits for it waits in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.line import CONFIRM, WINDOW, Away, Incoming, Line, Outgoing, Refused
from crosstie.kit import clock

#: seconds between attempts to connect, doubled up to the second; for a place in the window; and of a rest after a stall
FIRST, LAST, PLACE, REST = 0.2, 5.0, 2.0, 5.0
Take = Callable[[Address, Sequence[Incoming]], Awaitable[None]]
logger = structlog.get_logger()


class Broker:
    """One broker. While it is away or stalls, nothing is claimed for it, so that it holds nobody else's place."""

    def __init__(self, address: Address, line: Line, *, confirm: float = CONFIRM, place: float = PLACE) -> None:
        self.address = address
        self._confirm, self._place = confirm, place
        self._line = line
        self._connected = False
        #: since when it is connected, or away, and why
        self.since = clock.now()
        self.fault: str | None = "not connected yet"
        self._rest = float("-inf")
        self._window = asyncio.Semaphore(WINDOW)
        #: sends that wait for the broker's word, since when; and those that were cut short
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()

    def ready(self) -> bool:
        """Whether events may be handed to it now."""
        return self._connected and asyncio.get_running_loop().time() >= self._rest

    async def run(self, take: Take | None = None) -> None:
        """Keep the line open until cancelled, and hand what comes in to `take`."""
        watch = asyncio.create_task(self._watch())
        try:
            await self._keep(take)
        finally:
            watch.cancel()

    async def _keep(self, take: Take | None) -> None:
        wait = FIRST
        while True:
            try:
                async with asyncio.timeout(CONFIRM):
                    await self._line.open()
                self._connected, wait = True, FIRST
                self._turned(None)
                logger.info("broker.connected", broker=self.address.name)
                await self._serve(take)
                logger.warning("broker.lost", broker=self.address.name)
                self._turned("the connection was lost")
            except Exception as error:  # noqa: BLE001  # whatever a client raises, the answer is to connect anew
                told = self.address.hide(f"{type(error).__name__}: {error}"[:300])
                logger.warning("broker.away", broker=self.address.name, error=told)
                self._turned(told)
            finally:
                self._connected = False
                await self._line.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, LAST)

    def _turned(self, fault: str | None) -> None:
        """Note why it is away; None: it is there."""
        if (self.fault is None) != (fault is None):
            self.since = clock.now()
        self.fault = fault

    async def _serve(self, take: Take | None) -> None:
        tasks = {asyncio.create_task(self._line.closed())}
        if take is not None:
            tasks.add(asyncio.create_task(self._read(take)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, take: Take) -> None:
        while True:
            messages = await self._line.take()
            if messages:
                await take(self.address, messages)

    async def send(self, message: Outgoing) -> None:
        """Hand over one event and wait for the broker's word. Raises Away, Refused."""
        if not self.ready():
            raise Away("The broker is not connected.")
        if self._window.locked():
            try:
                async with asyncio.timeout(self._place):
                    await self._window.acquire()
            except TimeoutError:
                raise self._stalled("The broker takes its time: no place in its window.") from None
        else:
            await self._window.acquire()
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = asyncio.get_running_loop().time()
        try:
            await self._line.publish(message)
        except Refused:
            raise
        except (Exception, asyncio.CancelledError) as error:  # whatever a client raises
            if task in self._late:
                task.uncancel()
                raise self._stalled(f"The broker did not confirm within {self._confirm:.0f} s.") from None
            if isinstance(error, asyncio.CancelledError):
                if task.cancelling():
                    raise
                raise Away("The line broke.") from None  # a client cancels what waits on a line that it closes
            raise Away(self.address.hide(f"{type(error).__name__}: {error}"[:300])) from None
        finally:
            del self._waiting[task]
            self._late.discard(task)
            self._window.release()

    async def _watch(self) -> None:
        """Cut short what waits too long: one clock for all, as a timer for each would cost more than the send."""
        while True:
            await asyncio.sleep(self._confirm / 20)
            since = asyncio.get_running_loop().time() - self._confirm
            for task in [task for task, began in self._waiting.items() if began < since]:
                if task not in self._late:
                    self._late.add(task)
                    task.cancel()

    def _stalled(self, sentence: str) -> Away:
        self._rest = asyncio.get_running_loop().time() + REST
        return Away(sentence)
