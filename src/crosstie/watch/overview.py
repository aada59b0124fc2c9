"""The whole installation at a glance, out of its database: processes, queues, brokers, integrations, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from crosstie.db import engine
from crosstie.watch import measure, presence
from crosstie.watch.presence import Line


async def overview(dsn: str) -> dict[str, Any]:
    """What there is to see, for the worker's role."""
    connection = await engine.connect(dsn, name="crosstie status", statement_seconds=10)
    try:
        version = await connection.fetchval("SHOW server_version")
        revision = await connection.fetchval("SELECT schema_revision()")
        depth = await measure.depth(connection)
        processes = await presence.alive(connection)
        summary = await connection.fetch("SELECT * FROM watch_summary()")
    finally:
        await connection.close()
    return {
        "database": {"postgresql": version, "revision": revision},
        "deliveries_waiting": depth["waiting"],
        "oldest_due_seconds": round(depth["oldest"], 1),
        "events_undispatched": depth["undispatched"],
        "log_horizon_transactions": depth["behind"],
        "processes": [{name: row[name] for name in ("name", "host", "pid", "started_at")} for row in processes],
        "brokers": [_broker(line) for line in presence.lines(processes) if line.kind == "broker"],
        "integrations": _integrations(summary),
        "failing": _rows(summary, "failing", "tenant", "kind", "name", "status", "reason", "since"),
        "alerts": _rows(summary, "alert", "tenant", "kind", "reason", "since"),
    }


def _broker(line: Line) -> dict[str, Any]:
    status = "up" if not line.away else "degraded" if line.there else "down"
    return {"name": line.name, "status": status, "since": line.since, "reason": line.fault}


def _rows(summary: Sequence[asyncpg.Record], what: str, *names: str) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in summary if row["what"] == what]


def _integrations(summary: Sequence[asyncpg.Record]) -> dict[str, int]:
    found = dict.fromkeys(("up", "degraded", "down", "disabled"), 0)
    for row in summary:
        if row["what"] == "integrations":
            found[row["status"]] += row["number"]
    return found
