"""Events of outside systems over REST, one each and in batches of 1 000, beside R.

    .venv/bin/python bench/ingest.py [--quick]

The tenant has no endpoint: this is the way in alone, authenticated, validated, deduplicated, under row-level security.
"""

from __future__ import annotations

import stand
from stand import Figure, Stand


async def measure(here: Stand) -> list[Figure]:
    tenants = [await here.tenant() for _ in range(4)]
    keys = [tenant.key for tenant in tenants]
    length = stand.seconds(4)
    with here.serving(2):
        await here.load(what="event", keys=keys, seconds=1, connections=64)
        r, each, batch = await stand.rounds(
            lambda: here.reference(length),
            lambda: here.load(what="event", keys=keys, seconds=length, connections=64),
            lambda: here.load(what="batch", keys=keys, seconds=length, connections=4),
        )
    beside = f"R {r['rate']:.0f}/s, {r['us']:.0f} µs CPU; CPU of R / ours"
    each["ratio"], batch["ratio"] = r["us"] / each["us"], 1000 * r["us"] / batch["us"]
    return [
        Figure(
            "POST /events, 64 callers / R", each["rate"] / r["rate"], 1.0, 1.5, "x",
            f"{stand.costs(each)}, p99 {each['p99']:.0f} ms; {beside} {each['ratio']:.2f}",
        ),
        Figure(
            "POST /events/batch of 1 000 / R", batch["rate"] * 1000 / r["rate"], 4, 8, "x",
            f"{stand.costs(batch, 1000)}; {beside} {batch['ratio']:.2f}",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    stand.main(measure)
