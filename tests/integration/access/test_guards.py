"""What the rest of the suite would not miss: guards of sign-in pages, each taken away once to see this fail."""

from __future__ import annotations

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


async def test_guesses_of_the_present_password_are_counted(stage: Stage) -> None:
    email = await join(stage, await firm(stage), "technician")
    async with Browser(stage) as browser:
        await browser.log_in(email)
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
        await remove(stage, tenant.slug)
        late = await browser.send(path, {"password": FRESH}, page="/login")
        assert late.status_code == 403
        superuser = await stage.superuser()
        kept = await superuser.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
        await superuser.close()
        assert kept is None
