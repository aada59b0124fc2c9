"""Passkeys: two factors in one, for this site, this challenge and this moment only."""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Iterator
from html import unescape
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest

from crosstie.access import passkey
from tests.integration.access.device import Device
from tests.integration.access.people import HIDDEN, Browser, firm, join
from tests.stage import Stage, Tenant, free_port

OPTIONS = re.compile(r'data-passkey="([^"]+)"')


@pytest.fixture(scope="module")
def named(stage: Stage) -> Iterator[Stage]:
    """The same installation under a name: browsers make no passkeys for a bare address."""
    found = copy.copy(stage)
    found.port = free_port()
    address = f"http://localhost:{found.port}"
    found.settings = msgspec.structs.replace(stage.settings, port=found.port, public_url=address)
    with found.serving():
        yield found


def asked(page: httpx2.Response) -> tuple[dict[str, Any], dict[str, str]]:
    """The options that the page has for the device, and the form's hidden fields."""
    options = OPTIONS.search(page.text)
    assert options, page.text
    form = page.text[options.start() :].split("</form>")[0]
    return json.loads(unescape(options[1])), {name: unescape(value) for name, value in HIDDEN.findall(form)}


async def added(browser: Browser, device: Device) -> httpx2.Response:
    """Have whoever is signed in add the device."""
    options, fields = asked(await browser.open("/account"))
    return await browser.client.post("/account", data=fields | {"answer": device.make(options)})


async def used(browser: Browser, device: Device) -> httpx2.Response:
    """Sign in with the device."""
    options, fields = asked(await browser.open("/login", next="/there"))
    return await browser.client.post("/login/passkey", data=fields | {"answer": device.sign(options)})


async def test_a_passkey_signs_in_once_per_challenge(named: Stage) -> None:
    tenant = await firm(named)
    email = await join(named, tenant, "admin")
    device = Device(named.settings.public_url)
    async with Browser(named) as browser:
        await browser.log_in(email)
        page = await browser.open("/account")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert (await added(browser, device)).status_code == 303
    async with tenant.client() as client, Browser(named) as browser:
        # whoever can give rights needs a second factor now: the passkey is one
        await client.patch(f"/api/v1/tenants/{tenant.id}", json={"second_factor": "required"})
        options, fields = asked(await browser.open("/login", next="/there"))
        answer = fields | {"answer": device.sign(options)}
        inside = await browser.client.post("/login/passkey", data=answer)
        assert (inside.status_code, inside.headers["location"]) == (303, "/there")
        assert (await browser.open("/account")).status_code == 200
        session = (await client.get("/api/v1/sessions")).json()["data"][0]
        assert session["methods"] == ["passkey"]
        device.count -= 1
        async with Browser(named) as thief:
            assert (await used(thief, device)).status_code == 401, "a copy of the device has not counted on"
        assert (await browser.client.post("/login/passkey", data=answer)).status_code == 429  # used up
        user = (await client.get("/api/v1/users", params={"email": email})).json()["data"][0]
        assert (await client.post(f"/api/v1/users/{user['id']}/suspend")).status_code == 200
        assert (await used(browser, device)).status_code == 401


