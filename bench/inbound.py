"""Webhooks that come in, at an even load that answers do not slow down, beside events over REST at the same rate.

    .venv/bin/python bench/inbound.py [--quick]

Open loop: requests leave at random moments of a mean rate. Each is proved by its HMAC, becomes an event of the log and
a kept request, and is answered once both are committed.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import stand
from stand import Figure, Stand

RATE, SECRET = 500, "a secret that the sender shares"
OPTIONS = {"event_id": "/id", "event_type": "/type"}


async def measure(here: Stand) -> list[Figure]:
    tenants = [await here.tenant() for _ in range(4)]
    keys = [tenant.key for tenant in tenants]
    length = stand.seconds(8)
    with here.serving():
        document = {"name": "bench", "dialect": "hmac", "secret": SECRET, "options": OPTIONS}
        made = [await here.call(tenant, "POST", "/api/v1/inbound-sources", document) for tenant in tenants]
        hook = {"what": "hook", "keys": keys, "paths": [urlsplit(each["url"]).path for each in made], "secret": SECRET}
        await here.load(**hook, seconds=1, connections=16)
        events, hooks, full = await stand.rounds(
            lambda: here.load(what="event", keys=keys, seconds=length, rate=RATE),
            lambda: here.load(**hook, seconds=length, rate=RATE),
            lambda: here.load(**hook, seconds=length, connections=64),
        )
    beside = f"POST /events p50 {events['p50']:.1f}, p99 {events['p99']:.1f} ms, {stand.costs(events)}"
    most = f"{stand.costs(full)}, p99 {full['p99']:.0f} ms"
    return [
        Figure(
            f"webhook in at {RATE}/s, p99", hooks["p99"], 50, 20, "ms",
            f"p50 {hooks['p50']:.1f} ms; {stand.costs(hooks)}; {beside}",
        ),
        Figure("webhook in, 64 callers", full["rate"], 500, 1500, "/s", most),
    ]  # fmt: skip


if __name__ == "__main__":
    stand.main(measure)
