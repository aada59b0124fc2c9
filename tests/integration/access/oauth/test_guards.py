"""What the rest of the suite would not miss: guards of apps and tokens, each taken away once to see this fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from crosstie.access.oauth.app import EXCHANGE
from crosstie.kit import clock
from tests.fence import until
from tests.integration.access.oauth.rig import App, World, becomes, for_people, register, said, status
from tests.integration.access.oauth.test_exchange import claims, swap
from tests.integration.access.people import remove
from tests.stage import Stage, Tenant, calling


async def test_a_password_alone_lets_no_app_in_where_more_is_asked(world: World) -> None:
    changed = await world.admin.patch(f"/api/v1/tenants/{world.tenant.id}", json={"second_factor": "required"})
    assert changed.status_code == 200
    asked = world.app.question()
    question = await world.browser.open("/oauth/authorize", **asked)
    assert (question.status_code, question.headers["location"][:7]) == (303, "/login?")
    answer = await world.browser.send("/oauth/authorize", {"decision": "allow"} | asked, page="/login")
    assert (answer.status_code, answer.headers["location"][:7]) == (303, "/login?")


async def test_an_app_without_a_secret_is_asked_for_each_time(world: World) -> None:
    public = await for_people(world.admin, public=True, scopes=["jobs:read"])
    await public.code(world.browser, scope="jobs:read")
    again = await world.browser.open("/oauth/authorize", **public.question(scope="jobs:read"))
    assert again.status_code == 200, "whoever takes over its address would be let in unseen"


async def test_an_app_of_a_suspended_firm_gets_nothing(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    app = await register(client)
    assert (await app.ask(grant_type="client_credentials")).status_code == 200
    await remove(stage, tenant.slug)
    refused = await app.ask(grant_type="client_credentials")
    assert (refused.status_code, refused.json()["error"]) == (403, "unauthorized_client")


async def test_two_names_are_none(client: httpx2.AsyncClient) -> None:
    app, other = await register(client), await register(client)
    answer = await app.ask(grant_type="client_credentials", client_id=other.client_id)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await app.ask(grant_type="client_credentials", client_id=app.client_id)).status_code == 200


async def test_no_parameter_holds_a_nul(client: httpx2.AsyncClient) -> None:
    app = await register(client)
    answer = await app.ask(grant_type="client_credentials", scope="jobs:read\0")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_what_an_app_can_be_is_looked_at(client: httpx2.AsyncClient) -> None:
    body: dict[str, Any] = {"name": "x", "redirect_uris": ["https://ok.example/cb"]}
    answer = await client.post("/api/v1/oauth-apps", json=body | {"scopes": ["jobs:fly"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/scopes")
    for wrong in (
        {"public": True, "grant_types": ["authorization_code", EXCHANGE]},
        {"grant_types": ["refresh_token", "client_credentials"]},
    ):
        answer = await client.post("/api/v1/oauth-apps", json=body | {"scopes": ["jobs:read"]} | wrong)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/grant_types"), wrong
    public = await for_people(client, public=True, scopes=["jobs:read"])
    secret = await client.post(f"/api/v1/oauth-apps/{public.id}/rotate-secret", json={})
    assert secret.status_code == 422, secret.text


async def test_no_refresh_token_outlives_its_family(world: World, stage: Stage) -> None:
    tokens = await world.app.tokens(world.browser, scope="jobs:read offline_access")
    superuser = await stage.superuser()
    soon = "UPDATE oauth_families SET expires_at = now() + interval '1 hour' WHERE tenant_id = $1 RETURNING expires_at"
    ends = await superuser.fetchval(soon, world.tenant.id)
    answer = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.status_code == 200, answer.text
    newest = "SELECT expires_at FROM oauth_refreshes WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1"
    assert await superuser.fetchval(newest, world.tenant.id) == ends
    await superuser.close()


async def test_an_exchanged_token_ends_with_the_one_that_it_came_from(world: World) -> None:
    back = await register(world.admin, grant_types=[EXCHANGE], scopes=["jobs:read"])
    token = (await world.app.tokens(world.browser, scope="jobs:read"))["access_token"]
    first, made = claims(token), {}

    async def later() -> bool:
        made.update(claims((await swap(back, token)).json()["access_token"]))
        return bool(made["iat"] > first["iat"])

    await until(later)
    assert made["exp"] <= first["exp"]


async def test_who_somebody_is_needs_its_scope(world: World) -> None:
    silent = await world.app.tokens(world.browser, scope="jobs:read")
    assert await status(world.admin, silent["access_token"]) == 200
    assert await status(world.admin, silent["access_token"], "/oauth/userinfo") == 403
    told = await world.app.tokens(world.browser, scope="openid jobs:read")
    assert await status(world.admin, told["access_token"], "/oauth/userinfo") == 200
    async with calling(str(world.admin.base_url), headers={"x-api-key": world.tenant.key}) as caller:
        assert (await caller.get("/oauth/userinfo")).status_code == 403


async def test_a_token_may_no_more_than_its_app_now(client: httpx2.AsyncClient) -> None:
    app = await register(client, scopes=["jobs:read", "clients:read"])
    token = await app.token()
    assert await status(client, token) == 200
    narrowed = await client.patch(f"/api/v1/oauth-apps/{app.id}", json={"scopes": ["clients:read"]})
    assert narrowed.status_code == 200
    await becomes(client, token, 403)
    assert await status(client, token, "/api/v1/clients") == 200


async def test_the_tokens_of_a_suspended_firm_rest(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    token = await (await register(client)).token()
    assert await status(client, token) == 200
    await remove(stage, tenant.slug)
    await becomes(client, token, 403)


async def test_a_second_use_is_known_after_the_end_and_without_a_proof(world: World, stage: Stage) -> None:
    """A thief may come late, or without a proof: there are two copies all the same."""
    superuser = await stage.superuser()

    async def ends(table: str, again: Callable[[dict[str, Any]], Awaitable[httpx2.Response]]) -> None:
        code = await world.app.code(world.browser)
        tokens = (await world.app.trade(code)).json()
        fresh = (await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
        past = (
            f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE tenant_id = $1 AND used_at IS NOT NULL"
        )
        await superuser.execute(past, world.tenant.id)
        refused = await again({"code": code, **tokens})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        late = await world.app.ask(grant_type="refresh_token", refresh_token=fresh["refresh_token"])
        assert late.json()["error"] == "invalid_grant", table

    await ends("oauth_codes", lambda had: world.app.trade(had["code"]))
    await ends("oauth_codes", lambda had: world.app.trade(had["code"], code_verifier="w" * 43))
    again = {"grant_type": "refresh_token"}
    await ends("oauth_refreshes", lambda had: world.app.ask(**again, refresh_token=had["refresh_token"]))
    await superuser.close()


async def test_an_app_gets_tokens_in_its_own_ways_alone(world: World) -> None:
    refused = await world.app.ask(grant_type="client_credentials", scope="jobs:read")
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    short = await for_people(world.admin, grant_types=["authorization_code"], scopes=["jobs:read"])
    tokens = await short.tokens(world.browser, scope="jobs:read")
    assert "refresh_token" not in tokens
    robot = await register(world.admin, redirect_uris=["https://app.example/back"])
    asked = await world.browser.open("/oauth/authorize", **robot.question(scope="jobs:read"))
    assert said(asked)["error"] == "unauthorized_client"


async def test_an_app_by_itself_is_nobody(client: httpx2.AsyncClient) -> None:
    both = await for_people(client, grant_types=["authorization_code", "client_credentials"], scopes=["jobs:read"])
    answer = await both.ask(grant_type="client_credentials", scope="openid jobs:read")
    assert (answer.status_code, answer.json()["scope"]) == (200, "jobs:read")
    whole = await register(client, scopes=["*"])
    for app, scope in ((both, "openid"), (whole, "openid jobs:read")):
        answer = await app.ask(grant_type="client_credentials", scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_a_refresh_gives_what_is_still_allowed(world: World) -> None:
    """Less for an app that was narrowed, less for a person in another role, and nothing where nothing is left."""
    tokens = await world.app.tokens(world.browser, scope="jobs:read jobs:write offline_access")
    (person,) = (await world.admin.get("/api/v1/users", params={"email": world.email})).json()["data"]

    async def again() -> httpx2.Response:
        answer = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        tokens.update(answer.json())
        return answer

    async def role(name: str) -> None:
        assert (await world.admin.patch(f"/api/v1/users/{person['id']}", json={"role": name})).status_code == 200

    await role("viewer")
    assert (await again()).json()["scope"] == "jobs:read offline_access"
    await role("technician")
    assert (await again()).json()["scope"] == "jobs:read jobs:write offline_access"
    path = f"/api/v1/oauth-apps/{world.app.id}"
    assert (await world.admin.patch(path, json={"scopes": ["jobs:write"]})).status_code == 200
    assert (await again()).json()["scope"] == "jobs:write offline_access"


async def test_a_refresh_gives_nothing_where_nothing_is_left(world: World) -> None:
    tokens = await world.app.tokens(world.browser, scope="jobs:read")
    assert (
        await world.admin.patch(f"/api/v1/oauth-apps/{world.app.id}", json={"scopes": ["clients:write"]})
    ).is_success
    answer = await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_an_app_learns_of_a_person_what_he_allowed(world: World) -> None:
    assert "id_token" not in await world.app.tokens(world.browser, scope="jobs:read")
    for scope, told in (("openid", set()), ("openid profile", {"name"}), ("openid email", {"email"})):
        tokens = await world.app.tokens(world.browser, scope=scope)
        async with calling(headers={"authorization": f"Bearer {tokens['access_token']}"}) as caller:
            whose = (await caller.get(f"{world.tenant.url}/oauth/userinfo")).json()
        for known in (claims(tokens["id_token"]), whose):
            assert known.keys() & {"name", "email"} == told, scope


async def test_nobody_takes_back_the_tokens_of_a_neighbour(world: World) -> None:
    neighbour = await for_people(world.admin, scopes=["jobs:read"])
    tokens = await world.app.tokens(world.browser, scope="jobs:read")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        refused = await neighbour.ask("/oauth/revoke", token=token)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert await active(world.app, token)
    for path in ("/oauth/revoke", "/oauth/introspect"):
        nothing = await world.app.ask(path, token_type_hint="access_token")
        assert (nothing.status_code, nothing.json()["error"]) == (400, "invalid_request")


async def test_a_refresh_token_is_active_until_it_is_used_or_over(world: World, stage: Stage) -> None:
    superuser = await stage.superuser()
    tokens = await world.app.tokens(world.browser, scope="jobs:read")
    fresh = (await world.app.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
    assert not await active(world.app, tokens["refresh_token"])
    for table in ("oauth_refreshes", "oauth_families"):
        kept = await superuser.fetchval(f"SELECT max(expires_at) FROM {table} WHERE tenant_id = $1", world.tenant.id)
        moved = f"UPDATE {table} SET expires_at = $2 WHERE tenant_id = $1"
        assert await active(world.app, fresh["refresh_token"])
        await superuser.execute(moved, world.tenant.id, clock.now())
        assert not await active(world.app, fresh["refresh_token"]), table
        await superuser.execute(moved, world.tenant.id, kept)
    await superuser.close()


async def active(app: App, token: str) -> bool:
    """Whether introspection says that a token counts."""
    found = (await app.ask("/oauth/introspect", token=token)).json()
    return bool(found["active"])
