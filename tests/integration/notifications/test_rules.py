"""Events become messages: the seven of the guide, alerts, leave, and those that a tenant's own rules name."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2
import pytest

from tests.fence import fence
from tests.integration.notifications.conftest import Desk, address
from tests.parts.post import Mailbox, texts
from tests.stage import Stage


async def publish(client: httpx2.AsyncClient, type: str, **data: Any) -> str:
    """An event of the ERP."""
    id = secrets.token_hex(8)
    sent = await client.post("/api/v1/events", json={"event_id": id, "event_type": type, "data": data})
    assert sent.status_code == 202, sent.text
    return id


GUIDE: dict[str, dict[str, Any]] = {
    "erp.payroll.processed": {
        "payroll_id": "p-1", "period": "2026-11", "total_amount": 50000.0, "currency": "KES", "employee_count": 1,
    },
    "erp.leave.requested": {"leave_id": "l-1", "from": "2026-12-20", "to": "2026-12-24", "days": 3},
    "erp.leave.approved": {"leave_id": "l-1", "from": "2026-12-20", "to": "2026-12-24"},
    "erp.leave.rejected": {"leave_id": "l-1", "reason": "The team is too small that week."},
    "erp.order.created": {"order_id": "SO-9", "total_amount": 900.0, "currency": "KES"},
    "erp.campaign.sent": {"campaign_id": "c-1", "channel": "email", "recipient_count": 1200},
    "erp.lead.qualified": {"lead_id": "L-7", "contact": {"name": "Otieno"}, "value": 75000.0},
    "erp.purchase_order.created": {"purchase_order_id": "PO-3", "total_amount": 5000.0, "currency": "KES"},
    "erp.work_order.completed": {"work_order_id": "WO-4", "planned_quantity": 50, "actual_quantity": 48},
}  # fmt: skip


async def test_every_event_of_the_guide_reaches_somebody(desk: Desk, box: Mailbox, stage: Stage) -> None:
    owner = await desk.user("owner")
    other = await stage.tenant()
    async with other.client() as elsewhere:
        stranger = await elsewhere.post("/api/v1/users", json={"email": address(), "role": "owner"})
        for type, data in GUIDE.items():
            await publish(desk.client, type, **data)
        mails = await box.wait(owner["email"], len(GUIDE))
        subjects = {str(mail["Subject"]) for mail in mails}
        assert {"Payroll for 2026-11 is processed", "Your order SO-9", "Purchase order PO-3"} <= subjects
        assert "A lead is qualified: Otieno" in subjects
        assert "The team is too small" in "".join(texts(mail)[0] for mail in mails)
        notices = (await desk.client.get("/api/v1/notices")).json()["data"]
        assert len(notices) == len(GUIDE)
        assert {notice["user_id"] for notice in notices} == {owner["id"]}
        assert box.to(stranger.json()["email"]) == []
        assert (await elsewhere.get("/api/v1/notices")).json()["data"] == []


async def test_those_whom_an_event_names_are_told_and_nobody_else(desk: Desk, box: Mailbox) -> None:
    owner, approver = await desk.user("owner"), await desk.user("staff")
    buyer = await desk.make("clients", name="Wanjiku", email=address())
    guest, employees = address(), [address(), address()]
    await publish(desk.client, "erp.leave.requested", leave_id="l", approver_id=approver["id"])
    await publish(desk.client, "erp.order.created", order_id="SO-1", customer_id=buyer["id"])
    await publish(desk.client, "erp.order.created", order_id="SO-2", customer={"email": guest})
    await publish(
        desk.client, "erp.payroll.processed", payroll_id="p", period="2026-11", total_amount=1, employee_count=2,
        currency="KES", employees=[{"email": each} for each in employees],
    )  # fmt: skip
    for each in (approver["email"], buyer["email"], guest, *employees):
        await box.wait(each)
    assert box.to(owner["email"]) == []
    to_buyer = [row for row in await desk.messages() if row["to"] == buyer["email"]]
    assert [row["client_id"] for row in to_buyer] == [buyer["id"]]


async def test_an_event_that_comes_twice_is_told_once(desk: Desk, box: Mailbox) -> None:
    to = address()
    body = {"event_id": "twice", "event_type": "erp.order.created", "data": {"order_id": "SO-3", "customer_email": to}}
    for _ in range(2):
        assert (await desk.client.post("/api/v1/events", json=body)).status_code == 202
    await box.wait(to)
    await fence(desk.client)
    event = (await desk.client.get("/api/v1/events", params={"event_type": "erp.order.created"})).json()["data"][0]
    # the delivery to the rules itself, done once more
    deliveries = (await desk.client.get("/api/v1/deliveries", params={"event_id": event["event_id"]})).json()["data"]
    (ours,) = [each for each in deliveries if each["sink"] == "notification_rule"]
    again = await desk.client.post(f"/api/v1/deliveries/{ours['id']}/retry")
    assert again.status_code == 200, again.text
    await desk.reached("deliveries", ours["id"], "delivered")
    assert len(await desk.messages(event_id="twice")) == 1
    assert len(box.to(to)) == 1


async def test_a_rule_and_a_template_of_ones_own(desk: Desk, box: Mailbox) -> None:
    to = address()
    client = desk.client
    template = await desk.make(
        "message-templates", name="client-welcome", locale="en", category="welcome", subject="Welcome, {{ name }}",
        text="Hello {{ name }}.", html="<p class=x>Hello <b>{{ name }}</b></p>",
        placeholders=[{"name": "name", "type": "text", "required": True}],
    )  # fmt: skip
    rule = await desk.make(
        "notification-rules", event_type="client.created", template="client-welcome", channels=["email"],
        audience=["email:email"],
    )  # fmt: skip
    await desk.make("clients", name="<i>Nomsa</i>", email=to)
    (mail,) = await box.wait(to)
    assert str(mail["Subject"]) == "Welcome, <i>Nomsa</i>"
    assert "<p class=x>Hello <b>&lt;i&gt;Nomsa&lt;/i&gt;</b></p>" in texts(mail)[1]
    changed = await client.patch(f"/api/v1/message-templates/{template['id']}", json={"subject": "Hi {{ name }}"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    versions = (await client.get(f"/api/v1/message-templates/{template['id']}/versions")).json()["data"]
    assert [each["subject"] for each in versions] == ["Welcome, {{ name }}", "Hi {{ name }}"]
    (row,) = await desk.messages(category="welcome")
    said = (await client.get(f"/api/v1/messages/{row['id']}/content")).json()
    assert said["subject"] == "Welcome, <i>Nomsa</i>"  # the version that it was made with
    assert (await client.post(f"/api/v1/notification-rules/{rule['id']}/disable")).status_code == 200
    muted = address()
    await desk.make("clients", name="Pieter", email=muted)
    later = address()
    await publish(client, "erp.order.created", order_id="1", customer_email=later)
    await box.wait(later)
    assert box.to(muted) == []


async def test_what_the_tenant_muted_and_the_channels_it_wants(desk: Desk, box: Mailbox) -> None:
    owner = await desk.user("owner")
    settings = {"notifications": {"muted": ["erp.campaign.sent"], "channels": ["email"]}}
    changed = await desk.client.patch(f"/api/v1/settings/{desk.tenant.id}", json=settings)
    assert changed.status_code == 200, changed.text
    await publish(desk.client, "erp.campaign.sent", campaign_id="c")
    await publish(desk.client, "erp.work_order.completed", work_order_id="w")
    await box.wait(owner["email"])
    assert [row["template"] for row in await desk.messages()] == ["erp.work_order.completed"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"event_type": "no.such.event"}, "/event_type"),
        ({"event_type": "message.sent"}, "/event_type"),
        ({"template": "no-such-template"}, "/template"),
        ({"audience": ["everybody"]}, "/audience/0"),
        ({"audience": []}, "/audience"),
        ({"channels": ["pigeon"]}, "/channels/0"),
    ],
)
async def test_a_bad_rule_is_refused(client: httpx2.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    good = {"event_type": "client.created", "template": "plain", "audience": ["role:owner"]}
    refused = await client.post("/api/v1/notification-rules", json=good | body)
    assert refused.status_code == 422, refused.text
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"subject": "{{ other }}"}, "/subject"),
        ({"text": "{{ ''.__class__ }}"}, "/text"),
        ({"html": "{% include 'x' %}"}, "/html"),
        ({"short": "{{ name"}, "/short"),
        ({"placeholders": [{"name": "Name"}]}, "/placeholders/0/name"),
        ({"locale": "fr"}, "/locale"),
    ],
)
async def test_a_bad_template_is_refused(client: httpx2.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    good = {"name": "t", "locale": "en", "subject": "{{ name }}", "text": "x", "placeholders": [{"name": "name"}]}
    refused = await client.post("/api/v1/message-templates", json=good | body)
    assert refused.status_code == 422, refused.text
    assert pointer in [each["pointer"] for each in refused.json()["errors"]]


async def test_words_around_links_that_open_accounts_are_for_admins(stage: Stage) -> None:
    tenant = await stage.tenant()
    body = {"name": "user.reset_requested", "locale": "en", "subject": "x", "text": "https://evil.example/?{{ link }}"}
    async with tenant.client() as admin:
        scopes = ["message-templates:write", "notification-providers:read"]
        key = (await admin.post("/api/v1/api-keys", json={"name": "developer", "scopes": scopes})).json()["key"]
        headers = {"authorization": f"Bearer {key}"}
        refused = await admin.post("/api/v1/message-templates", json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
        own = await admin.post("/api/v1/message-templates", json=body | {"name": "own"}, headers=headers)
        assert own.status_code == 422  # link is no placeholder of it
        assert (await admin.post("/api/v1/message-templates", json=body)).status_code == 201


async def test_a_built_in_message_keeps_its_values_under_a_tenants_words(desk: Desk, box: Mailbox) -> None:
    made = await desk.make(
        "message-templates", name="erp.order.created", locale="en", category="mine", subject="Order {{ order_id }}!",
        text="T {{ total_amount }}", placeholders=[],
    )  # fmt: skip
    assert made["category"] == "orders"
    assert "order_id" in [each["name"] for each in made["placeholders"]]
    to = address()
    await publish(desk.client, "erp.order.created", order_id="SO-5", customer_email=to, total_amount=12)
    (mail,) = await box.wait(to)
    assert str(mail["Subject"]) == "Order SO-5!"
    preview = await desk.client.post(
        f"/api/v1/message-templates/{made['id']}/preview", json={"data": {"order_id": "1"}}
    )
    assert preview.json()["subject"] == "Order 1!"
    wrong = await desk.client.post(f"/api/v1/message-templates/{made['id']}/preview", json={"data": {"x": "1"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/data/x")
