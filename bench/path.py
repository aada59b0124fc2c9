"""The whole path: POST accepted, committed, signed, delivered to a receiver, recorded; beside R.

    .venv/bin/python bench/path.py [--quick]

Load generator, receiver, PostgreSQL and two serving processes share the machine; with authentication, row-level
security, deduplication and a schema for every event. The rate is what was recorded as delivered, until nothing was
left. Commits are PostgreSQL's own count, statements are counted in its log.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import stand
from stand import Figure, Sink, Stand

COUNTS = "SELECT count(*) FILTER (WHERE status = 'delivered' AND sink = 'webhook') AS done FROM deliveries"
STATS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


async def run(here: Stand, sink: Sink, watcher: asyncpg.Connection, keys: list[str], **plan: float) -> dict[str, float]:
    """One round: load, then wait until the backlog is empty."""
    sink.report()
    before = await watcher.fetchrow(COUNTS)
    commits = await settled(watcher)
    spent, began = here.spent(), time.perf_counter()
    found = await here.load(what="event", keys=keys, **plan)
    while (now := await watcher.fetchrow(COUNTS))["done"] < before["done"] + found["good"]:
        if time.perf_counter() > began + 60:
            raise TimeoutError(f"{now['done'] - before['done']} of {found['good']} were delivered")
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    received = sink.report()
    if received["count"] < found["good"]:
        raise RuntimeError(f"{received['count']} of {found['good']} were received")
    _, serving, database, _ = (after - b for after, b in zip(here.spent(), spent, strict=True))
    delivered = now["done"] - before["done"]
    return found | {
        "rate": delivered / took,
        "serving_us": serving / delivered * 1e6,
        "database_us": database / delivered * 1e6,
        "commits": (await settled(watcher) - commits) / delivered,
        "again": received["count"] / found["good"] - 1,
    }


async def statements(here: Stand, sink: Sink, watcher: asyncpg.Connection, keys: list[str]) -> float:
    """Statements for each delivery, BEGIN and COMMIT among them."""
    log = Path(here.embedded_folder()) / "log"
    for word in ("log_statement = 'all'", "log_parameter_max_length = 0"):
        await watcher.execute(f"ALTER SYSTEM SET {word}")
    await watcher.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(1)
    start = log.stat().st_size
    found = await run(here, sink, watcher, keys, seconds=stand.seconds(2), connections=256)
    await watcher.execute("ALTER SYSTEM RESET ALL")
    await watcher.execute("SELECT pg_reload_conf()")
    with log.open("rb") as lines:
        lines.seek(start)
        count = sum(b"LOG:  statement: " in line or b"LOG:  execute " in line for line in lines)
    return count / found["good"]


async def settled(watcher: asyncpg.Connection) -> int:
    """Commits so far; backends tell theirs a second late."""
    await asyncio.sleep(1.2)
    await watcher.execute("SELECT pg_stat_clear_snapshot()")
    return int(await watcher.fetchval(STATS))


async def endpoints(here: Stand, tenants: list[stand.Tenant], sink: Sink) -> None:
    """One endpoint for each tenant."""
    for tenant in tenants:
        body = {"url": sink.url, "event_types": ["bench.*"], "max_in_flight": 64}
        await here.call(tenant, "POST", "/api/v1/webhook-endpoints", body)


async def measure(here: Stand) -> list[Figure]:
    tenants = [await here.tenant() for _ in range(4)]
    keys = [tenant.key for tenant in tenants]
    length = stand.seconds(4)
    watcher = await asyncpg.connect(here.superuser)
    with stand.sink() as sink, here.serving(2):
        await endpoints(here, tenants, sink)
        await run(here, sink, watcher, keys, seconds=1, connections=256)
        r, path = await stand.rounds(
            lambda: here.reference(length),
            lambda: run(here, sink, watcher, keys, seconds=length, connections=256),
        )
        spent = await statements(here, sink, watcher, keys)
    await watcher.close()
    return [
        Figure(
            "accepted, signed, delivered, recorded / R", path["rate"] / r["rate"], 0.8, 1.3, "x",
            f"{stand.costs(path)}; R {r['rate']:.0f}/s, {r['us']:.0f} µs CPU; CPU of R / ours"
            f" {r['us'] / (path['serving_us'] + path['database_us']):.2f}; sent again {path['again']:.2%}",
        ),
        Figure("statements per delivery", spent, 1, 0.2, "", "BEGIN and COMMIT are counted too"),
        Figure("commits per delivery", path["commits"], 0.1, 0.02, ""),
    ]  # fmt: skip


if __name__ == "__main__":
    stand.main(measure)
