"""A worker says that it lives, whatever else it waits for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from crosstie.log.route import Routes
from crosstie.log.worker import Worker


class Deaf:
    """A database that answers signs of life and nothing else."""

    def __init__(self) -> None:
        self.beats = asyncio.Queue[None]()

    async def fetch(self, query: str, *given: Any) -> list[dict[str, int]]:
        if "worker_beat" not in query:
            await asyncio.Future()
        self.beats.put_nowait(None)
        return [{"place": 0, "peers": 1}]

    async def fetchval(self, query: str, *given: Any) -> int:
        return await asyncio.Future()


async def test_it_beats_while_the_search_for_lost_leases_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosstie.log.worker.BEAT", 0.001)
    pool = Deaf()
    worker = Worker(cast(asyncpg.Pool, pool), cast(Routes, None), "deaf", 1)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        for _ in range(5):
            await pool.beats.get()
    assert worker.alive()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
