"""An installation whose mail goes to a real server, and people to write to."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from crosstie.app import opened
from crosstie.declare.service import Implementation
from crosstie.modules.notifications.service import send_message
from tests.parts.carriers import KEY, USERNAME, Exchange, exchanging
from tests.parts.post import Mailbox, mailbox
from tests.stage import EVERYTHING, Stage, Tenant, staged

PATIENCE = 60


@pytest.fixture(scope="session")
def box() -> Iterator[Mailbox]:
    """The mail server of the installation."""
    with mailbox() as found:
        yield found


@pytest.fixture(scope="session")
def stage(box: Mailbox) -> Iterator[Stage]:
    """An installation with that server."""
    settings = {
        "smtp_url": f"smtp://127.0.0.1:{box.port}?security=none",
        "mail_from": "no-reply@crosstie.example",
        "retry_schedule": (1, 1, 1),
    }
    with staged(**settings) as found:
        yield found


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """Providers of text and push messages."""
    with exchanging() as found:
        yield found


class Desk:
    """What a module asks of the notifications service, and what becomes of it."""

    def __init__(self, stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
        self.stage, self.tenant, self.client = stage, tenant, client

    async def call(self, run: Implementation, given: dict[str, Any]) -> Any:
        """An implementation in a Unit of its own."""
        async with (
            opened(self.stage.settings, self.stage.dsns, work=False, name="test") as process,
            process.log.unit(self.tenant.id, EVERYTHING) as unit,
        ):
            return await run(unit, given)

    async def send(self, template: str, *to: str, channel: str = "email", **given: Any) -> dict[str, Any]:
        """Have a message sent; the answer."""
        found: dict[str, Any] = await self.call(
            send_message, {"channel": channel, "template": template, "to": list(to), **given}
        )
        return found

    async def user(self, role: str = "staff", **values: Any) -> dict[str, Any]:
        """A user."""
        email = f"{secrets.token_hex(5)}@example.com"
        made = await self.client.post("/api/v1/users", json={"email": email, "role": role, **values})
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def make(self, noun: str, **values: Any) -> dict[str, Any]:
        """A record."""
        made = await self.client.post(f"/api/v1/{noun}", json=values)
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def document(self, content: bytes, filename: str = "order.txt", kind: str = "text/plain") -> str:
        """A document of the firm; its id."""
        made = await self.client.post("/api/v1/documents", files={"file": (filename, content, kind)})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def messages(self, **filters: str) -> list[dict[str, Any]]:
        """Messages, newest first."""
        answer = await self.client.get("/api/v1/messages", params=filters)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    async def listed(self, noun: str, count: int) -> list[dict[str, Any]]:
        """Records of a noun, once there are so many."""
        end = time.monotonic() + PATIENCE
        while True:
            rows = list((await self.client.get(f"/api/v1/{noun}")).json()["data"])
            if len(rows) >= count:
                return rows
            assert time.monotonic() < end, rows
            await asyncio.sleep(0.1)

    async def ended(self, id: str, *states: str) -> dict[str, Any]:
        """The message, once it is in one of these states."""
        return await self.reached("messages", id, *states)

    async def reached(self, noun: str, id: str, *states: str) -> dict[str, Any]:
        """A record, once it is in one of these states."""
        end = time.monotonic() + PATIENCE
        while True:
            row: dict[str, Any] = (await self.client.get(f"/api/v1/{noun}/{id}")).json()
            if row["status"] in states:
                return row
            assert time.monotonic() < end, row
            await asyncio.sleep(0.1)


@pytest.fixture
async def desk(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> Desk:
    """The service as one tenant's modules see it."""
    return Desk(stage, tenant, client)


def address() -> str:
    """Somebody nobody else writes to."""
    return f"{secrets.token_hex(5)}@example.com"


def number() -> str:
    """A number of Kenya that nobody else writes to."""
    return f"+2547{secrets.randbelow(90_000_000) + 10_000_000}".replace("0403", "1111")[:13]


async def africastalking(desk: Desk, exchange: Exchange, **more: Any) -> dict[str, Any]:
    values = {"name": "at", "channel": "sms", "kind": "africastalking", "url": exchange.url, "secret": KEY}
    return await desk.make("notification-providers", **(values | {"options": {"account": USERNAME}} | more))
