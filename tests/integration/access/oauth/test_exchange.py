"""Token exchange: an app that got a person's token calls on in his name (RFC 8693)."""

from __future__ import annotations

import time
from typing import Any

import httpx2
from joserfc import jws

from crosstie.access.jwt import LEEWAY
from crosstie.access.oauth.app import EXCHANGE
from crosstie.kit import json
from tests.integration.access.oauth.rig import App, World, becomes, for_people, register, status
from tests.parts.issuer import issuing
from tests.stage import Stage

ACCESS = "urn:ietf:params:oauth:token-type:access_token"


async def swap(app: App, token: str, **form: str) -> httpx2.Response:
    usual = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS}
    return await app.ask(**{name: value for name, value in (usual | form).items() if value})


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(jws.extract_compact(token.encode()).payload or b""))


async def test_on_behalf_of_a_person_and_no_further(world: World, stage: Stage) -> None:
    grants = [EXCHANGE, "client_credentials"]
    back = await register(world.admin, grant_types=grants, scopes=["jobs:read", "clients:read"])
    tokens = await world.app.tokens(world.browser, scope="openid jobs:read jobs:write")
    first = claims(tokens["access_token"])
    answer = await swap(back, tokens["access_token"])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["issued_token_type"], found["token_type"], found["scope"]) == (ACCESS, "Bearer", "jobs:read")
    made = claims(found["access_token"])
    assert (made["sub"], made["act"]) == (first["sub"], {"sub": back.client_id})
    assert made["exp"] <= first["exp"]
    assert await status(world.admin, found["access_token"]) == 200
    assert "refresh_token" not in found
    wider = await swap(back, tokens["access_token"], scope="jobs:write")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    refused = [
        await swap(back, tokens["id_token"]),
        await swap(back, "x"),
        await swap(back, world.tenant.key),
        await swap(back, await back.token()),
        await swap(back, tokens["access_token"], subject_token_type="urn:ietf:params:oauth:token-type:saml2"),
        await swap(back, tokens["access_token"], subject_token_type=""),
        await swap(back, tokens["access_token"], requested_token_type="urn:ietf:params:oauth:token-type:refresh_token"),
        await swap(back, tokens["access_token"], actor_token="x", actor_token_type=ACCESS),
    ]
    assert [(each.status_code, each.json()["error"]) for each in refused] == [(400, "invalid_request")] * len(refused)
    plain = await swap(await register(world.admin), tokens["access_token"])
    assert (plain.status_code, plain.json()["error"]) == (400, "unauthorized_client")
    async with (await stage.tenant()).client() as theirs:
        foreign = await register(theirs, grant_types=[EXCHANGE], scopes=["jobs:read"])
        assert (await swap(foreign, tokens["access_token"])).json()["error"] == "invalid_request"
    chain = found["access_token"]
    for _ in range(2):
        chain = (await swap(back, chain)).json()["access_token"]
    me = {"sub": back.client_id}
    assert claims(chain)["act"] == me | {"act": me | {"act": me}}
    assert (await swap(back, chain)).json()["error"] == "invalid_request"
    # it ends with the token that it came from
    await world.app.ask("/oauth/revoke", token=tokens["refresh_token"])
    for token in (found["access_token"], chain):
        await becomes(world.admin, token, 401)


async def test_an_app_of_a_suspended_person_gets_nothing(world: World) -> None:
    back = await register(world.admin, grant_types=[EXCHANGE], scopes=["jobs:read"])
    tokens = await (await for_people(world.admin, scopes=["jobs:read"])).tokens(world.browser, scope="jobs:read")
    (person,) = (await world.admin.get("/api/v1/users", params={"email": world.email})).json()["data"]
    assert (await swap(back, tokens["access_token"])).status_code == 200, "what is known of it is kept for seconds"
    assert (await world.admin.post(f"/api/v1/users/{person['id']}/suspend")).status_code == 200
    assert (await swap(back, tokens["access_token"])).json()["error"] == "invalid_request"


async def test_tokens_of_a_trusted_issuer_where_they_are_a_persons(world: World, stage: Stage) -> None:
    back = await register(world.admin, grant_types=[EXCHANGE], scopes=["jobs:read"])
    with issuing() as issuer:
        trusted = {"issuer": issuer.address, "audience": "crosstie", "claims": {"scopes": "scope"}}
        assert (await world.admin.post("/api/v1/trusted-issuers", json=trusted)).status_code == 201
        soon = int(time.time()) + 30
        token = issuer.token(email="thandi@issuer.example", roles=["technician"], exp=soon)
        answer = await swap(back, token, subject_token_type="urn:ietf:params:oauth:token-type:jwt")
        assert (answer.status_code, answer.json()["scope"]) == (200, "jobs:read"), answer.text
        made = claims(answer.json()["access_token"])
        assert (made["act"], made["exp"] <= soon + LEEWAY) == ({"sub": back.client_id}, True)
        program = issuer.token(sub="robot", scope="jobs:read")
        assert await status(world.admin, program) == 200
        assert (await swap(back, program)).json()["error"] == "invalid_request", "a program is nobody"
        async with (await stage.tenant()).client() as theirs:
            foreign = await register(theirs, grant_types=[EXCHANGE], scopes=["jobs:read"])
            assert (await swap(foreign, token)).json()["error"] == "invalid_request"
