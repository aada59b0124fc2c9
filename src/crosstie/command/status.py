"""`crosstie status`: whether the server serves, and the whole installation at a glance."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from crosstie import settings as configuration
from crosstie.command import http, out
from crosstie.command.failing import UNREACHABLE, Failure
from crosstie.command.out import Form, Output
from crosstie.errors import CrosstieError
from crosstie.installation import attached
from crosstie.kit import json
from crosstie.settings import Settings
from crosstie.watch.overview import overview

status = out.command()
#: lists that get a table of their own, with their columns
TABLES = {
    "processes": ("name", "host", "pid", "started_at"),
    "brokers": ("name", "status", "since", "reason"),
    "failing": ("tenant", "kind", "name", "status", "since", "reason"),
    "alerts": ("tenant", "kind", "since", "reason"),
}


@status.command("status")
def run_status(output: Output = None) -> None:
    """Say whether the server serves, and show processes, queues, brokers, integrations, those that fail, and alerts.

    crosstie status

    crosstie status -o json
    """
    settings = configuration.load(os.environ, Path.cwd())
    shown = _served(settings) | _kept(settings)
    if out.chosen(output) is Form.TABLE:
        _drawn(shown)
    else:
        out.one(shown, output)
    if not shown["ready"]:
        raise Failure(f"The server is not ready: {shown['reason']}.", UNREACHABLE, "`crosstie doctor` looks closer")


def _served(settings: Settings) -> dict[str, Any]:
    """What the server says of itself."""
    with http.client(http.way(settings, None, os.environ.get("CROSSTIE_BASE_URL"))) as client:
        shown: dict[str, Any] = {"url": str(client.base_url), "ready": False, "reason": None}
        try:
            answer = client.get("/readyz")
            shown |= json.loads(client.get("/version").content)
        except httpx2.TransportError as error:
            return shown | {"reason": f"it cannot be reached ({error})"}
        if answer.status_code == 200:
            return shown | {"ready": True}
        return shown | {"reason": json.loads(answer.content)["detail"].removeprefix("Not ready: ").rstrip(".")}


def _kept(settings: Settings) -> dict[str, Any]:
    """What the database says, where there is one here: another machine's server may be asked without it."""
    try:
        return asyncio.run(overview(attached(settings).worker))
    except (CrosstieError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        return {"database": {"error": f"{type(error).__name__}: {error}"}}


def _drawn(shown: Mapping[str, Any]) -> None:
    rows = {name: value for name, value in shown.items() if name not in TABLES and value is not None}
    out.one(rows | {name: len(shown[name]) for name in TABLES if name in shown}, Form.TABLE)
    for name, columns in TABLES.items():
        if shown.get(name):
            out.note(f"\n{name.capitalize()}:")
            out.many(shown[name], Form.TABLE, columns)
