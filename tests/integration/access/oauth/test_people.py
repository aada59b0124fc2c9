"""Apps that act for people: allowed, traded, refreshed, taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from crosstie.access.oauth.sweep import Sweeper
from crosstie.app import opened
from tests.integration.access.oauth.rig import App, World, becomes, for_people, said, status
from tests.integration.access.people import Browser, firm, join
from tests.stage import Stage


async def test_from_the_question_to_the_person(world: World, stage: Stage) -> None:
    """Signing in on the way, the page, the code, the tokens, and who it is."""
    async with Browser(stage) as browser:
        asked = world.app.question(nonce="n-1")
        first = await browser.open("/oauth/authorize", **asked)
        assert first.status_code == 303
        there = first.headers["location"]
        assert there.startswith("/login?next=%2Foauth%2Fauthorize%3F")
        signed = await browser.log_in(world.email, next=httpx2.URL(there).params["next"])
        question = await browser.client.get(signed.headers["location"])
        assert question.status_code == 200
        for words in ("An app", world.email, "Know who you are", "Read <bdi", "https://app.example"):
            assert words in question.text, words
        answer = await browser.send("/oauth/authorize", {"decision": "allow"}, **asked)
    back = said(answer)
    assert answer.headers["location"].startswith("https://app.example/back?x=1&code=")
    assert (back["state"], back["iss"]) == ("a state", stage.url)
    tokens = (await world.app.trade(back["code"])).json()
    assert tokens["scope"] == "email jobs:read openid"
    keys = KeySet.import_key_set((await world.admin.get("/.well-known/jwks.json")).json())
    identity = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert (identity["aud"], identity["iss"], identity["nonce"]) == (world.app.client_id, stage.url, "n-1")
    assert (identity["email"], identity["roles"], identity["amr"]) == (world.email, ["technician"], ["password"])
    access = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"]).claims
    assert access["sub"] == identity["sub"]
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {tokens['access_token']}"}) as caller:
        whose = (await caller.get(f"{stage.url}/oauth/userinfo")).json()
        assert (await caller.post(f"{stage.url}/oauth/userinfo")).json() == whose
        made = await caller.post(f"{stage.url}/api/v1/jobs", json={})
    assert (whose["sub"], whose["email"]) == (identity["sub"], world.email)
    assert made.status_code == 403
    assert await status(world.admin, tokens["access_token"]) == 200
    assert await status(world.admin, tokens["id_token"]) == 401, "an ID token is no credential"


async def test_scopes_are_what_was_asked_and_the_app_and_the_roles_allow(world: World) -> None:
    granted = (await world.app.tokens(world.browser, scope="jobs:read jobs:write clients:write"))["scope"]
    assert granted == "jobs:read jobs:write", "a technician writes no clients"
    asked = world.app.question(scope="clients:write")
    assert said(await world.browser.open("/oauth/authorize", **asked))["error"] == "access_denied"
    asked = world.app.question(scope="payments:read")
    assert said(await world.browser.open("/oauth/authorize", **asked))["error"] == "invalid_scope"


async def test_rights_that_are_lost_are_lost_at_once(world: World) -> None:
    tokens = await world.app.tokens(world.browser, scope="jobs:read")
    (person,) = (await world.admin.get("/api/v1/users", params={"email": world.email})).json()["data"]
    path = f"/api/v1/users/{person['id']}"
    assert await status(world.admin, tokens["access_token"]) == 200
    assert (await world.admin.patch(path, json={"role": "client"})).status_code == 200
    await becomes(world.admin, tokens["access_token"], 403)
    assert (await world.admin.patch(path, json={"role": "technician"})).status_code == 200
    await becomes(world.admin, tokens["access_token"], 200)
    assert (await world.admin.post(f"{path}/suspend")).status_code == 200
    await becomes(world.admin, tokens["access_token"], 401)
    answer = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_code_works_once_and_its_second_use_ends_everything(world: World) -> None:
    code = await world.app.code(world.browser)
    tokens = (await world.app.trade(code)).json()
    assert await status(world.admin, tokens["access_token"]) == 200
    again = await world.app.trade(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    await becomes(world.admin, tokens["access_token"], 401)
    late = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert late.json()["error"] == "invalid_grant"
    noted = (await world.admin.get("/api/v1/audit-entries?action=oauth-apps.reuse")).json()["data"]
    assert [(entry["outcome"], entry["after"]["what"]) for entry in noted][-1] == ("denied", "code")


async def test_a_code_traded_by_two_at_once_serves_nobody_for_long(world: World) -> None:
    code = await world.app.code(world.browser)
    answers = await asyncio.gather(*(world.app.trade(code) for _ in range(6)))
    good = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    await becomes(world.admin, good[0]["access_token"], 401)


async def test_a_refresh_token_used_by_two_at_once_serves_nobody_for_long(world: World) -> None:
    tokens = await world.app.tokens(world.browser)
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(*(world.app.ask(**again) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    (good,) = (answer.json() for answer in answers if answer.status_code == 200)
    await becomes(world.admin, good["access_token"], 401)
    late = await world.app.ask(grant_type="refresh_token", refresh_token=good["refresh_token"])
    assert late.json()["error"] == "invalid_grant"


async def test_what_is_over_buys_nothing(world: World, stage: Stage) -> None:
    superuser = await stage.superuser()

    async def over(table: str) -> None:
        past = f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE tenant_id = $1"
        await superuser.execute(past, world.tenant.id)

    code = await world.app.code(world.browser)
    await over("oauth_codes")
    answer = await world.app.trade(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    for table in ("oauth_refreshes", "oauth_families"):
        tokens = await world.app.tokens(world.browser)
        await over(table)
        answer = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), table
    await superuser.close()


async def test_a_refresh_token_used_twice_ends_its_family(world: World) -> None:
    tokens = await world.app.tokens(world.browser)
    second = (await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
    assert second["refresh_token"] != tokens["refresh_token"]
    assert "id_token" in second
    assert await status(world.admin, second["access_token"]) == 200
    narrow = await world.app.ask(grant_type="refresh_token", refresh_token=second["refresh_token"], scope="jobs:read")
    assert narrow.json()["scope"] == "jobs:read"
    wide = await world.app.ask(
        grant_type="refresh_token", refresh_token=narrow.json()["refresh_token"], scope="jobs:read jobs:write"
    )
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    stolen = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    for one in (tokens, second, narrow.json()):
        await becomes(world.admin, one["access_token"], 401)
    last = await world.app.ask(grant_type="refresh_token", refresh_token=narrow.json()["refresh_token"])
    assert last.json()["error"] == "invalid_grant"


async def test_a_code_needs_its_proof(world: World) -> None:
    code = await world.app.code(world.browser)
    for wrong in ("", "w" * 43, "v" * 42, "v" * 129, world.app.question()["code_challenge"]):
        refused = await world.app.trade(code, code_verifier=wrong)
        assert (refused.status_code, refused.json()["error"] in ("invalid_grant", "invalid_request")) == (400, True)
    assert (await world.app.trade(code)).status_code == 200, "a wrong proof does not use the code up"


async def test_a_code_is_of_one_app_and_one_address(world: World) -> None:
    other = await for_people(world.admin, scopes=["jobs:read"])
    code = await world.app.code(world.browser)
    assert (await other.trade(code)).json()["error"] == "invalid_grant"
    assert (await world.app.trade(code, redirect_uri="https://app.example/back")).json()["error"] == "invalid_grant"
    assert (await world.app.trade(code, redirect_uri="")).json()["error"] == "invalid_grant"
    tokens = (await world.app.trade(code)).json()
    foreign = await other.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert foreign.json()["error"] == "invalid_grant"
    assert await status(world.admin, tokens["access_token"]) == 200, "another app's attempt ends nothing"


async def test_another_firm_and_signing_out(world: World, stage: Stage) -> None:
    other = await firm(stage)
    email = await join(stage, other, "admin")
    async with Browser(stage) as browser:
        await browser.log_in(email)
        answer = await browser.open("/oauth/authorize", **world.app.question())
        there = httpx2.URL(answer.headers["location"])
        assert (there.path, there.params["tenant"]) == ("/login", world.tenant.slug)
    short = await world.app.tokens(world.browser)
    long = await world.app.tokens(world.browser, scope="openid jobs:read offline_access")
    assert (await world.browser.send("/logout", {})).status_code == 200
    await becomes(world.admin, short["access_token"], 401)
    refused = await world.app.ask(grant_type="refresh_token", refresh_token=short["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert await status(world.admin, long["access_token"]) == 200
    assert (await world.app.ask(grant_type="refresh_token", refresh_token=long["refresh_token"])).status_code == 200


async def state_of(app: App, token: str) -> dict[str, Any]:
    answer = await app.ask("/oauth/introspect", token=token)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_tokens_are_looked_into_and_taken_back(world: World, stage: Stage) -> None:
    tokens = await world.app.tokens(world.browser)
    found = await state_of(world.app, tokens["access_token"])
    assert (found["active"], found["scope"]) == (True, "email jobs:read openid")
    assert (found["client_id"], found["tenant_id"]) == (world.app.client_id, str(world.tenant.id))
    assert (await state_of(world.app, tokens["refresh_token"]))["active"] is True
    async with (await stage.tenant()).client() as theirs:
        stranger = await for_people(theirs, scopes=["jobs:read"])
        for token in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"], "x", "a.b.c", "ctr_x"):
            assert await state_of(stranger, token) == {"active": False}
        foreign = await stranger.ask("/oauth/revoke", token=tokens["access_token"])
        assert (foreign.status_code, foreign.json()["error"]) == (400, "invalid_grant")
    neighbour = await for_people(world.admin, scopes=["jobs:read"])
    assert (await state_of(neighbour, tokens["access_token"]))["active"] is True
    assert await state_of(neighbour, tokens["refresh_token"]) == {"active": False}
    waiting = await for_people(world.admin, scopes=["jobs:read"], approve=False)
    assert (await waiting.ask("/oauth/introspect", token=tokens["access_token"])).status_code == 403
    public = await for_people(world.admin, scopes=["jobs:read"], public=True)
    assert (await public.ask("/oauth/introspect", token=tokens["access_token"])).status_code == 401
    for nothing in ("x", "a.b.c", "ctr_unknown"):
        assert (await world.app.ask("/oauth/revoke", token=nothing)).status_code == 200
    assert (await world.app.ask("/oauth/revoke", token=tokens["access_token"])).status_code == 200
    await becomes(world.admin, tokens["access_token"], 401)
    assert await state_of(world.app, tokens["access_token"]) == {"active": False}
    second = (await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
    assert await status(world.admin, second["access_token"]) == 200
    hinted = await world.app.ask("/oauth/revoke", token=second["refresh_token"], token_type_hint="access_token")
    assert hinted.status_code == 200
    await becomes(world.admin, second["access_token"], 401)
    assert await state_of(world.app, second["refresh_token"]) == {"active": False}


async def test_what_is_over_is_forgotten_and_nothing_else(world: World, stage: Stage) -> None:
    old = await world.app.tokens(world.browser, scope="jobs:read offline_access")
    await world.app.ask("/oauth/revoke", token=old["access_token"])
    tables = ("oauth_codes", "oauth_families", "oauth_refreshes", "oauth_revocations")
    superuser = await stage.superuser()
    for table in tables:
        await superuser.execute(
            f"UPDATE {table} SET expires_at = expires_at - interval '200 days' WHERE tenant_id = $1", world.tenant.id
        )
    fresh = await world.app.tokens(world.browser, scope="jobs:read offline_access")
    other = await world.app.tokens(world.browser, scope="jobs:read offline_access")
    await world.app.ask("/oauth/revoke", token=other["access_token"])
    async with opened(stage.settings, stage.dsns, work=False, name="sweeper") as process:
        await Sweeper(process.log).sweep(world.tenant.id)
    left = [await superuser.fetchval(f"SELECT count(*) FROM {t} WHERE tenant_id = $1", world.tenant.id) for t in tables]
    await superuser.close()
    assert left == [2, 2, 2, 1]
    assert await status(world.admin, fresh["access_token"]) == 200
    again = await world.app.ask(grant_type="refresh_token", refresh_token=fresh["refresh_token"])
    assert again.status_code == 200
