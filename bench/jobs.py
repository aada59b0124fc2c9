"""Creating jobs over REST with idempotency keys, beside an endpoint written by hand for the same inserts.

.venv/bin/python bench/jobs.py [--quick]
"""

from __future__ import annotations

import stand
from stand import Figure, Stand


async def measure(here: Stand) -> list[Figure]:
    tenant = await here.tenant()
    length = stand.seconds(4)
    port, other = here.port, stand.free_port()
    with here.serving():
        clients = [(await here.call(tenant, "POST", "/api/v1/clients", {"name": f"C {n}"}))["id"] for n in range(20)]
        pids = here.serving_pids
        extra = {"tenant": str(tenant.id), "key": tenant.key}
        here.port = other
        with here.serving(entry="byhand.py", **extra):
            plan = {"what": "job", "keys": [tenant.key], "clients": clients, "connections": 32}
            turns = []
            for at, serving in ((other, here.serving_pids), (port, pids)):
                await here.load(port=at, serving=serving, seconds=1, **plan)
                turns.append(lambda at=at, serving=serving: here.load(port=at, serving=serving, seconds=length, **plan))
            hand, ours = await stand.rounds(*turns)
    return [
        Figure(
            "POST /jobs / written by hand", ours["rate"] / hand["rate"], 0.5, 0.8, "x",
            f"{stand.costs(ours)}, p99 {ours['p99']:.0f} ms; by hand {stand.costs(hand)};"
            f" CPU of theirs / ours {hand['us'] / ours['us']:.2f}",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    stand.main(measure)
