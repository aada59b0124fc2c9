"""Invitations, passwords and sign-ins that end: what people do about their own, and admins about others."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.integration.access.people import PASSWORD, Browser, firm, join
from tests.stage import Stage

FRESH = "copper lantern drifts 88 north"


async def invited(client: httpx2.AsyncClient, role: str = "technician") -> tuple[str, str, str]:
    """A user with a link: id, address, path of the link."""
    email = f"{secrets.token_hex(4)}@example.com"
    made = await client.post("/api/v1/users", json={"email": email, "role": role, "name": "Thandi Nkosi"})
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    return id, email, await link(client, id)


async def link(client: httpx2.AsyncClient, id: str) -> str:
    answer = await client.post(f"/api/v1/users/{id}/invite")
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"url", "expires_at"}
    return str(urlsplit(answer.json()["url"]).path)


async def test_a_link_sets_a_password_once(stage: Stage) -> None:
    tenant = await firm(stage)
    async with tenant.client() as client, Browser(stage) as browser:
        id, email, old = await invited(client)
        new = await link(client, id)
        assert (await browser.open(old)).status_code == 403  # the newest alone
        page = await browser.open(new)
        assert (page.status_code, email in page.text) == (200, True)
        altered = new[:-10] + ("A" if new[-10] != "A" else "B") + new[-9:]
        assert (await browser.open(altered)).status_code == 403
        assert (await browser.send(altered, {"password": FRESH}, page="/login")).status_code == 403
        done = await browser.send(new, {"password": FRESH})
        assert (done.status_code, f"/login?tenant={tenant.slug}" in done.text) == (200, True)
        assert (await browser.open(new)).status_code == 403
        assert (await browser.send(new, {"password": FRESH}, page="/login")).status_code == 403
        assert (await browser.log_in(email, FRESH)).status_code == 303
        await client.post(f"/api/v1/users/{id}/suspend")
        assert (await browser.open(await link(client, id))).status_code == 403


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short one 1", "at least 12"),
        ("password1234", "tried first"),
        ("qwertyuiop123", "tried first"),
        ("thandi nkosi", "tried first"),
        ("aaaaaaaaaaaaaaaa", "tried first"),
        ("x" * 257, "too long"),
    ],
)
async def test_weak_passwords_are_refused(stage: Stage, password: str, words: str) -> None:
    tenant = await firm(stage)
    async with tenant.client() as client, Browser(stage) as browser:
        _, email, path = await invited(client)
        refused = await browser.send(path, {"password": password})
        assert (refused.status_code, words in refused.text) == (422, True)
        assert password not in refused.text
        assert (await browser.log_in(email, password)).status_code == 401


async def test_a_changed_password_ends_every_other_sign_in(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as here, Browser(stage) as there:
        await here.log_in(email)
        await there.log_in(email)
        wrong = await here.send("/account", {"action": "password", "present": "wrong", "password": FRESH})
        assert wrong.status_code == 401
        old = here.client.cookies["crosstie-session"]
        done = await here.send("/account", {"action": "password", "present": PASSWORD, "password": FRESH})
        assert done.status_code == 200
        assert here.client.cookies["crosstie-session"] != old
        assert (await here.open("/account")).status_code == 200
        assert (await there.open("/account")).status_code == 303
        assert (await there.log_in(email, FRESH)).status_code == 303


@pytest.mark.parametrize("how", ["self", "sign-out", "suspend", "session", "delete"])
async def test_sign_ins_end_everywhere_at_once(stage: Stage, how: str) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with tenant.client() as client, Browser(stage) as here, Browser(stage) as there:
        await here.log_in(email)
        await there.log_in(email)
        (user,) = (await client.get("/api/v1/users", params={"email": email})).json()["data"]
        sessions = (await client.get("/api/v1/sessions", params={"user_id": user["id"]})).json()["data"]
        assert len(sessions) == 2
        if how == "self":
            await here.send("/account", {"action": "everywhere"})
        elif how == "session":
            for session in sessions:
                assert (await client.post(f"/api/v1/sessions/{session['id']}/end")).status_code == 200
        elif how == "delete":
            assert (await client.delete(f"/api/v1/users/{user['id']}")).status_code == 204
        else:
            assert (await client.post(f"/api/v1/users/{user['id']}/{how}")).status_code == 200
        for browser in (here, there):
            moved = await browser.open("/account")
            assert (moved.status_code, moved.headers["location"]) == (303, "/login?next=%2Faccount")


async def test_sign_ins_end_when_idle_and_in_any_case(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    superuser = await stage.superuser()
    try:
        for column in ("seen_at", "expires_at"):
            async with Browser(stage) as browser:
                await browser.log_in(email)
                assert (await browser.open("/account")).status_code == 200
                await superuser.execute(
                    f"UPDATE sessions s SET {column} = now() - interval '8 hours 1 second'"  # the clock, moved
                    " FROM users u WHERE u.id = s.user_id AND u.email = $1",
                    email,
                )
                assert (await browser.open("/account")).status_code == 303
    finally:
        await superuser.close()
