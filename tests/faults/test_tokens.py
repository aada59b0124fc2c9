"""Tokens between processes: one issues, the other takes; what one ends, the other refuses within 5 s (CONTRACT §3)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.faults.rig import Rig
from tests.integration.access.oauth.rig import becomes, for_people, register, status
from tests.integration.access.people import Browser, join
from tests.stage import calling, free_port

pytestmark = pytest.mark.timeout(240)


async def test_what_one_process_ends_the_other_refuses(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("CROSSTIE_PUBLIC_URL", f"http://127.0.0.1:{port}")  # one installation, one issuer
    rig.start("api-1", "api", port)
    rig.start("api-2", "api")
    await rig.ready()
    first, second = rig.urls()
    tenant = await rig.stage.tenant()
    email = await join(rig.stage, tenant, "technician")
    headers = {"authorization": f"Bearer {tenant.key}"}
    async with calling(first, headers=headers) as here, calling(second, headers=headers) as there:
        both = (here, there)
        robot = await register(here)
        token = await robot.token()
        assert [await status(at, token) for at in both] == [200, 200], "a key of the moment is known to both"
        app = await for_people(here, scopes=["jobs:read"])
        other = replace(app, admin=there)
        browser = Browser(rig.stage)
        await browser.client.aclose()
        browser.client = calling(first)
        async with browser:
            assert (await browser.log_in(email)).status_code == 303
            tokens = await app.tokens(browser)
            code = await app.code(browser)
        fresh = (await other.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
        assert [await status(at, fresh["access_token"]) for at in both] == [200, 200]
        # a thief with the old token, at the process that has never seen it used
        stolen = await app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
        for at in both:
            await becomes(at, fresh["access_token"], 401)
        refused = await other.ask(grant_type="refresh_token", refresh_token=fresh["refresh_token"])
        assert refused.json()["error"] == "invalid_grant"
        # a code at both at once: one gets tokens, and they do not last
        answers = await asyncio.gather(app.trade(code), other.trade(code))
        (good,) = [answer.json() for answer in answers if answer.status_code == 200]
        for at in both:
            await becomes(at, good["access_token"], 401)
        await robot.move("suspend")
        for at in both:
            await becomes(at, token, 401)
