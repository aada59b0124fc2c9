"""What people want: categories and channels, quiet hours where they are, digests, and messages given up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx2
import pytest

from crosstie.app import opened
from crosstie.log.timed import Timed
from tests.integration.notifications.conftest import Desk, address
from tests.parts.post import Mailbox, texts
from tests.stage import calling


def clock(minutes: int, zone: str) -> str:
    """The hour so many minutes from now, there."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone)).strftime("%H:%M")


async def later(desk: Desk, *ids: str) -> None:
    """Let these messages' time have come, and take the moves that are due."""
    connection = await desk.stage.superuser()
    try:
        await connection.execute("UPDATE messages SET due_at = now() WHERE id = ANY ($1::uuid[])", list(ids))
    finally:
        await connection.close()
    async with opened(desk.stage.settings, desk.stage.dsns, work=False, name="test") as process:
        await Timed(process.log).sweep(desk.tenant.id)


async def test_quiet_hours_where_the_reader_is(desk: Desk, box: Mailbox) -> None:
    zone, to = "Asia/Dubai", address()
    await desk.make(
        "notification-preferences", address=to, time_zone=zone, quiet_from=clock(-60, zone), quiet_until=clock(60, zone)
    )
    said = await desk.send("plain", to, data={"text": "Later"})
    (made,) = said["messages"]
    assert made["status"] == "held"
    row = (await desk.client.get(f"/api/v1/messages/{made['id']}")).json()
    due = datetime.fromisoformat(row["due_at"])
    assert (row["reason"], due.astimezone(ZoneInfo(zone)).strftime("%H:%M")) == ("quiet_hours", clock(60, zone))
    assert box.to(to) == []
    await later(desk, made["id"])
    await box.wait(to)
    assert (await desk.ended(made["id"], "sent"))["reason"] is None


async def test_a_held_message_can_be_cancelled(desk: Desk, box: Mailbox) -> None:
    to = address()
    await desk.make("notification-preferences", address=to, quiet_from=clock(-60, "UTC"), quiet_until=clock(60, "UTC"),
                    time_zone="UTC")  # fmt: skip
    (made,) = (await desk.send("plain", to, data={"text": "No"}))["messages"]
    assert (await desk.client.post(f"/api/v1/messages/{made['id']}/cancel")).json()["status"] == "cancelled"
    await later(desk, made["id"])
    assert box.to(to) == []


async def test_a_digest_gathers_what_came(desk: Desk, box: Mailbox) -> None:
    to = address()
    choices = [{"category": "general", "channel": "email", "wanted": "digest"}]
    await desk.make(
        "notification-preferences", address=to, digest_at=clock(90, "UTC"), time_zone="UTC", choices=choices
    )
    ids = []
    for number in range(3):
        said = await desk.send("plain", to, data={"subject": f"No. {number}", "text": f"Text <{number}>"})
        assert said["messages"][0]["status"] == "collected"
        ids.append(said["messages"][0]["id"])
    digests = {(await desk.client.get(f"/api/v1/messages/{id}")).json()["digest_id"] for id in ids}
    (digest,) = digests
    await later(desk, digest)
    (mail,) = await box.wait(to)
    assert str(mail["Subject"]).startswith("3 messages from")
    plain, html = texts(mail)
    assert "more" not in plain
    assert all(f"No. {number}" in plain and f"Text <{number}>" in plain for number in range(3))
    assert "Text &lt;1&gt;" in html
    assert {(await desk.ended(id, "sent"))["provider"] for id in (digest, *ids)} == {"house"}


async def test_the_closest_choice_counts(desk: Desk) -> None:
    to = address()
    choices = [
        {"category": "*", "channel": "*", "wanted": "never"},
        {"category": "general", "channel": "*", "wanted": "digest"},
        {"category": "general", "channel": "email", "wanted": "at_once"},
    ]
    made = await desk.make("notification-preferences", address=to.upper(), choices=choices)
    assert made["address"] == to
    assert (await desk.send("plain", to, data={"text": "x"}))["messages"][0]["status"] == "queued"
    given = (await desk.send("erp.order.created", to, data={"order_id": "1"}))["messages"][0]
    assert given["status"] == "suppressed"
    row = (await desk.client.get(f"/api/v1/messages/{given['id']}")).json()
    assert row["reason"] == "unsubscribed"


async def unsubscribing(desk: Desk, box: Mailbox, to: str) -> tuple[str, str]:
    """The path of the link in a mail, which the header and the text agree on; and what stands in the HTML."""
    await desk.send("plain", to, data={"text": "Offer"})
    mail = (await box.wait(to))[-1]
    raw = box.raws[box.mails.index(mail)].split(b"\r\n\r\n")[0].decode("ascii")
    # each on a line of its own, in the clear: mail programs decode nothing there (RFC 2369 §2, RFC 8058 §3.1)
    assert re.search(r"^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$", raw, re.MULTILINE)
    header = re.search(r"^List-Unsubscribe: <(https?://[^<>,\s]+)>\r$", raw, re.MULTILINE)
    assert header is not None, raw
    assert max(len(line) for line in raw.splitlines()) < 998
    plain, html = texts(mail)
    assert header[1] in plain
    assert header[1] in html
    return urlsplit(header[1]).path, header[1]


CLICKS: list[dict[str, Any]] = [
    {"data": {"List-Unsubscribe": "One-Click"}},
    {"files": {"List-Unsubscribe": (None, "One-Click")}},
]


