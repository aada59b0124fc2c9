"""What the rest of the suite would not miss: guards of sign-in pages, each taken away once to see this fail."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from crosstie.access import factor, link, passkey, throttle
from crosstie.access.throttle import Limit
from crosstie.app import opened
from crosstie.errors import LinkExpired, TooManyRequests
from crosstie.kit import clock
from tests.integration.access.people import HIDDEN, PASSWORD, Browser, firm, join, remove
from tests.integration.access.test_factor import App, enrolled, signed_in
from tests.integration.access.test_invitations import FRESH, invited
from tests.stage import Stage, Tenant


async def test_a_factor_is_not_replaced_by_an_offer_from_before(stage: Stage, tenant: Tenant) -> None:
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as thief, Browser(stage) as owner:
        await thief.log_in(email)
        page = await thief.open("/login/factor")
        app, _ = await enrolled(owner, email)
        mine = dict(HIDDEN.findall(page.text)) | {"code": App(page.text).code()}
        refused = await thief.client.post("/login/factor", data=mine)
        assert (refused.status_code, refused.headers["location"][:11]) == (303, "/login/code")
        assert not await signed_in(thief)
        for action in ("everywhere", "passkey"):
            stopped = await thief.send("/account", {"action": action}, page="/login/code")
            assert stopped.headers["location"][:11] == "/login/code"
        assert await signed_in(owner)
        assert (await thief.send("/login/code", {"code": app.code()})).status_code == 303, (
            "the owner's app still counts"
        )


async def test_whoever_must_have_a_factor_keeps_it_and_guesses_are_counted(stage: Stage, tenant: Tenant) -> None:
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as browser:
        app, _ = await enrolled(browser, email)
        assert (await browser.send("/account", {"action": "drop", "code": app.code()})).status_code == 403
        for _ in range(5):
            assert (await browser.send("/account", {"action": "codes", "code": "000000"})).status_code == 403
        assert (await browser.send("/account", {"action": "codes", "code": app.code(1)})).status_code == 429


async def test_a_factor_is_offered_to_one_and_shown_at_its_moment(stage: Stage) -> None:
    tenant = await firm(stage)
    async with Browser(stage) as one, Browser(stage) as other:
        for browser in (one, other):
            await browser.log_in(await join(stage, tenant, "technician"))
        page = await one.open("/login/factor")
        app, fields = App(page.text), dict(HIDDEN.findall(page.text))
        theirs = dict(HIDDEN.findall((await other.open("/login/factor")).text)) | {"offer": fields["offer"]}
        assert (await other.client.post("/login/factor", data=theirs | {"code": app.code()})).status_code == 403
        for steps in (-3, 3):
            early_or_late = fields | {"code": app.code(steps)}
            assert (await one.client.post("/login/factor", data=early_or_late)).status_code == 403
        assert (await one.send("/account", {"action": "codes", "code": app.code()})).status_code == 403, "not his yet"
        forged = fields | {"form": "0" * 64, "code": app.code()}
        assert (await one.client.post("/login/factor", data=forged)).status_code == 403
        shown = await one.client.post("/login/factor", data=fields | {"code": app.code(), "next": "//evil.example"})
        assert (shown.status_code, "evil" in shown.text) == (200, False)
        page = await other.open("/login/factor")
        app, fields = App(page.text), dict(HIDDEN.findall(page.text))
        for _ in range(5):
            assert (await other.client.post("/login/factor", data=fields | {"code": "000000"})).status_code == 403
        assert (await other.client.post("/login/factor", data=fields | {"code": app.code()})).status_code == 429


async def test_what_is_offered_is_for_a_moment_and_a_purpose(stage: Stage) -> None:
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        cipher, now, nobody = process.log.cipher, clock.now(), uuid4()
        _, challenge = passkey.offer(cipher, stage.url)
        for purpose, token, good in (
            (factor.OFFER, factor.offer(cipher, nobody, nobody), factor.OFFERED),
            (passkey.CHALLENGE, challenge, passkey.ANSWERED),
        ):
            assert good <= timedelta(minutes=20)
            link.read(cipher, purpose, token, now)
            for other, moment in ((purpose, now + good + timedelta(seconds=1)), ("another", now)):
                with pytest.raises(LinkExpired):
                    link.read(cipher, other, token, moment)


async def test_codes_are_counted_by_the_day_too(stage: Stage) -> None:
    somebody = uuid4()
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        pool, pepper = process.log.app, process.log.cipher.pepper
        for _ in range(factor.LATE[0]):
            await throttle.take(pool, pepper, (Limit(f"codes {somebody}", *factor.LATE),))
        with pytest.raises(TooManyRequests):
            await factor.count(pool, pepper, somebody)


async def test_guesses_of_the_present_password_are_counted(stage: Stage) -> None:
    email = await join(stage, await firm(stage), "technician")
    async with Browser(stage) as browser:
        await browser.log_in(email)
        forged = await browser.client.post("/account", data={"action": "everywhere", "form": "0" * 64})
        assert (forged.status_code, await signed_in(browser)) == (403, True)
        form = {"action": "password", "password": FRESH}
        for _ in range(10):
            assert (await browser.send("/account", form | {"present": "wrong"})).status_code == 401
        assert (await browser.send("/account", form | {"present": PASSWORD})).status_code == 429


async def test_an_invitation_is_taken_on_its_own_page_and_while_the_firm_is_active(stage: Stage) -> None:
    tenant = await firm(stage)
    async with tenant.client() as client, Browser(stage) as browser:
        _, email, path = await invited(client)
        await browser.open(path)
        forged = await browser.client.post(path, data={"password": FRESH, "form": "0" * 64})
        assert forged.status_code == 403
        assert (await browser.log_in(email, FRESH)).status_code == 401
        for issuer, answer in (("https://id.example", 403), (None, 200)):
            await client.patch(f"/api/v1/tenants/{tenant.id}", json={"identity_issuer": issuer})
            assert (await browser.open(path)).status_code == answer, "who keeps him sets his password"
        await remove(stage, tenant.slug)
        assert (await browser.open(path)).status_code == 403
        late = await browser.send(path, {"password": FRESH}, page="/login")
        assert late.status_code == 403
        superuser = await stage.superuser()
        kept = await superuser.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
        await superuser.close()
        assert kept is None
