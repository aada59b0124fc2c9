"""Natural batching: while one batch is under way the next one gathers. No timer: one caller alone waits for nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Hands items over in batches. `flush` answers one result per item, in order; a result that is an exception is
    raised at the caller of that item alone. A batch has room for `most`, counted by the `size` of its items; an item
    is never cut. Where nobody waits for the results, the first item may `gather` company for so many seconds, unless
    one is put `at_once`."""

    def __init__(
        self,
        flush: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
        *,
        most: int = 500,
        abreast: int = 2,
        gather: float = 0.0,
        size: Callable[[T], int] | None = None,
    ) -> None:
        self._flush = flush
        self._most = most
        self._free = abreast
        self._gather = gather
        self._size = size
        self._at_once = False
        self._planned: asyncio.Handle | None = None
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, item: T, *, at_once: bool = False) -> asyncio.Future[R]:
        """Queue one item; the future brings its result."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if (at_once or len(self._waiting) >= self._most) and not self._at_once:
            self._at_once = True
            self._unplan()
        if self._planned is None:
            self._plan()
        return future

    def __len__(self) -> int:
        return len(self._waiting)

    async def drain(self) -> None:
        """Return when nothing is waiting or under way."""
        while self._tasks or self._waiting:
            self._start()
            await asyncio.sleep(0)
            if self._tasks:
                await asyncio.wait(self._tasks)

    def _plan(self) -> None:
        if not self._free or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if self._gather and not self._at_once:
            self._planned = loop.call_later(self._gather, self._start)
        else:  # one turn of the loop later: whatever arrives in this turn goes along
            self._planned = loop.call_soon(self._start)

    def _unplan(self) -> None:
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None

    def _start(self) -> None:
        self._unplan()
        self._at_once = False
        while self._free and self._waiting:
            self._free -= 1
            batch = self._cut()
            task = asyncio.create_task(self._run(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _cut(self) -> list[tuple[T, asyncio.Future[R]]]:
        waiting, size = self._waiting, self._size
        if size is None:
            return [waiting.popleft() for _ in range(min(self._most, len(waiting)))]
        batch = [waiting.popleft()]
        room = self._most - size(batch[0][0])
        while waiting and size(waiting[0][0]) <= room:
            room -= size(waiting[0][0])
            batch.append(waiting.popleft())
        return batch

    async def _run(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results: Sequence[R | BaseException] = await self._flush([item for item, _ in batch])
        except BaseException as error:
            results = [error] * len(batch)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._free += 1
            if self._planned is None:
                self._plan()
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