@pytest.mark.parametrize("click", CLICKS, ids=["urlencoded", "multipart"])
async def test_one_click_of_the_mail_program(desk: Desk, box: Mailbox, click: dict[str, Any]) -> None:
    to = address()
    path, _ = await unsubscribing(desk, box, to)
    async with calling(desk.stage.url) as program:
        assert (await program.get(path)).status_code == 200  # a look changes nothing: scanners follow links
        assert (await desk.send("plain", to, data={"text": "x"}))["messages"][0]["status"] == "queued"
        done = await program.post(path, **click)
        assert (done.status_code, done.content, done.is_redirect) == (200, b"", False)
    assert (await desk.send("plain", to, data={"text": "x"}))["messages"][0]["status"] == "suppressed"
    # of other matters they still hear
    assert (await desk.send("erp.order.created", to, data={"order_id": "1"}))["messages"][0]["status"] == "queued"
    page = (await desk.client.get("/api/v1/notification-preferences", params={"address": to})).json()["data"]
    assert page[0]["choices"] == [{"category": "general", "channel": "email", "wanted": "never"}]


@pytest.mark.parametrize(("lang", "stop", "again"), [("en", "Unsubscribe", "Get them"), ("ar", "إلغاء", "استئناف")])
async def test_the_page_gives_up_and_takes_up_again(desk: Desk, box: Mailbox, lang: str, stop: str, again: str) -> None:
    user = await desk.user()
    path, _ = await unsubscribing(desk, box, user["email"])
    async with calling(desk.stage.url) as browser:
        page = await browser.get(path, params={"lang": lang})
        assert stop in page.text
        assert user["email"] not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        sent = await browser.post(path, params={"lang": lang}, data={"action": "unsubscribe"})
        assert sent.status_code == 303
        assert again in (await browser.get(sent.headers["location"])).text
        said = await desk.send("plain", user["email"], data={"text": "x"})
        assert said["messages"][0]["status"] == "suppressed"
        assert (await browser.get(f"/api/v1/unsubscribes/{path.split('/')[-1]}")).json()["wanted"] == "never"
        await browser.post(path, data={"action": "resubscribe"})
        assert (await desk.send("plain", user["email"], data={"text": "y"}))["messages"][0]["status"] == "queued"
        assert (await browser.get(path[:-2])).status_code == 403
        assert (await browser.post(path[:-2], data={"List-Unsubscribe": "One-Click"})).status_code == 403


async def test_a_users_wishes_hold_for_his_address_whoever_writes_to_it(desk: Desk) -> None:
    user = await desk.user()
    choices = [{"category": "general", "wanted": "never"}]
    await desk.make("notification-preferences", user_id=user["id"], choices=choices)
    for to in (user["id"], user["email"]):
        assert (await desk.send("plain", to, data={"text": "x"}))["messages"][0]["status"] == "suppressed"
    other = await desk.user()
    await desk.make("notification-preferences", user_id=other["id"])
    await desk.make("notification-preferences", address=other["email"], choices=choices)
    assert (await desk.send("plain", other["id"], data={"text": "x"}))["messages"][0]["status"] == "suppressed"


async def test_messages_about_security_cannot_be_given_up(desk: Desk, box: Mailbox) -> None:
    user = await desk.user()
    refused = await desk.client.post(
        "/api/v1/notification-preferences",
        json={"user_id": user["id"], "choices": [{"category": "security", "channel": "email", "wanted": "never"}]},
    )
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "mandatory")
    zone = "UTC"
    await desk.make(
        "notification-preferences", user_id=user["id"], time_zone=zone, quiet_from=clock(-60, zone),
        quiet_until=clock(60, zone), choices=[{"category": "*", "channel": "*", "wanted": "never"}],
    )  # fmt: skip
    await desk.client.post(f"/api/v1/users/{user['id']}/invite")
    (mail,) = await box.wait(user["email"])
    assert mail["List-Unsubscribe"] is None
    assert "/unsubscribe/" not in texts(mail)[0]


async def test_a_wish_that_comes_while_a_message_waits_is_heeded(desk: Desk, box: Mailbox) -> None:
    to, zone = address(), "UTC"
    wish = await desk.make("notification-preferences", address=to, time_zone=zone, quiet_from=clock(-60, zone),
                           quiet_until=clock(60, zone))  # fmt: skip
    (made,) = (await desk.send("plain", to, data={"text": "x"}))["messages"]
    choices = [{"category": "*", "channel": "email", "wanted": "never"}]
    changed = await desk.client.patch(f"/api/v1/notification-preferences/{wish['id']}", json={"choices": choices})
    assert changed.status_code == 200
    await later(desk, made["id"])
    assert (await desk.ended(made["id"], "suppressed"))["reason"] == "unsubscribed"
    assert box.to(to) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/user_id"),
        ({"address": "a@example.com", "quiet_from": "22:00"}, "/quiet_until"),
        ({"address": "a@example.com", "quiet_from": "25:00", "quiet_until": "06:00"}, "/quiet_from"),
        ({"address": "a@example.com", "time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"address": "a@example.com", "choices": [{"wanted": "maybe"}]}, "/choices/0/wanted"),
    ],
)
async def test_a_bad_preference_is_refused(client: httpx2.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    refused = await client.post("/api/v1/notification-preferences", json=body)
    assert refused.status_code == 422, refused.text
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]
