"""Signing in with a password, and out: from outside, with a browser that knows no scripts."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest

from crosstie.access import login, passkey, throttle
from crosstie.access.session import Sessions
from crosstie.access.throttle import Limit
from crosstie.app import opened
from crosstie.errors import TooManyRequests
from crosstie.kit import clock
from tests.integration.access.people import PASSWORD, Browser, firm, join, remove
from tests.stage import Stage, Tenant


async def test_in_and_out(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "admin")
    async with Browser(stage) as browser:
        inside = await browser.log_in(email, next="/oauth/authorize?client_id=x&state=%2F")
        assert (inside.status_code, inside.headers["location"]) == (303, "/oauth/authorize?client_id=x&state=%2F")
        cookie = inside.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie  # this installation speaks http on loopback
        again = await browser.open("/login", next="/somewhere")
        assert (again.status_code, again.headers["location"]) == (303, "/somewhere")
        kept = browser.client.cookies["crosstie-session"]
        out = await browser.send("/logout", {"next": "//evil.example"})
        assert out.status_code == 200
        browser.client.cookies.set("crosstie-session", kept)
        assert (await browser.open("/login")).status_code == 200
    async with tenant.client() as client:
        (session,) = (await client.get("/api/v1/sessions")).json()["data"]
    assert session["ended_at"] is not None
    lasts = clock.parse(session["expires_at"]) - clock.parse(session["created_at"])
    assert lasts == timedelta(seconds=stage.settings.session_longest)
    assert session["methods"] == ["password"]


async def test_another_proof_renews_the_same_sign_in(stage: Stage) -> None:
    tenant = await firm(stage)
    email, other = await join(stage, tenant, "technician"), await join(stage, tenant, "viewer")
    async with Browser(stage) as browser, tenant.client() as client:
        await browser.log_in(email)
        first = browser.client.cookies["crosstie-session"]
        assert (await browser.log_in(email, "wrong", again="1")).status_code == 401
        assert browser.client.cookies["crosstie-session"] == first
        assert (await browser.log_in(email, again="1", next="/there")).headers["location"] == "/there"
        assert browser.client.cookies["crosstie-session"] != first
        (session,) = (await client.get("/api/v1/sessions")).json()["data"]
        assert session["authenticated_at"] > session["created_at"]
        # somebody else at the same browser: the first one's sign-in ends
        await browser.log_in(other, again="1")
        both = (await client.get("/api/v1/sessions")).json()["data"]
        assert [each["ended_at"] is None for each in both] == [True, False]


async def test_whoever_is_refused_gets_one_answer(stage: Stage) -> None:
    tenant, other = await firm(stage), await firm(stage)
    email = await join(stage, tenant, "technician")
    both = await join(stage, tenant, "technician")
    await join(stage, other, "technician", email=both)
    closed = await firm(stage)
    gone = await join(stage, closed, "admin")
    await remove(stage, closed.slug)
    suspended = await join(stage, tenant, "technician")
    async with tenant.client() as client:
        (found,) = (await client.get("/api/v1/users", params={"email": suspended})).json()["data"]
        assert (await client.post(f"/api/v1/users/{found['id']}/suspend")).status_code == 200
    answers = []
    async with Browser(stage) as browser:
        for address, password, slug in (
            (email, "wrong", ""),
            ("nobody@example.com", PASSWORD, ""),
            (email, PASSWORD, other.slug),
            (email, PASSWORD, "nowhere"),
            (both, PASSWORD, ""),
            (gone, PASSWORD, ""),
            (suspended, PASSWORD, ""),
        ):
            answer = await browser.log_in(address, password, slug)
            assert "crosstie-session" not in browser.client.cookies
            answers.append((answer.status_code, answer.text.replace(address, "").replace(slug or "\0", "")))
        assert {status for status, _ in answers} == {401}
        assert len({text for _, text in answers}) == 1
        superuser = await stage.superuser()
        firms = [tenant.id, other.id, closed.id]
        assert await superuser.fetchval("SELECT count(*) FROM sessions WHERE tenant_id = ANY ($1)", firms) == 0
        await superuser.close()
        assert (await browser.log_in(both, tenant=other.slug)).status_code == 303
    async with other.client() as client, Browser(stage) as browser:
        assert (await client.post("/api/v1/users", json={"email": email, "role": "viewer"})).status_code == 201
        assert (await browser.log_in(email)).status_code == 303, "where he has no password he is not meant"


@pytest.mark.parametrize(
    "next",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\tevil", "evil", "/%0a\n"],
)
async def test_goes_on_within_this_site_only(stage: Stage, next: str) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    async with Browser(stage) as browser:
        inside = await browser.log_in(email, next=next)
        assert (inside.status_code, inside.headers["location"]) == (303, "/account")
        assert (await browser.open("/login", next=next)).headers["location"] == "/account"
        typed = {"email": email, "password": PASSWORD, "next": next}
        assert (await browser.send("/login", typed, again="1")).headers["location"] == "/account"


async def test_a_form_from_elsewhere_is_refused(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    form = {"email": email, "password": PASSWORD, "tenant": "", "form": "0" * 64}
    async with Browser(stage) as browser:
        await browser.open("/login")
        assert (await browser.client.post("/login", data=form)).status_code == 403
        hidden = await browser.client.get("/login")
        mark = hidden.text.split('name="form" value="')[1].split('"')[0]
        crossed = await browser.client.post(
            "/login", data=form | {"form": mark}, headers={"sec-fetch-site": "cross-site"}
        )
        assert crossed.status_code == 403
        async with Browser(stage) as stranger:
            await stranger.open("/login")
            assert (await stranger.client.post("/login", data=form | {"form": mark})).status_code == 403
        await browser.log_in(email)
        assert (await browser.client.post("/logout", data={"form": "x"})).status_code == 403
        assert (await browser.open("/login")).status_code == 303


async def test_what_is_no_form_of_a_person_is_refused(stage: Stage) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    many = "&".join(f"x{number}=1" for number in range(101))
    async with Browser(stage) as browser:
        assert (await browser.client.post("/login", json={"email": "a"})).status_code == 415
        assert (await browser.client.post("/login", content=b"x=" + b"y" * (64 << 10), headers=kind)).status_code == 413
        assert (await browser.client.post("/login", content=many, headers=kind)).status_code == 400
        assert (await browser.log_in("a\0@example.com")).status_code == 401


async def test_the_page_loads_nothing_and_cannot_be_framed(stage: Stage) -> None:
    async with httpx2.AsyncClient(base_url=stage.url) as client:
        english = await client.get("/login")
        arabic = await client.get("/login", headers={"accept-language": "ar-AE"})
    policy = english.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "<script" not in english.text
    assert "no-store" in english.headers["cache-control"]
    assert 'dir="rtl"' in arabic.text


async def test_guesses_are_counted_whether_or_not_the_user_exists(stage: Stage) -> None:
    tenant = await firm(stage)
    email = await join(stage, tenant, "technician")
    for address in (email, f"no-{email}"):
        async with Browser(stage) as browser:
            for _ in range(10):
                assert (await browser.log_in(address, "wrong")).status_code == 401
            locked = await browser.log_in(address, PASSWORD)
            assert locked.status_code == 429
            assert int(locked.headers["retry-after"]) > 0


async def test_guesses_are_counted_for_an_account_and_for_an_address_too(stage: Stage) -> None:
    """Whoever tries one account from many places, or many accounts from one, is stopped later and all the same."""
    tenant = await firm(stage)
    one, other = await join(stage, tenant, "technician"), await join(stage, tenant, "technician")
    place = "203.0.113.77"
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        sessions, log = Sessions(process.log, 3600, 3600), process.log

        async def tried(name: str, most: int, seconds: int) -> None:
            for _ in range(most):
                await throttle.take(log.app, log.cipher.pepper, (Limit(name, most, seconds),))

        await tried(f"password {one}", *login.ANYWHERE)
        await tried(f"from {place}", *login.FROM)
        for email, ip in ((one, "203.0.113.78"), (other, place)):
            with pytest.raises(TooManyRequests):
                await login.by_password(sessions, email, PASSWORD, "", ip, None)
        with pytest.raises(TooManyRequests):
            await passkey.sign_in(sessions, stage.url, "", "{}", place, None)
        assert await login.by_password(sessions, other, PASSWORD, "", "203.0.113.78", None)


async def test_secrets_are_stored_as_hashes(stage: Stage, tenant: Tenant) -> None:
    here = await firm(stage)
    email = await join(stage, here, "technician")
    async with Browser(stage) as browser:
        await browser.log_in(email)
        token = browser.client.cookies["crosstie-session"]
    superuser = await stage.superuser()
    try:
        rows = await superuser.fetch(
            "SELECT s::text AS one FROM sessions s UNION ALL SELECT e.data::text FROM events e"
        )
    finally:
        await superuser.close()
    plain = (token, token.encode().hex(), PASSWORD, PASSWORD.encode().hex())
    assert not [row for row in rows if any(each in row["one"] for each in plain)]
