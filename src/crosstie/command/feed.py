"""The live feed: events and deliveries of a tenant as they happen, one line each."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import httpx2
from rich.console import Console
from rich.text import Text

from crosstie.command import live

LOOK = 0.5
COLOURS = {"delivered": "green", "retrying": "yellow", "dead": "red", "cancelled": "red"}


async def follow(console: Console, client: httpx2.AsyncClient, reader: live.Reader) -> None:
    """Print what happens from now on, until cancelled."""
    async with client, asyncio.TaskGroup() as group:
        group.create_task(_events(console, reader))
        group.create_task(_deliveries(console, client))


async def _get(client: httpx2.AsyncClient, path: str, query: dict[str, str]) -> dict[str, Any]:
    """An answer; while the server is away it is asked again."""
    while True:
        try:
            response = await client.get(path, params=query)
            if response.status_code < 500 and response.status_code != 429:
                response.raise_for_status()
                return dict(response.json())
        except httpx2.TransportError:
            pass
        await asyncio.sleep(1)


async def _events(console: Console, reader: live.Reader) -> None:
    async for _, event in live.follow(reader):
        subject = event.get("subject")
        about = f"{subject['type']} {subject['id']}" if subject else ""
        console.print(line("event", event["timestamp"], event["event_type"], about, "cyan"))


async def _deliveries(console: Console, client: httpx2.AsyncClient) -> None:
    seen: dict[str, tuple[str, int]] = {}
    first = True
    while True:
        answer = await _get(client, "/api/v1/deliveries", {"limit": "100"})
        for delivery in reversed(answer["data"]):
            state = (delivery["status"], delivery["attempts"])
            if seen.get(delivery["id"]) != state and not first and delivery["status"] in COLOURS:
                said = delivery["response_status"] or delivery["error_code"] or ""
                what = f"{delivery['status']} {said} (attempt {delivery['attempts']})"
                at = delivery["finished_at"] or delivery["due_at"] or delivery["created_at"]
                console.print(line("webhook", at, delivery["event_type"], what, COLOURS[delivery["status"]]))
            seen[delivery["id"]] = state
        seen = {delivery["id"]: seen[delivery["id"]] for delivery in answer["data"]}
        first = False
        await asyncio.sleep(LOOK)


def line(kind: str, at: str, what: str, about: str, colour: str) -> Text:
    """One line of the feed."""
    moment = datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S")
    return Text.assemble((f"  {moment} ", "dim"), (f"{kind:<8}", "dim"), (f"{what:<32} ", colour), about)
