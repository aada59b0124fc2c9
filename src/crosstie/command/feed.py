"""The live feed: events and deliveries of a tenant as they happen, one line each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import takewhile
from typing import Any

import httpx2
from rich.console import Console
from rich.text import Text

from crosstie.command import live

LOOK, BEAT = 0.5, 0.05
#: sinks of Crosstie's own, of which only failures are shown
INNER = ("reaction", "service")
COLOURS = {"delivered": "green", "retrying": "yellow", "dead": "red", "cancelled": "red"}


@asynccontextmanager
async def follow(
    console: Console, client: httpx2.AsyncClient, reader: live.Reader, sandbox: str
) -> AsyncIterator[None]:
    """Print what happens from now on, also at the sandbox, while the block runs."""
    async with client, httpx2.AsyncClient(base_url=sandbox, verify=False) as outside, asyncio.TaskGroup() as group:
        number = await _last(outside)
        tasks = [
            group.create_task(_events(console, reader)),
            group.create_task(_deliveries(console, client)),
            group.create_task(_services(console, outside, number)),
        ]
        while reader.place is None:  # noqa: ASYNC110  # not subscribed yet; a Reader is for blocking readers, too
            await asyncio.sleep(BEAT)
        yield
        for task in tasks:
            task.cancel()


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
                if delivery["sink"] not in INNER or delivery["status"] != "delivered":
                    console.print(line(delivery["sink"], at, delivery["event_type"], what, COLOURS[delivery["status"]]))
            seen[delivery["id"]] = state
        seen = {delivery["id"]: seen[delivery["id"]] for delivery in answer["data"]}
        first = False
        await asyncio.sleep(LOOK)


async def _services(console: Console, outside: httpx2.AsyncClient, number: int) -> None:
    """What the services of the sandbox were asked, and how they answered."""
    while True:
        for asked in await _asked(outside, number):
            colour = "green" if asked["status"] < 400 else "yellow"
            about = f"answered {asked['status']}" + (f" (key {asked['key']})" if asked["key"] else "")
            console.print(line("service", asked["at"], f"{asked['service']}.{asked['operation']}", about, colour))
            number = asked["number"]
        await asyncio.sleep(LOOK)


async def _last(outside: httpx2.AsyncClient) -> int:
    """The number of the newest request that the services of the sandbox have answered."""
    return max((int(asked["number"]) for asked in await _asked(outside, 0)), default=0)


async def _asked(outside: httpx2.AsyncClient, after: int) -> list[dict[str, Any]]:
    """Requests in order, up to the first that is under way."""
    answer = await _get(outside, "/services/requests", {"after": str(after)})
    return list(takewhile(lambda asked: asked["status"] is not None, reversed(answer["data"])))


def line(kind: str, at: str, what: str, about: str, colour: str) -> Text:
    """One line of the feed."""
    moment = datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S")
    return Text.assemble((f"  {moment} ", "dim"), (f"{kind:<8} ", "dim"), (f"{what:<32} ", colour), about)
