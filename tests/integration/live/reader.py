"""A stock WebSocket client as a reader of the stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.stage import PATIENCE, Tenant


class Reader:
    """One connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps(frame))

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        found: dict[str, Any] = json.loads(await self.socket.recv())
        return found

    async def subscribe(self, *topics: str, after: str | None = None) -> dict[str, Any]:
        """Subscribe, and return the answer."""
        await self.say(action="subscribe", topics=list(topics), after=after)
        return await self.next()

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next frames, which are all events."""
        found = [await self.next() for _ in range(count)]
        assert {frame["type"] for frame in found} == {"event"}, found
        return found


def headers(key: str) -> dict[str, str]:
    """A key as a header."""
    return {"authorization": f"Bearer {key}"}


@asynccontextmanager
async def reading(
    tenant: Tenant, key: str | None = None, query: str = "", subprotocols: Sequence[Any] | None = None, **more: Any
) -> AsyncIterator[Reader]:
    """A connection of a tenant; with `subprotocols` or a query without a header.

    The client takes in all that comes: else it would not see the answer to its close behind what it has not read.
    """
    url = tenant.url.replace("http", "ws", 1) + "/api/v1/stream" + query
    shown = {} if query or subprotocols else headers(key or tenant.key)
    more = {"max_queue": None, "open_timeout": PATIENCE, "proxy": None} | more
    async with connect(url, additional_headers=shown, subprotocols=subprotocols, **more) as socket:
        yield Reader(socket)
