"""An alert reaches people: from a receiver that really fails to the mail server and the page, and back."""

from __future__ import annotations

from aiohttp import web

from tests.integration.notifications.conftest import Desk
from tests.integration.watch.test_alerts import endpoint, until
from tests.parts.post import Mailbox, texts
from tests.receiver import Receiver


async def test_people_are_told_that_an_alert_fires_and_that_it_is_over(
    desk: Desk, box: Mailbox, receiver: Receiver
) -> None:
    receiver.answer = lambda received: web.Response(status=500)
    owner, told, quiet = [await desk.user(role) for role in ("owner", "admin", "admin")]
    given_up = [{"category": "alerts", "channel": "email", "wanted": "never"}]
    await desk.make("notification-preferences", user_id=quiet["id"], choices=given_up)
    made = await endpoint(desk.client, receiver)
    await desk.make("clients", name="Thandi")

    async def subjects(start: str) -> list[str]:
        return [str(mail["Subject"]) for mail in box.to(told["email"]) if str(mail["Subject"]).startswith(start)]

    host = receiver.url.removeprefix("http://").rstrip("/")
    assert await until(lambda: subjects("Alert"), "somebody is told") == [f"Alert (critical): {host}"]
    assert "An integration is down" in texts(box.to(told["email"])[0])[0]
    receiver.answer = lambda received: web.Response(status=204)
    assert await until(lambda: subjects("Resolved"), "somebody is told that it is over") == [f"Resolved: {host}"]
    assert (await desk.client.get(f"/api/v1/integrations/{made['id']}")).json()["status"] != "down"
    notices = await desk.listed("notices", 4)
    assert {(each["user_id"], each["title"].partition(" ")[0].rstrip(":")) for each in notices} == {
        (each["id"], word) for each in (told, quiet) for word in ("Alert", "Resolved")
    }
    assert box.to(quiet["email"]) == box.to(owner["email"]) == []


async def test_where_nobody_looks_after_it_the_owner_is_told(desk: Desk, box: Mailbox, receiver: Receiver) -> None:
    receiver.answer = lambda received: web.Response(status=500)
    owner = await desk.user("owner")
    await endpoint(desk.client, receiver)
    await desk.make("clients", name="Thandi")

    async def mails() -> list[str]:
        return [str(mail["Subject"]) for mail in box.to(owner["email"])]

    assert (await until(mails, "the owner is told"))[0].startswith("Alert (critical)")
