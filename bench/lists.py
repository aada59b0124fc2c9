"""Lists of a tenant with 1 000 000 jobs: first pages, every declared filter and sort, a cursor deep inside.

    .venv/bin/python bench/lists.py [--quick]

Over HTTP, one request at a time, median of nine. The states lie in the table as life puts them there: the old jobs are
closed, the new ones open, so that no filter may hope for an even mixture. Each plan is read as the application's role.
"""

from __future__ import annotations

import statistics
import time
from typing import Any
from uuid import UUID

import asyncpg
import child
import stand
from stand import Figure, Stand

from crosstie.api import filters, pages
from crosstie.db import session

ROWS = 100_000 if stand.QUICK else 1_000_000
FILL = """
INSERT INTO jobs (tenant_id, id, client_id, site_id, reference, title, description, trade, priority, status, due_at,
    external_ids, created_at, updated_at, revision)
  SELECT $1,
    (lpad(to_hex(1700000000000 + n * 1000::bigint), 12, '0') || '7000800000' || lpad(to_hex(n), 10, '0'))::uuid,
    ($2::uuid[])[1 + n % 1000], NULL, 'J-' || n, 'Replace the geyser ' || (n * 7919::bigint % 1000003), NULL,
    (ARRAY['plumbing', 'electrical', 'solar', 'roofing'])[1 + n % 4],
    CASE WHEN n % 5000 = 0 THEN 'urgent' WHEN n % 10 = 0 THEN 'high' ELSE 'normal' END,
    CASE WHEN n < $3 * 0.02 THEN 'disputed' WHEN n < $3 * 0.98 THEN 'closed' WHEN n % 3 = 0 THEN 'requested'
      ELSE 'scheduled' END,
    to_timestamp(1700000000 + n) + interval '7 days', '{}', to_timestamp(1700000000 + n),
    to_timestamp(1700000000 + n), 1
  FROM generate_series(1, $3::bigint) n
"""


async def fill(here: Stand, tenant: UUID, clients: list[str]) -> None:
    """A million jobs; their indexes are taken away meanwhile."""
    connection = await asyncpg.connect(here.superuser)
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'jobs' AND indexname NOT LIKE 'pk%'"
        " AND indexname NOT LIKE 'uq%'"
    )
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("SET synchronous_commit = off")
    await connection.execute(FILL, tenant, clients, ROWS, timeout=300)
    await connection.execute("SET maintenance_work_mem = '512MB'")
    for row in indexes:
        await connection.execute(row["indexdef"], timeout=300)
    await connection.execute("VACUUM ANALYZE jobs", timeout=300)
    await connection.close()


def queries(client: str) -> dict[str, str]:
    """Name → query string."""
    late, early = 1_700_000_000 + ROWS - 100, 1_700_000_000 + 1000
    found = {"first page": "", "200 rows": "limit=200", "sort=created_at": "sort=created_at"}
    found |= {f"sort={s}": f"sort={s}" for s in ("title", "-title", "due_at", "-due_at")}
    found |= {
        "status, common, all old": "status=closed",
        "status, new": "status=requested",
        "status, the oldest": "status=disputed",
        "status, none": "status=cancelled",
        "two states": "status=requested,scheduled",
        "client": f"client_id={client}",
        "priority, rare": "priority=urgent",
        "priority, common": "priority=normal",
        "trade": "trade=solar",
        "trade, none": "trade=thatching",
        "reference": "reference=J-777",
        "created, last 100 s": f"created_at[gte]={moment(late)}",
        "created, first 1000 s": f"created_at[lt]={moment(early)}",
        "due, first 1000 s": f"due_at[lt]={moment(early + 604_800)}",
        "status and sort": "status=closed&sort=title",
        "client and status": f"client_id={client}&status=scheduled",
        "client and sort": f"client_id={client}&sort=-due_at",
    }
    return found


def moment(seconds: int) -> str:
    """Unix seconds as a query wants them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


async def plan(connection: asyncpg.Connection, query: str) -> list[str]:
    """The scans of a query as the application's role."""
    resource = child.catalog.catalogue().resources["jobs"]
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    statement, values = pages.statement(resource, filters.parse(resource, pairs), b"")
    rows = await connection.fetch(f"EXPLAIN {statement.text}", *statement.arguments(values))
    return [row[0].strip(" ->").split("  (")[0] for row in rows if "Scan" in row[0]]


async def timed(here: Stand, tenant: stand.Tenant, path: str) -> tuple[float, Any]:
    """Milliseconds of one request."""
    began = time.perf_counter()
    found = await here.call(tenant, "GET", path)
    return (time.perf_counter() - began) * 1000, found


async def measure(here: Stand) -> list[Figure]:
    tenant = await here.tenant()
    with here.serving():
        clients = [(await here.call(tenant, "POST", "/api/v1/clients", {"name": f"C {n}"}))["id"] for n in range(50)]
        await fill(here, tenant.id, [clients[n % 50] for n in range(1000)])
        worst: dict[str, float] = {}
        for name, query in queries(clients[7]).items():
            spent = [(await timed(here, tenant, f"/api/v1/jobs?{query}"))[0] for _ in range(3 if stand.QUICK else 9)]
            worst[name] = statistics.median(spent)
        cursor = ""
        for _ in range(100):
            page = (await timed(here, tenant, f"/api/v1/jobs?limit=200{cursor}"))[1]
            cursor = f"&cursor={page['next_cursor']}"
        worst["20 000 rows deep"] = statistics.median(
            [(await timed(here, tenant, f"/api/v1/jobs?limit=200{cursor}"))[0] for _ in range(9)]
        )
        app = await asyncpg.connect(here.dsns.app)
        plans: dict[str, list[str]] = {}
        async with session.transaction(app, session.begin(tenant.id)):
            for name, query in queries(clients[7]).items():
                plans[name] = await plan(app, query)
        await app.close()
    for name, spent in sorted(worst.items(), key=lambda each: -each[1]):
        print(f"{name:26} {spent:8.1f} ms  {'; '.join(plans.get(name, []))}")
    whole = [name for name, scans in plans.items() if any("Seq Scan" in scan for scan in scans)]
    slowest = max(worst, key=lambda name: worst[name])
    return [
        Figure(f"list of {ROWS} jobs, first page", worst["first page"], 50, 10, "ms"),
        Figure("any filter or sort, the slowest", worst[slowest], 50, 10, "ms", f"{slowest}"),
        Figure("deep cursor", worst["20 000 rows deep"], 50, 10, "ms", "200 rows a page"),
        Figure("queries without an index", len(whole), 0, 0, "", ", ".join(whole)),
    ]


if __name__ == "__main__":
    stand.main(measure)
