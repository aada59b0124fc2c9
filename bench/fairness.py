"""One tenant has 100 000 deliveries waiting for a slow receiver: how long another tenant's event takes meanwhile.

.venv/bin/python bench/fairness.py [--quick]
"""

from __future__ import annotations

import asyncio

import asyncpg
import stand
from stand import Figure, Stand

WAITING = 20_000 if stand.QUICK else 100_000
FILL = """
WITH made AS (
  INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)
    SELECT $1, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
      || '7000800000' || lpad(to_hex(n), 10, '0'))::uuid, 1, 'w' || n, 'bench.reading', 1, now(), 'system', '{}'
    FROM generate_series(1, $3::bigint) n RETURNING id, event_id
)
INSERT INTO deliveries (tenant_id, id, created_at, log_id, event_id, event_type, endpoint_id, sink, status, attempts,
    base, due_at)
  SELECT $1, id, now(), id, event_id, 'bench.reading', $2, 'webhook', 'pending', 0, 0, now() FROM made
"""


async def endpoint(here: Stand, tenant: stand.Tenant, sink: stand.Sink) -> str:
    """An endpoint of this tenant."""
    body = {"url": sink.url, "event_types": ["bench.*"], "max_in_flight": 64}
    return str((await here.call(tenant, "POST", "/api/v1/webhook-endpoints", body))["id"])


async def measure(here: Stand) -> list[Figure]:
    busy, other = await here.tenant(), await here.tenant()
    with stand.sink("0.05") as slow, stand.sink() as quick, here.serving():
        crowded = await endpoint(here, busy, slow)
        await endpoint(here, other, quick)
        await here.load(what="event", keys=[other.key], seconds=1, connections=8)

        async def turn() -> dict[str, float]:
            quick.report()
            found = await here.load(what="event", keys=[other.key], seconds=stand.seconds(8), rate=100)
            return found | await quick.report_of(int(found["good"]))

        alone = await turn()
        superuser = await asyncpg.connect(here.superuser)
        await superuser.execute(FILL, busy.id, crowded, WAITING, timeout=120)
        await asyncio.sleep(2)
        slow.report()
        beside = await turn()
        served = slow.report()["count"]
        left = await superuser.fetchval(
            "SELECT count(*) FROM deliveries WHERE endpoint_id = $1 AND due_at IS NOT NULL", crowded
        )
        await superuser.close()
    return [
        Figure(
            f"another's event beside {WAITING} waiting, p99", beside["age_p99"], 100, 20, "ms",
            f"alone {alone['age_p99']:.1f} ms; p50 {beside['age_p50']:.1f}, alone {alone['age_p50']:.1f} ms;"
            f" the crowded one got {served / beside['seconds']:.0f}/s of its cap of 1 280/s, {left} still wait",
        )
    ]  # fmt: skip


if __name__ == "__main__":
    stand.main(measure)
