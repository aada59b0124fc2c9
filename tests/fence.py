"""Waiting for what comes by itself, and reading the log for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Return once a question is answered with yes. Raises TimeoutError."""
    for _ in range(int(seconds * 50)):
        if await true():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(f"not within {seconds} s")


async def fence(client: httpx2.AsyncClient) -> None:
    """Return when the log shows all that was committed before this call: when it shows an event made by it.

    The log shows an event once every transaction that began before it has ended.
    """
    made = await client.post("/api/v1/clients", json={"name": "Fence"})
    asked = {"subject_type": "client", "subject_id": made.json()["id"]}

    async def shown() -> bool:
        return bool((await client.get("/api/v1/events", params=asked)).json()["data"])

    await until(shown)