@pytest.mark.parametrize("lie", ["origin", "unverified", "key", "handle", "neighbour", "challenge", "rubbish"])
async def test_what_does_not_hold_is_refused(named: Stage, lie: str) -> None:
    tenant: Tenant = await firm(named)
    device = Device(named.settings.public_url)
    async with Browser(named) as browser:
        await browser.log_in(await join(named, tenant, "technician"))
        await added(browser, device)
    other = Device(named.settings.public_url)
    async with Browser(named) as browser:
        options, fields = asked(await browser.open("/login"))
        match lie:
            case "origin":
                device.origin = "https://evil.example"
            case "unverified":
                device.verifies = False
            case "key":
                device.key = other.key
            case "handle":
                device.handle = tenant.id.bytes + tenant.id.bytes
            case "neighbour":
                email = await join(named, tenant, "viewer")
                async with tenant.client() as client:
                    (whose,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
                device.handle = tenant.id.bytes + UUID(whose["id"]).bytes
            case "challenge":
                options, _ = asked(await browser.open("/login"))
        answer = "{}" if lie == "rubbish" else device.sign(options)
        refused = await browser.client.post("/login/passkey", data=fields | {"answer": answer})
        assert refused.status_code == 401, refused.text
        assert "not right" in refused.text
        assert "crosstie-session" not in browser.client.cookies


async def test_a_new_passkey_must_hold_and_can_be_removed(named: Stage) -> None:
    tenant = await firm(named)
    email = await join(named, tenant, "technician")
    device = Device(named.settings.public_url)
    async with Browser(named) as browser, Browser(named) as other:
        await browser.log_in(email)
        device.verifies = False
        assert (await added(browser, device)).status_code == 403
        device.verifies = True
        device.origin = "https://evil.example"
        assert (await added(browser, device)).status_code == 403
        device.origin = named.settings.public_url
        await other.log_in(await join(named, tenant, "technician"))
        options, fields = asked(await other.open("/account"))  # made for somebody else
        stolen = asked(await browser.open("/account"))[1] | {"challenge": fields["challenge"]}
        refused = await browser.client.post("/account", data=stolen | {"answer": device.make(options)})
        assert refused.status_code == 403
        assert (await added(browser, device)).status_code == 303
        key = re.findall(r'name="key" value="([^"]+)"', (await browser.open("/account")).text)[0]
        ours = asked(await browser.open("/account"))[1]
        theirs = asked(await other.open("/account"))[1]
        await other.client.post("/account", data=theirs | {"action": "unpasskey", "key": key})
        assert key in (await browser.open("/account")).text
        await browser.client.post("/account", data=ours | {"action": "unpasskey", "key": key})
        assert key not in (await browser.open("/account")).text
    async with Browser(named) as browser:
        assert (await used(browser, device)).status_code == 401


async def test_a_bare_address_offers_none(stage: Stage) -> None:
    async with Browser(stage) as browser:
        page = await browser.open("/login")
    assert "data-passkey" not in page.text
    assert "<script" not in page.text


async def test_a_passkey_is_used_on_its_own_page_and_ends_the_sign_in_before(named: Stage) -> None:
    tenant = await firm(named)
    email, other = await join(named, tenant, "technician"), await join(named, tenant, "viewer")
    device = Device(named.settings.public_url)
    async with tenant.client() as client, Browser(named) as browser:
        await browser.log_in(email)
        assert (await added(browser, device)).status_code == 303
        await browser.log_in(other, again="1")
        options, fields = asked(await browser.open("/login", again="1"))
        answer = fields | {"answer": device.sign(options)}
        assert (await browser.client.post("/login/passkey", data=answer | {"form": "0" * 64})).status_code == 403
        before = (await client.get("/api/v1/sessions")).json()["data"]
        assert [each["ended_at"] is None for each in before] == [True, False]
        inside = await browser.client.post("/login/passkey", data=answer | {"next": "//evil.example"})
        assert inside.headers["location"] == "/account"
        after = (await client.get("/api/v1/sessions")).json()["data"]
        assert [each["ended_at"] is None for each in after] == [True, False, False]
        (user,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
        assert (await client.post(f"/api/v1/users/{user['id']}/reset-factor")).status_code == 200
        assert (await used(browser, device)).status_code == 401, "a lost device opens nothing"


async def test_whoever_may_not_act_begins_no_sign_in_and_nobody_has_passkeys_without_end(named: Stage) -> None:
    tenant = await firm(named)
    email = await join(named, tenant, "technician")
    device = Device(named.settings.public_url)
    superuser = await named.superuser()
    async with tenant.client() as client, Browser(named) as browser:
        await browser.log_in(email)
        assert (await added(browser, device)).status_code == 303
        (user,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
        more = "INSERT INTO passkeys (tenant_id, id, user_id, credential, public_key, count, made_at)"
        more += (
            " SELECT $1, gen_random_uuid(), $2::uuid, $3 || n::text::bytea, 'x', 0, now() FROM generate_series(2, $4) n"
        )
        await superuser.execute(more, tenant.id, user["id"], secrets.token_bytes(8), passkey.MOST)
        assert (await added(browser, Device(named.settings.public_url))).status_code == 403
        began = await superuser.fetchval("SELECT count(*) FROM sessions WHERE tenant_id = $1", tenant.id)
        await client.patch(f"/api/v1/tenants/{tenant.id}", json={"identity_issuer": "https://id.example"})
        assert (await used(browser, device)).status_code == 401
        await client.patch(f"/api/v1/tenants/{tenant.id}", json={"identity_issuer": None})
        assert (await client.post(f"/api/v1/users/{user['id']}/suspend")).status_code == 200
        assert (await used(browser, device)).status_code == 401
        assert await superuser.fetchval("SELECT count(*) FROM sessions WHERE tenant_id = $1", tenant.id) == began
    await superuser.close()
