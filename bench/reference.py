"""The reference R: 64 asyncpg connections, each committing one event and one delivery in one statement, 1 kB each.

    python bench/reference.py '{"dsn": "postgresql://…", "seconds": 4}'

No policies, no deduplication, no HTTP: what a plain queue table costs on this machine at this moment.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import uuid
from typing import Any

import asyncpg
import uvloop
from load import event

TABLES = """
CREATE SCHEMA IF NOT EXISTS reference;
CREATE TABLE IF NOT EXISTS reference.events (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, at timestamptz NOT NULL
  DEFAULT now(), type text NOT NULL, data json NOT NULL);
CREATE TABLE IF NOT EXISTS reference.deliveries (id uuid PRIMARY KEY, event_id uuid NOT NULL, status text NOT NULL,
  due_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS due ON reference.deliveries (due_at) WHERE status = 'pending';
"""
WRITE = (
    "WITH e AS (INSERT INTO reference.events (id, tenant_id, type, data) VALUES ($1, $2, $3, $4::text::json))"
    " INSERT INTO reference.deliveries (id, event_id, status) VALUES ($5, $1, 'pending')"
)


async def main(plan: dict[str, Any]) -> None:
    connections = [await asyncpg.connect(plan["dsn"]) for _ in range(64)]
    await connections[0].execute(TABLES)
    tenant, done = uuid.uuid4(), 0
    began = time.perf_counter()
    until = began + plan["seconds"]

    async def work(connection: asyncpg.Connection) -> None:
        nonlocal done
        while time.perf_counter() < until:
            done += 1
            await connection.execute(WRITE, uuid.uuid4(), tenant, "bench.reading", event(done), uuid.uuid4())

    await asyncio.gather(*(work(connection) for connection in connections))
    took = time.perf_counter() - began
    for connection in connections:
        await connection.close()
    print(json.dumps({"good": done, "rate": done / took}))


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(main(json.loads(sys.argv[1])))
