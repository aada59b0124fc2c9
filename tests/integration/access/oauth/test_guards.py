"""What the rest of the suite would not miss: guards of apps and tokens, each taken away once to see this fail."""

from __future__ import annotations

from typing import Any

import httpx2

from crosstie.access.oauth.app import EXCHANGE
from tests.fence import until
from tests.integration.access.oauth.rig import World, becomes, for_people, register, status
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
