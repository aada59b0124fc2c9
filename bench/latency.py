"""From the moment an event is sent to the moment its webhook arrives, at an even load that answers do not slow down.

    .venv/bin/python bench/latency.py [--quick]

Open loop: requests leave at random moments of a mean rate. The receiver reads the moment of sending out of webhook-id,
so that the time includes the way in, the commit, the signature and the way out.
"""

from __future__ import annotations

import stand
from path import endpoints
from stand import Figure, Stand


async def measure(here: Stand) -> list[Figure]:
    tenants = [await here.tenant() for _ in range(4)]
    keys = [tenant.key for tenant in tenants]
    figures = []
    with stand.sink() as sink, here.serving():
        await endpoints(here, tenants, sink)
        await here.load(what="event", keys=keys, seconds=1, connections=16)
        for rate in (200, 1000):

            async def turn(rate: int = rate) -> dict[str, float]:
                sink.report()
                found = await here.load(what="event", keys=keys, seconds=stand.seconds(6), rate=rate)
                return found | await sink.report_of(int(found["good"]))

            (found,) = await stand.rounds(turn)
            note = (
                f"accepted after p50 {found['p50']:.1f}, p99 {found['p99']:.1f} ms;"
                f" elsewhere {found['elsewhere']:.1f} cores"
            )
            figures += [
                Figure(f"sent to received at {rate}/s, p50", found["age_p50"], 50, 5, "ms", note),
                Figure(f"sent to received at {rate}/s, p99", found["age_p99"], 100, 20, "ms", ""),
            ]
    return figures


if __name__ == "__main__":
    stand.main(measure)
