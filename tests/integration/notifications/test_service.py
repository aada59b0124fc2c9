"""The contract of the service over HTTP, receipts of providers, and what a person sees of his own."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2
import pytest
from twilio.request_validator import RequestValidator

from tests.integration.access.oauth.rig import for_people
from tests.integration.access.people import Browser, firm, join
from tests.integration.notifications.conftest import Desk, address, number
from tests.integration.notifications.test_providers import twilio
from tests.parts.carriers import TOKEN, exchanging
from tests.parts.peer import peer
from tests.parts.post import Mailbox
from tests.stage import Stage, calling

PATH = "/api/v1/notifications/messages"


def asked(to: str, /, **more: Any) -> dict[str, Any]:
    return {"channel": "email", "template": "plain", "to": [to], "data": {"text": "x"}} | more


async def test_a_request_and_its_repeats(desk: Desk, box: Mailbox) -> None:
    to = address()
    first = await desk.client.post(PATH, json=asked(to), headers={"idempotency-key": to})
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    again = await desk.client.post(PATH, json=asked(to), headers={"idempotency-key": to})
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    named = asked(to, metadata={"request_id": first.json()["request_id"]})
    twice = await desk.client.post(PATH, json=named)
    assert (twice.status_code, twice.json()["status"]) == (202, "duplicate")
    await box.wait(to)
    # the same one, delivered once more: what was sent is not sent again
    row = await desk.ended(first.json()["messages"][0]["id"], "sent")
    assert (await desk.client.post(f"/api/v1/deliveries/{row['delivery_id']}/retry")).status_code == 200
    await desk.reached("deliveries", row["delivery_id"], "delivered")
    assert len(box.to(to)) == 1


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"template": "no-such"}, 400, "/template"),
        ({"to": ["nobody"]}, 422, "/to/0"),
        ({"to": []}, 422, "/to"),
        ({"cc": ["nobody"]}, 422, "/cc/0"),
        ({"channel": "sms"}, 422, "/to/0"),
        ({"channel": "in_app"}, 422, "/to/0"),
        ({"channel": "pigeon"}, 422, "/channel"),
        ({"data": {}}, 422, "/data/text"),
        ({"data": {"text": "x", "other": 1}}, 422, "/data/other"),
        ({"data": {"subject": "x" * 70_000, "text": "x"}}, 422, "/data"),
        ({"attachments": [{"name": "a", "url": "https://x.example"}]}, 422, "/attachments/0"),
        ({"metadata": {"reference": ["x"]}}, 422, "/metadata/reference"),
        ({"unknown": 1}, 422, "/unknown"),
    ],
)
async def test_a_bad_request_is_refused(
    client: httpx2.AsyncClient, body: dict[str, Any], status: int, pointer: str
) -> None:
    refused = await client.post(PATH, json=asked(address(), **body))
    assert refused.status_code == status, refused.text
    assert pointer in [each["pointer"] for each in refused.json()["errors"]]
    assert (await client.get("/api/v1/messages")).json()["data"] == []


async def test_a_thousand_recipients_each_once(desk: Desk) -> None:
    people = [f"c{n}.{secrets.token_hex(3)}@example.com" for n in range(999)]
    sent = await desk.client.post(PATH, json=asked(people[0], to=[*people, people[0].upper()]))
    assert sent.status_code == 202, sent.text
    assert len({each["to"] for each in sent.json()["messages"]}) == len(sent.json()["messages"]) == 999


async def test_another_service_tells_the_people_where_the_tenant_has_one(desk: Desk, box: Mailbox) -> None:
    owner = await desk.user("owner")
    async with peer() as remote:
        body = {"mode": "remote", "base_url": remote.url, "auth": {"type": "bearer", "secret": "s"}}
        assert (await desk.client.put("/api/v1/service-providers/notifications", json=body)).status_code in (200, 201)
        event = {"event_id": "1", "event_type": "erp.campaign.sent", "data": {"campaign_id": "c"}}
        await desk.client.post("/api/v1/events", json=event)
        # what is about an account is told from here all the same
        await desk.client.post(f"/api/v1/users/{owner['id']}/invite")
        await box.wait(owner["email"])
        assert [row["template"] for row in await desk.messages()] == ["user.invited"]


async def test_a_receipt_says_whether_it_arrived(desk: Desk) -> None:
    source = await desk.make("inbound-sources", name="Receipts", dialect="twilio", secret=TOKEN)
    with exchanging() as exchange:
        await twilio(desk, exchange)
        sent = [await desk.send("plain", number(), channel="sms", data={"text": "x"}) for _ in range(3)]
        rows = [await desk.ended(each["messages"][0]["id"], "sent") for each in sent]
    said = [("delivered", ""), ("undelivered", "30005"), ("sent", "")]
    async with calling() as program:
        for row, (status, code) in zip(rows, said, strict=True):
            form = {"MessageSid": row["provider_message_id"], "MessageStatus": status, "ErrorCode": code}
            headers = {
                "x-twilio-signature": RequestValidator(TOKEN).compute_signature(source["url"], form),
                "i-twilio-idempotency-token": secrets.token_hex(8),
            }
            assert (await program.post(source["url"], data=form, headers=headers)).status_code < 300
            forged = headers | {"x-twilio-signature": "x", "i-twilio-idempotency-token": secrets.token_hex(8)}
            assert (await program.post(source["url"], data=form, headers=forged)).status_code == 401
    assert (await desk.ended(rows[0]["id"], "delivered"))["reason"] is None
    assert (await desk.ended(rows[1]["id"], "failed"))["reason"] == "unknown_address"
    (found,) = await desk.listed("suppressions", 1)
    assert found["address"] == rows[1]["to"]
    assert (await desk.client.get(f"/api/v1/messages/{rows[2]['id']}")).json()["status"] == "sent"


async def test_people_see_their_own_notices_and_wishes(stage: Stage) -> None:
    tenant = await firm(stage)
    mine, other = await join(stage, tenant, "technician"), await join(stage, tenant, "technician")
    async with tenant.client() as admin, Browser(stage) as browser:
        people = (await admin.get("/api/v1/users")).json()["data"]
        ids = {each["email"]: each["id"] for each in people}
        for email in (mine, other):
            body = asked(ids[email], channel="in_app", data={"subject": f"For {email}", "text": "Body"})
            assert (await admin.post(PATH, json=body)).status_code == 202
        await admin.post("/api/v1/notification-preferences", json={"user_id": ids[other]})
        notices = {each["user_id"]: each for each in (await admin.get("/api/v1/notices")).json()["data"]}
        scopes = ["notices:read", "notices:write", "notification-preferences:read", "notification-preferences:write"]
        app = await for_people(admin, scopes=scopes)
        await browser.log_in(mine)
        token = (await app.tokens(browser, scope=" ".join(scopes)))["access_token"]
        async with calling(stage.url, headers={"authorization": f"Bearer {token}"}) as person:
            (own,) = (await person.get("/api/v1/notices")).json()["data"]
            assert (own["title"], own["status"]) == (f"For {mine}", "unread")
            read = await person.post(f"/api/v1/notices/{own['id']}/read")
            assert (read.status_code, read.json()["status"]) == (200, "read")
            theirs = f"/api/v1/notices/{notices[ids[other]]['id']}"
            assert (await person.get(theirs)).status_code == 404
            assert (await person.post(f"{theirs}/read")).status_code == 404
            assert (await person.get("/api/v1/notices", params={"user_id": ids[other]})).json()["data"] == []
            assert (await person.get("/api/v1/notification-preferences")).json()["data"] == []
            made = await person.post("/api/v1/notification-preferences", json={"user_id": ids[other]})
            assert (made.status_code, made.json()["user_id"]) == (201, ids[mine])
            bulk = await person.post(
                "/api/v1/notification-preferences/bulk",
                json={"items": [{"user_id": ids[other]}, {"address": "a@b.ex"}]},
            )
            assert [each["status"] for each in bulk.json()["results"]] == [409, 422]


async def test_erasing_a_person_takes_what_was_said_to_him(desk: Desk, box: Mailbox) -> None:
    user = await desk.user()
    said = await desk.send("plain", user["id"], data={"text": "A private matter"})
    await desk.send("plain", user["id"], channel="in_app", data={"text": "A private matter"})
    await desk.ended(said["messages"][0]["id"], "sent")
    body = {"kind": "erasure", "subject_type": "user", "subject_id": user["id"]}
    asked = await desk.make("privacy-requests", **body)
    await desk.reached("privacy-requests", asked["id"], "done")
    rows = (await desk.client.get("/api/v1/messages")).json()["data"]
    assert [row["to"] for row in rows] == ["", ""]
    for path in ("messages", "notices", f"messages/{rows[0]['id']}/content", f"messages/{rows[1]['id']}/content"):
        found = (await desk.client.get(f"/api/v1/{path}")).text
        assert "private" not in found
        assert user["email"] not in found
