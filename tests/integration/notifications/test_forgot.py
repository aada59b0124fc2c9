"""A forgotten password: a link by mail, once, for an hour; and nobody learns who has an account."""

from __future__ import annotations

import re
import secrets

import httpx2
import pytest

from crosstie.access import forgot
from crosstie.app import opened
from crosstie.errors import TooManyRequests
from tests.integration.access.people import PASSWORD, Browser, firm, join
from tests.integration.notifications.conftest import Desk, address
from tests.parts.post import Mailbox, texts
from tests.stage import Stage, Tenant

FRESH = "copper lantern drifts 88 north"


async def link(box: Mailbox, to: str, count: int = 1) -> str:
    """The path of the link in the newest mail about a forgotten password, once there are so many."""
    mails = [mail for mail in await box.wait(to, count) if "Set a new password" in str(mail["Subject"])]
    found = re.search(r"https?://[^/\s]+(/reset/\S+)", texts(mails[-1])[0])
    assert found is not None
    return found[1]


async def test_a_link_by_mail_sets_another_password(stage: Stage, box: Mailbox) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician", name="Sipho")
    async with Browser(stage) as browser, Browser(stage) as elsewhere, tenant.client() as client:
        await elsewhere.log_in(email)
        assert (await elsewhere.open("/account")).status_code == 200
        assert "/forgot" in (await browser.open("/login")).text
        sent = await browser.send("/forgot", {"email": f" {email.upper()} ", "tenant": ""})
        assert (sent.status_code, "on its way" in sent.text) == (200, True)
        path = await link(box, email)
        (mail,) = box.to(email)
        assert (str(mail["Subject"]), mail["List-Unsubscribe"]) == (
            f"Set a new password for {tenant.slug.title()}",
            None,
        )
        assert "Hello Sipho" in texts(mail)[0]
        # the link stands nowhere but in the mail
        for where in ("messages", "events", "notices"):
            shown = await client.get(f"/api/v1/{where}", params={"limit": 200})
            assert path.split("/")[-1] not in shown.text
        (row,) = (await client.get("/api/v1/messages", params={"category": "security"})).json()["data"]
        said = (await client.get(f"/api/v1/messages/{row['id']}/content")).json()
        assert "***" in said["text"]
        assert "/reset/" not in said["text"]
        assert (await browser.send(path, {"password": "short"})).status_code == 422
        done = await browser.send(path, {"password": FRESH})
        assert (done.status_code, f"/login?tenant={tenant.slug}" in done.text) == (200, True)
        assert (await browser.open(path)).status_code == 403
        assert (await elsewhere.open("/account")).status_code == 303  # that sign-in is over
        assert (await browser.log_in(email, PASSWORD)).status_code == 401
        assert (await browser.log_in(email, FRESH)).status_code == 303
        await box.wait(email, 2)  # and he is told
        assert "was changed" in str(box.to(email)[-1]["Subject"])
        acts = (await client.get("/api/v1/audit-entries", params={"limit": 200})).json()["data"]
        assert {"users.reset_requested", "users.password_set"} <= {act["action"] for act in acts}


async def test_the_newest_link_alone_works_and_an_invitation_stays(desk: Desk, box: Mailbox, stage: Stage) -> None:
    email = await join(stage, desk.tenant, "technician")
    (user,) = (await desk.client.get("/api/v1/users", params={"email": email})).json()["data"]
    async with Browser(stage) as browser:
        invited = await desk.client.post(f"/api/v1/users/{user['id']}/invite")
        await box.wait(email)
        await browser.send("/forgot", {"email": email, "tenant": desk.tenant.slug})
        first = await link(box, email, 2)
        await browser.send("/forgot", {"email": email, "tenant": desk.tenant.slug})
        second = await link(box, email, 3)
        assert first != second
        assert (await browser.open(first)).status_code == 403
        assert (await browser.open(second)).status_code == 200
        assert (await browser.open(httpx2.URL(invited.json()["url"]).path)).status_code == 200
        # a link for one purpose serves no other
        assert (await browser.open(second.replace("/reset/", "/invitation/"))).status_code == 403


async def old(stage: Stage, email: str) -> None:
    connection = await stage.superuser()
    try:
        await connection.execute("UPDATE users SET reset_at = now() - interval '61 minutes' WHERE email = $1", email)
    finally:
        await connection.close()


async def test_a_link_ends_after_an_hour(stage: Stage, box: Mailbox) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as browser:
        await browser.send("/forgot", {"email": email})
        path = await link(box, email)
        await old(stage, email)
        assert (await browser.open(path)).status_code == 403
        assert (await browser.send(path, {"password": FRESH}, page="/login")).status_code == 403


async def test_the_page_says_the_same_to_everybody(stage: Stage, box: Mailbox) -> None:
    tenant = await firm(stage)
    known, suspended, unknown = await join(stage, tenant, "technician"), await join(stage, tenant, "viewer"), address()
    async with Browser(stage) as browser, tenant.client() as client:
        (row,) = (await client.get("/api/v1/users", params={"email": suspended})).json()["data"]
        await client.post(f"/api/v1/users/{row['id']}/suspend")
        pages = [(await browser.send("/forgot", {"email": each})) for each in (unknown, suspended, known)]
        assert len({(page.status_code, page.text) for page in pages}) == 1
        await box.wait(known)
        assert (box.to(unknown), box.to(suspended)) == ([], [])


async def test_wishes_are_counted(stage: Stage) -> None:
    email = f"{secrets.token_hex(4)}@example.com"
    async with Browser(stage) as browser:
        said = [(await browser.send("/forgot", {"email": email})).status_code for _ in range(6)]
        assert said == [200] * 5 + [429]
        assert (await browser.client.post("/forgot", data={"email": email})).status_code == 403  # a form from elsewhere


async def test_wishes_are_counted_by_where_they_come_from_too(stage: Stage) -> None:
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        for number in range(forgot.FROM[0]):
            await forgot.count(process.log, f"{number}@example.com", "203.0.113.80")
        with pytest.raises(TooManyRequests):
            await forgot.count(process.log, "one.more@example.com", "203.0.113.80")


async def test_the_page_in_arabic(stage: Stage) -> None:
    async with Browser(stage) as browser:
        page = await browser.open("/forgot", lang="ar")
        assert 'dir="rtl"' in page.text
        assert "نسيت كلمة المرور" in page.text


async def test_whose_identity_is_elsewhere_gets_no_link(stage: Stage, box: Mailbox, tenant: Tenant) -> None:
    email = await join(stage, tenant, "technician")
    async with tenant.client() as client:
        await client.patch(f"/api/v1/tenants/{tenant.id}", json={"identity_issuer": "https://id.example"})
        async with Browser(stage) as browser:
            await browser.send("/forgot", {"email": email})
            marker = await join(stage, await firm(stage), "technician")
            await browser.send("/forgot", {"email": marker})
            await box.wait(marker)
        assert box.to(email) == []
