"""Messages as e-mail, judged by what a real mail server got and by Python's own parser of mail."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import httpx2

from tests.fence import fence
from tests.integration.notifications.conftest import Desk, address
from tests.parts.post import Mailbox, texts


async def test_a_message_leaves_once_and_is_told_of(desk: Desk, box: Mailbox, client: httpx2.AsyncClient) -> None:
    to = address()
    said = await desk.send("plain", to, data={"subject": "Hello", "text": "It is <b>ready</b>.\n\nCome by."})
    assert said["status"] == "queued"
    (mail,) = await box.wait(to)
    row = await desk.ended(said["messages"][0]["id"], "sent")
    assert (row["provider"], row["to"], row["reason"]) == ("house", to, None)
    assert mail["Message-ID"] == row["provider_message_id"] == f"<{row['id']}@crosstie.example>"
    assert (mail["Auto-Submitted"], mail["Content-Language"]) == ("auto-generated", "en")
    assert parsedate_to_datetime(mail["Date"]).tzinfo is not None
    assert (str(mail["Subject"]), mail["From"].addresses[0].addr_spec) == ("Hello", "no-reply@crosstie.example")
    plain, html = texts(mail)
    assert "It is <b>ready</b>." in plain
    assert "It is &lt;b&gt;ready&lt;/b&gt;." in html
    again = await desk.send("plain", to, data={"text": "x"}, metadata={"request_id": said["request_id"]})
    assert (again["status"], again["messages"][0]["id"]) == ("duplicate", row["id"])
    attempts = (await client.get(f"/api/v1/deliveries/{row['delivery_id']}/attempts")).json()["data"]
    assert [attempt["response"] is None for attempt in attempts] == [True]
    await fence(client)
    told = (await client.get("/api/v1/events", params={"limit": 200})).json()["data"]
    about = [event for event in told if event["event_type"].startswith("message.")]
    assert {event["event_type"] for event in about} == {"message.queued", "message.sent"}
    assert not [event for event in about if to in str(event) or "ready" in str(event)]


async def test_a_mail_in_arabic_runs_from_the_right(desk: Desk, box: Mailbox) -> None:
    to = address()
    await desk.send(
        "erp.order.created", to, locale="ar", data={"order_id": "SO-7", "total_amount": 900, "currency": "KES"}
    )
    (mail,) = await box.wait(to)
    plain, html = texts(mail)
    assert str(mail["Subject"]) == "طلبك SO-7"
    assert "شكرًا لطلبك SO-7" in plain
    assert re.search(r'<html lang="ar" dir="rtl">', html)
    assert "إلغاء الاشتراك" in html


async def test_nothing_that_is_filled_in_becomes_a_header(desk: Desk, box: Mailbox) -> None:
    to = address()
    evil = "Hi\r\nBcc: everyone@example.com\r\n\r\nbody\u2028X: y"
    await desk.send("plain", to, data={"subject": evil, "text": "t"})
    (mail,) = await box.wait(to)
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert str(mail["Subject"]) == "Hi Bcc: everyone@example.com body X: y"
