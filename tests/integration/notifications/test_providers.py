"""Providers of a tenant's own: tried in order, never two for one message that one of them may have sent."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any
from uuid import UUID

import httpx2
import pytest
from standardwebhooks import Webhook

from crosstie.app import opened
from crosstie.kit import clock, ids
from crosstie.log.event import Event
from crosstie.log.sink import Lease
from tests.integration.notifications.conftest import Desk, address, africastalking, number
from tests.parts.carriers import ACCOUNT, KEY, SENDER, TOKEN, USERNAME, Exchange
from tests.parts.post import Mailbox, mailbox, texts
from tests.receiver import Receiver


async def twilio(desk: Desk, exchange: Exchange, **more: Any) -> dict[str, Any]:
    options = {"account": ACCOUNT, "sender": SENDER}
    values = {"name": "tw", "channel": "sms", "kind": "twilio", "url": exchange.url, "secret": TOKEN}
    return await desk.make("notification-providers", **(values | {"options": options, "position": 1} | more))


async def test_a_text_message_by_the_first_provider(desk: Desk, exchange: Exchange) -> None:
    made = await africastalking(desk, exchange, options={"account": USERNAME, "sender": "ACME"})
    assert KEY not in str(made)
    await twilio(desk, exchange)
    to = number()
    said = await desk.send("plain", f"{to[:4]} {to[4:]}", channel="sms", data={"text": "Jambo " * 30})
    row = await desk.ended(said["messages"][0]["id"], "sent")
    (taken,) = exchange.taken
    assert (taken["by"], taken["to"], taken["sender"], taken["key"]) == ("africastalking", to, "ACME", row["id"])
    assert (row["provider"], row["provider_message_id"], row["segments"]) == ("at", taken["id"], 2)


async def test_the_second_takes_what_the_first_refuses(desk: Desk, exchange: Exchange) -> None:
    await africastalking(desk, exchange)
    await twilio(desk, exchange)
    exchange.faults["/version1"] = [503]
    said = await desk.send("plain", number(), channel="sms", data={"text": "Habari"})
    row = await desk.ended(said["messages"][0]["id"], "sent")
    assert (row["provider"], [each["by"] for each in exchange.taken]) == ("tw", ["twilio"])


async def test_nobody_else_is_asked_where_one_may_have_sent(desk: Desk, exchange: Exchange) -> None:
    """The first takes the message and hangs up: it alone is asked again, under the same id, by which it knows it."""
    await africastalking(desk, exchange)
    await twilio(desk, exchange)
    exchange.silent = 1
    said = await desk.send("plain", number(), channel="sms", data={"text": "Once"})
    row = await desk.ended(said["messages"][0]["id"], "sent")
    assert row["provider"] == "at"
    assert [each["by"] for each in exchange.taken] == ["africastalking", "africastalking"]
    assert len({each["key"] for each in exchange.taken}) == 1


async def test_whoever_lost_the_delivery_asks_nobody(desk: Desk, exchange: Exchange) -> None:
    """The number of the attempt says who has it."""
    await africastalking(desk, exchange)
    exchange.faults["/version1"] = [503] * 4
    said = await desk.send("plain", number(), channel="sms", data={"text": "x"})
    row = await desk.ended(said["messages"][0]["id"], "failed")
    boss = await desk.stage.superuser()
    (found,) = await boss.fetch("SELECT endpoint_id, attempts FROM deliveries WHERE id = $1", row["delivery_id"])
    way, attempts = found
    await boss.close()
    tenant = desk.tenant.id
    event = Event(tenant, ids.uuid7(), "e", "message.queued", 1, clock.now(), "{}", "message", row["id"])
    async with opened(desk.stage.settings, desk.stage.dsns, work=False, name="test") as process:
        await process.routes.have([tenant])
        route = process.routes.get(way)
        assert route is not None
        for later, taken in ((-1, 0), (0, 1)):
            lease = Lease(tenant, UUID(row["delivery_id"]), way, "message", attempts + later, event)
            outcome = await process.routes.sinks["message"].send(lease, route)
            assert (outcome.ok, len(exchange.taken)) == (bool(taken), taken)


@pytest.mark.parametrize(
    ("last", "code"), [("0403", "unknown_address"), ("0406", "stopped")], ids=["no such number", "said stop"]
)
async def test_a_number_that_takes_none_is_left_alone(desk: Desk, exchange: Exchange, last: str, code: str) -> None:
    await africastalking(desk, exchange)
    await twilio(desk, exchange)
    to = number()[:-4] + last
    said = await desk.send("plain", to, channel="sms", data={"text": "x"})
    row = await desk.ended(said["messages"][0]["id"], "failed")
    assert (row["reason"], exchange.taken) == (code, [])
    (found,) = await desk.listed("suppressions", 1)
    assert (found["channel"], found["address"], found["message_id"]) == ("sms", to, row["id"])
    again = await desk.send("plain", to, channel="sms", data={"text": "y"})
    assert again["messages"][0]["status"] == "suppressed"
    letters = (await desk.client.get("/api/v1/dead-letters")).json()["data"]
    assert [(each["source"], each["cause"]) for each in letters] == [("message", code)]


async def test_whatsapp_and_push(desk: Desk, exchange: Exchange) -> None:
    await twilio(desk, exchange, channel="whatsapp", name="wa")
    await desk.make(
        "notification-providers", name="push", channel="push", kind="fcm", url=exchange.url,
        options={"account": "demo"}, secret=exchange.service_account(),
    )  # fmt: skip
    to = number()
    first = await desk.send("plain", to, channel="whatsapp", data={"text": "W"})
    second = await desk.send("plain", "device-1", "gone", channel="push", data={"subject": "S", "text": "P"})
    await desk.ended(first["messages"][0]["id"], "sent")
    rows = [await desk.ended(each["id"], "sent", "failed") for each in second["messages"]]
    assert {row["to"]: row["reason"] for row in rows} == {"device-1": None, "gone": "unknown_address"}
    assert [(each["to"], each["sender"]) for each in exchange.taken if each["by"] == "twilio"] == [
        (f"whatsapp:{to}", f"whatsapp:{SENDER}")
    ]
    assert [(each["title"], each["text"]) for each in exchange.to("device-1")] == [("S", "P")]


async def test_a_webhook_of_a_chat_room(desk: Desk, receiver: Receiver) -> None:
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    await desk.make("notification-providers", name="chat", channel="webhook", kind="webhook", options={}, secret=secret)
    said = await desk.send("plain", receiver.url, channel="webhook", data={"subject": "S", "text": "T"})
    row = await desk.ended(said["messages"][0]["id"], "sent")
    (taken,) = receiver.got
    Webhook(secret).verify(taken.body, dict(taken.headers))
    assert json.loads(taken.body) == {"id": row["id"], "title": "S", "text": "T"}
    closed = await desk.send("plain", "https://169.254.169.254/x", channel="webhook", data={"text": "T"})
    assert (await desk.ended(closed["messages"][0]["id"], "failed"))["reason"] == "connect"
    weak = {"name": "weak", "channel": "webhook", "kind": "webhook", "options": {}, "secret": "short"}
    assert (await desk.client.post("/api/v1/notification-providers", json=weak)).status_code == 422


async def test_a_text_that_is_far_too_long_is_not_sent(desk: Desk, exchange: Exchange) -> None:
    await africastalking(desk, exchange)
    said = await desk.send("plain", number(), channel="sms", data={"text": "ا" * 700})
    assert (await desk.ended(said["messages"][0]["id"], "failed"))["reason"] == "too_long"
    assert exchange.taken == []


async def test_without_a_provider_a_request_fails_and_can_be_tried_again(desk: Desk, exchange: Exchange) -> None:
    said = await desk.send("plain", number(), channel="sms", data={"text": "x"})
    id = said["messages"][0]["id"]
    assert (await desk.ended(id, "failed"))["reason"] == "no_provider"
    await africastalking(desk, exchange)
    assert (await desk.client.post(f"/api/v1/messages/{id}/retry")).status_code == 200
    assert (await desk.ended(id, "sent"))["provider"] == "at"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"channel": "push"}, "channel"),
        ({"options": {}}, "required"),
        ({"url": "http://169.254.169.254/x"}, "egress_forbidden"),
        ({"kind": "smtp", "channel": "email", "url": "https://x.example"}, "server"),
        ({"kind": "smtp", "channel": "email", "url": "smtp://a:b@x.example"}, "server"),
        ({"kind": "smtp", "channel": "email", "url": "smtp://x.example", "options": {"sender": "x"}}, "email"),
        ({"kind": "pigeon"}, "choice"),
    ],
)
async def test_a_bad_provider_is_refused(client: httpx2.AsyncClient, body: dict[str, Any], code: str) -> None:
    good = {"name": "n", "channel": "sms", "kind": "africastalking", "options": {"account": "a", "sender": "b"}}
    refused = await client.post("/api/v1/notification-providers", json=good | body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["code"] == code


async def test_bounces_and_faults_of_a_mail_server_are_told_apart(desk: Desk, box: Mailbox) -> None:
    gone, full, later, spam = (address() for _ in range(4))
    box.answers |= {
        gone: ["550 5.1.1 no such user"],
        full: ["452 4.2.2 mailbox full"],
        later: ["451 4.7.1 greylisted", "421 4.3.2 going down"],
        spam: ["550 5.7.1 not from you"],
    }
    said = await desk.send("plain", gone, full, later, spam, data={"text": "x"})
    ids = {each["to"]: each["id"] for each in said["messages"]}
    row = await desk.ended(ids[gone], "failed")
    assert (row["reason"], "5.1.1" in row["detail"]) == ("hard_bounce", True)
    assert (await desk.ended(ids[spam], "failed"))["reason"] == "refused"
    for each in (full, later):
        assert (await desk.ended(ids[each], "sent"))["reason"] is None
        assert len(box.to(each)) == 1
    attempts = (await desk.client.get(f"/api/v1/deliveries/{row['delivery_id']}/attempts")).json()["data"]
    assert [each["error"]["code"] for each in attempts] == ["hard_bounce"]
    listed = await desk.listed("suppressions", 1)
    assert [(each["address"], each["reason"], "5.1.1" in each["detail"]) for each in listed] == [
        (gone, "hard_bounce", True)
    ]


async def test_a_mail_server_of_ones_own_before_the_houses(desk: Desk, box: Mailbox) -> None:
    with mailbox() as own:
        own.refusals = ["451 4.3.0 try again later"]
        made = await desk.make(
            "notification-providers", name="own", channel="email", kind="smtp",
            url=f"smtp://127.0.0.1:{own.port}?security=none", options={"sender": "hello@acme.example"},
        )  # fmt: skip
        first, second = address(), address()
        await desk.send("plain", first, data={"text": "x"})
        await box.wait(first)  # the second in line took it
        await desk.send("plain", second, data={"text": "y"})
        (mail,) = await own.wait(second)
        assert mail["From"].addresses[0].addr_spec == "hello@acme.example"
        assert "y" in texts(mail)[0]
        await desk.client.patch(f"/api/v1/notification-providers/{made['id']}", json={"status": "disabled"})
        third = address()
        await desk.send("plain", third, data={"text": "z"})
        await box.wait(third)
