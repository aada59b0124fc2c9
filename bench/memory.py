"""Memory of a process that runs API and worker: idle, and at full load.

.venv/bin/python bench/memory.py [--quick]
"""

from __future__ import annotations

import asyncio

import stand
from path import endpoints
from stand import Figure, Stand


async def measure(here: Stand) -> list[Figure]:
    tenants = [await here.tenant() for _ in range(4)]
    keys = [tenant.key for tenant in tenants]
    peak = 0.0
    with stand.sink() as sink, here.serving():
        await endpoints(here, tenants, sink)
        (pid,) = here.serving_pids
        idle = stand.resident(pid)
        load = asyncio.create_task(here.load(what="event", keys=keys, seconds=stand.seconds(20), connections=256))
        while not load.done():
            await asyncio.sleep(0.25)
            peak = max(peak, stand.resident(pid))
        found = await load
    return [
        Figure("memory of API and worker, idle", idle, 250, 250, "MB", "proportional set size of one process"),
        Figure(
            "memory at full load", peak, 400, 400, "MB", f"256 callers, {found['rate']:.0f} events/s, all delivered"
        ),
    ]


if __name__ == "__main__":
    stand.main(measure)
