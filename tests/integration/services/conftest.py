"""A stage whose waits for remote services are short, and a remote service beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx2
import pytest

from crosstie.app import Process, opened
from crosstie.catalog import catalogue
from crosstie.declare.service import Provider
from crosstie.errors import MoveRefused
from crosstie.log.event import Actor
from crosstie.log.unit import Unit
from tests.parts.peer import Peer, peer
from tests.stage import Stage, staged

INVOICE = {
    "customer_id": "c-1", "currency": "KES", "reference_type": "opportunity", "reference_id": "o-1",
    "lines": [{"description": "Geyser", "quantity": 1, "unit_price": 10000.0}],
}  # fmt: skip
WHO = Actor("system", "test", frozenset("*"))
BUDGET = {"total": "100.00", "spent": "0.00", "currency": "ZAR"}


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """As everywhere, but a request is cut after a second, waits are a tenth of the usual, and a rest takes three."""
    changes = {"service_timeout": 1.0, "service_first_wait": 0.1, "service_longest_wait": 3.0, "service_rest": 3.0}
    with staged(**changes) as found:
        yield found


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    """A process of the stage without a worker, as module code lives in one."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        yield found


async def budget(unit: Unit, given: Mapping[str, Any]) -> dict[str, Any]:
    return BUDGET | {"project_id": given["id"]}


async def expense(unit: Unit, given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("category") == "yacht":
        raise MoveRefused("No yachts.")
    unit.append("projects.budget.updated", {"project_id": given["id"], "spent": given["amount"]}, ("project", "p-1"))
    return {"id": "e-1", "status": "recorded"}


@pytest.fixture
def projects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that provides the projects service."""
    provider = Provider("projects", {"get_budget": budget, "record_expense": expense})
    monkeypatch.setitem(catalogue().providers, "projects", provider)


@pytest.fixture
async def remote() -> AsyncIterator[Peer]:
    """A remote service."""
    async with peer() as found:
        yield found


@pytest.fixture
async def treasury(client: httpx2.AsyncClient, remote: Peer) -> Peer:
    """It, as the tenant's treasury."""
    await provide(client, remote, "treasury")
    return remote


async def provide(client: httpx2.AsyncClient, remote: Peer, service: str, **auth: Any) -> None:
    """Name a remote service as the provider of one."""
    body = {"mode": "remote", "base_url": remote.url, "auth": auth or {"type": "bearer", "secret": "s3cret"}}
    answer = await client.put(f"/api/v1/service-providers/{service}", json=body)
    assert answer.status_code in (200, 201), answer.text


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 90) -> Any:
    """What a look finds, as soon as it finds anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.05)
    raise TimeoutError("it did not come about")
