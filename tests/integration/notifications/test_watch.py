"""Providers of messages among the integrations: up before they are asked, down with the reason, and up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crosstie.watch.overview import overview
from tests.integration.notifications.conftest import Desk, address, africastalking, number
from tests.integration.watch.test_alerts import listed, of_kind, until
from tests.parts.carriers import Exchange
from tests.parts.post import Mailbox, mailbox

KIND = "notification_provider"


async def found(desk: Desk, name: str, *states: str) -> Any:
    """The integration of that name, once it is in one of these states."""

    async def look() -> Any:
        rows = {row["name"]: row for row in await listed(desk.client, "integrations", kind=KIND)}
        return rows[name] if name in rows and rows[name]["status"] in states else None

    return await until(look, f"{name} is {states}")


async def fails_and_works_again(
    desk: Desk, made: dict[str, Any], channel: str, to: str, reason: str, mend: Callable[[], None]
) -> None:
    """A provider, whose attempts fail until it is mended."""
    name = made["name"]
    before = await found(desk, name, "up")
    assert (before["id"], before["calls"]) == (made["id"], 0)
    for _ in range(3):
        await desk.send("plain", to, channel=channel, data={"subject": "Hello", "text": "x"})
    down = await found(desk, name, "down")
    assert reason in down["reason"]
    assert down["failures"] == down["calls"] >= 3
    (alert,) = await until(lambda: of_kind(desk.client, "unavailable", "firing"), "an alert")
    assert alert["subject_id"] == made["id"]
    shown = await overview(desk.stage.dsns.worker)
    (own,) = [each for each in shown["failing"] if each["tenant"] == desk.tenant.slug]
    assert (own["kind"], own["name"], own["status"], own["reason"]) == (KIND, name, "down", down["reason"])
    mend()
    await desk.send("plain", to, channel=channel, data={"subject": "Hello", "text": "x"})
    works = await found(desk, name, "up", "degraded")
    assert works["last_success_at"] > works["last_failure_at"]
    await desk.client.patch(f"/api/v1/notification-providers/{made['id']}", json={"status": "disabled"})
    await found(desk, name, "disabled")
    assert (await desk.client.delete(f"/api/v1/notification-providers/{made['id']}")).status_code == 204
    assert await listed(desk.client, "integrations", kind=KIND, status="disabled") == []


async def test_a_mail_server(desk: Desk) -> None:
    with mailbox() as own:
        own.refusals = ["451 4.3.0 the disk is full"] * 200
        made = await desk.make(
            "notification-providers", name="own", channel="email", kind="smtp",
            url=f"smtp://127.0.0.1:{own.port}?security=none", options={"sender": "us@firm.example"},
        )  # fmt: skip
        await fails_and_works_again(desk, made, "email", address(), "smtp_451", own.refusals.clear)


async def test_a_provider_of_text_messages(desk: Desk, exchange: Exchange) -> None:
    exchange.faults["/version1"] = [503] * 200
    made = await africastalking(desk, exchange)
    await fails_and_works_again(desk, made, "sms", number(), "http_503", exchange.faults["/version1"].clear)


async def test_a_provider_of_push_messages(desk: Desk, exchange: Exchange) -> None:
    exchange.faults["/v1/projects"] = [500] * 200
    made = await desk.make(
        "notification-providers", name="push", channel="push", kind="fcm", url=exchange.url,
        options={"account": "demo"}, secret=exchange.service_account(),
    )  # fmt: skip
    await fails_and_works_again(desk, made, "push", "device-1", "http_500", exchange.faults["/v1/projects"].clear)


@pytest.mark.parametrize("answers", [[], ["550 5.1.1 no such user"]], ids=["taken", "no such address"])
async def test_the_operators_mail_server(desk: Desk, box: Mailbox, answers: list[str]) -> None:
    """What is wrong with an address is no fault of the server."""
    to = address()
    box.answers[to] = answers
    said = await desk.send("plain", to, data={"subject": "Hello", "text": "x"})
    await desk.ended(said["messages"][0]["id"], "failed" if answers else "sent")
    house = await found(desk, "house", "up", "degraded", "down")
    assert (house["status"], house["calls"], house["failures"]) == ("up", 1, 0)
