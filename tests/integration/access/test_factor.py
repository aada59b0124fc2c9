"""The second factor: asked of whoever can give rights, used once, lost and found."""

from __future__ import annotations

import re
from base64 import b32decode

import httpx2
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from crosstie.kit import clock
from tests.integration.access.people import Browser, firm, join
from tests.stage import Stage, Tenant

KEY = re.compile(r'<span class="key">([A-Z2-7 ]+)</span>')
#: nouns with which rights are given to others
GIVING = ("users", "roles", "api-keys", "oauth-apps", "trusted-issuers")
CODES = re.compile(r"<li>([0-9A-Za-z]{5}-[0-9A-Za-z]{5})</li>")


class App:
    """An authenticator app."""

    def __init__(self, page: str) -> None:
        found = KEY.search(page)
        assert found, page
        self.seed = b32decode(found[1].replace(" ", ""))
        #: the code that showed that it has the seed
        self.used = ""

    def code(self, steps: int = 0) -> str:
        """The code so many steps from now."""
        totp = TOTP(self.seed, 6, SHA1(), 30)
        return totp.generate(int(clock.now().timestamp()) + 30 * steps).decode()


async def enrolled(browser: Browser, email: str) -> tuple[App, list[str]]:
    """Sign in for the first time and add the factor."""
    browser.client.cookies.clear()
    inside = await browser.log_in(email, next="/there")
    assert inside.headers["location"] == "/login/factor?next=%2Fthere", inside.text
    app = App((await browser.open(inside.headers["location"])).text)
    page = await browser.open("/login/factor", next="/there")
    app = App(page.text)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
    wrong = await browser.client.post("/login/factor", data=fields | {"code": "000000"})
    assert wrong.status_code == 403
    assert KEY.search(wrong.text)[1] == KEY.search(page.text)[1]  # type: ignore[index]  # the same seed: the app has it
    app.used = app.code(-1)
    right = await browser.client.post("/login/factor", data=fields | {"code": app.used})
    assert right.status_code == 200, right.text
    codes = CODES.findall(right.text)
    assert len(codes) == 10
    assert 'href="/there"' in right.text
    return app, codes


async def signed_in(browser: Browser) -> bool:
    """Whether the browser's sign-in counts."""
    return (await browser.open("/account")).status_code == 200


async def test_an_admin_gets_nowhere_without_one(stage: Stage, tenant: Tenant) -> None:
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as browser:
        await browser.log_in(email)
        assert not await signed_in(browser)
        first = browser.client.cookies["crosstie-session"]
        app, _ = await enrolled(browser, email)
        assert await signed_in(browser)
        assert browser.client.cookies["crosstie-session"] != first  # rights rose: another secret
    async with Browser(stage) as browser:
        inside = await browser.log_in(email, next="/there")
        assert inside.headers["location"] == "/login/code?next=%2Fthere"
        assert not await signed_in(browser)
        # whoever has the password alone cannot put a factor of his own in its place
        moved = await browser.open("/login/factor")
        assert moved.headers["location"].startswith("/login/code")
        assert (await browser.send("/login/code", {"code": app.used}, next="/there")).status_code == 403
        code = app.code()
        forged = await browser.client.post("/login/code", data={"code": code, "form": "0" * 64})
        assert (forged.status_code, await signed_in(browser)) == (403, False)
        passed = await browser.send("/login/code", {"code": code}, next="/there")
        assert (passed.status_code, passed.headers["location"]) == (303, "/there")
        assert await signed_in(browser)
    async with Browser(stage) as browser:
        await browser.log_in(email)
        assert (await browser.send("/login/code", {"code": code})).status_code == 403  # used, as well
    async with tenant.client() as client:
        sessions = (await client.get("/api/v1/sessions")).json()["data"]
    assert ["password", "totp"] in [session["methods"] for session in sessions]


@pytest.mark.parametrize("role", ["owner", "developer"])
async def test_whoever_can_give_rights_is_asked(stage: Stage, tenant: Tenant, role: str) -> None:
    email = await join(stage, tenant, role)
    async with Browser(stage) as browser:
        assert (await browser.log_in(email)).headers["location"].startswith("/login/factor")


@pytest.mark.parametrize("scope", ["*", *(f"{noun}:write" for noun in GIVING)])
async def test_a_role_of_the_firms_own_is_asked_by_what_it_may_do(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, scope: str
) -> None:
    made = await client.post("/api/v1/roles", json={"name": "giver", "title": "Gives", "scopes": [scope]})
    assert made.status_code == 201, made.text
    async with Browser(stage) as browser:
        inside = await browser.log_in(await join(stage, tenant, "giver"))
        assert inside.headers["location"].startswith("/login/factor")


async def test_others_are_not_asked(stage: Stage, tenant: Tenant) -> None:
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as browser:
        assert (await browser.log_in(email)).headers["location"] == "/account"
        assert await signed_in(browser)
        async with tenant.client() as client:
            await client.patch(f"/api/v1/tenants/{tenant.id}", json={"second_factor": "required"})
        assert not await signed_in(browser)  # at once


async def test_recovery_codes_work_once_and_tries_are_counted(stage: Stage, tenant: Tenant) -> None:
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as browser:
        _, codes = await enrolled(browser, email)
    async with Browser(stage) as browser:
        await browser.log_in(email)
        right = {"code": codes[0].replace("-", ""), "next": "//evil.example"}
        assert (await browser.send("/login/code", right)).headers["location"] == "/account"
    async with Browser(stage) as browser:
        await browser.log_in(email)
        assert (await browser.send("/login/code", {"code": codes[0]})).status_code == 403
        for _ in range(4):
            assert (await browser.send("/login/code", {"code": "123456"})).status_code == 403
        assert (await browser.send("/login/code", {"code": codes[1]})).status_code == 429


async def test_a_lost_phone_is_forgotten_by_an_admin(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as browser:
        await enrolled(browser, email)
        (user,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
        assert "totp" not in user
        assert (await client.post(f"/api/v1/users/{user['id']}/reset-factor")).status_code == 200
        assert not await signed_in(browser)
        await enrolled(browser, email)


async def test_the_seed_is_sealed(stage: Stage, tenant: Tenant) -> None:
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as browser:
        app, codes = await enrolled(browser, email)
    superuser = await stage.superuser()
    try:
        (row,) = await superuser.fetch("SELECT totp, u::text AS one FROM users u WHERE email = $1", email)
    finally:
        await superuser.close()
    assert app.seed not in bytes(row["totp"])
    assert not [code for code in codes if code.replace("-", "") in row["one"]]


async def test_the_account_page_renews_and_drops(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as browser:
        await browser.log_in(email)
        page = await browser.open("/login/factor", next="/account")
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
        app = App(page.text)
        shown = await browser.client.post("/login/factor", data=fields | {"code": app.code(-1)})
        codes = CODES.findall(shown.text)
        fresh = await browser.send("/account", {"action": "codes", "code": app.code()})
        assert len(CODES.findall(fresh.text)) == 10
        assert (await browser.send("/account", {"action": "drop", "code": codes[0]})).status_code == 403
        assert (await browser.send("/account", {"action": "drop", "code": app.code(1)})).status_code == 303
    async with Browser(stage) as browser:
        assert (await browser.log_in(email)).headers["location"] == "/account"
