"""Records that the tests of nouns begin with."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.fence import fence

Make = Callable[..., Awaitable[dict[str, Any]]]
PRICE = {"amount": "199.95", "currency": "ZAR"}
LINE = {"kind": "material", "description": "Geyser", "quantity": "3", "unit_price": PRICE, "tax_rate": "15"}


@pytest.fixture
def make(client: httpx2.AsyncClient) -> Make:
    """Make a record of a noun, and what it needs."""

    async def made(noun: str, **values: Any) -> dict[str, Any]:
        response = await client.post(f"/api/v1/{noun}", json=values)
        assert response.status_code == 201, response.text
        return dict(response.json())

    return made


@pytest.fixture
async def job(make: Make) -> dict[str, Any]:
    """A job of a client."""
    owner = await make("clients", name="Thandi Nkosi")
    return await make("jobs", client_id=owner["id"], title="Replace the geyser")


@pytest.fixture
async def technician(make: Make) -> dict[str, Any]:
    """Somebody who makes visits."""
    return await make("users", email=f"{secrets.token_hex(4)}@example.com", name="Sipho", role="technician")


async def events(client: httpx2.AsyncClient, *types: str) -> list[dict[str, Any]]:
    """The tenant's events of these types, oldest first."""
    await fence(client)
    page = (await client.get("/api/v1/events", params={"limit": 200})).json()
    found = [event for event in page["data"] if not types or event["event_type"] in types]
    return sorted(found, key=lambda event: event["event_id"])
