"""Apps that act by themselves: registered, approved, given tokens, suspended."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2
import pytest
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.fence import fence
from tests.integration.access.oauth.rig import becomes, register, status
from tests.stage import Stage, Tenant


async def test_pending_until_an_admin_approves(client: httpx2.AsyncClient) -> None:
    app = await register(client, approve=False)
    shown = await client.get(f"/api/v1/oauth-apps/{app.id}")
    assert (shown.json()["status"], "secret" in shown.text) == ("pending", False)
    refused = await app.ask(grant_type="client_credentials")
    assert (refused.status_code, refused.json()["error"]) == (403, "unauthorized_client")
    await app.move("approve")
    token = await app.token()
    assert await status(client, token) == 200
    assert await status(client, token, "/api/v1/clients") == 403
    await app.move("suspend")
    await becomes(client, token, 401)
    assert (await app.ask(grant_type="client_credentials")).status_code == 403
    await app.move("approve")
    await becomes(client, token, 200)


async def test_a_judge_gets_and_reads_a_token(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    """Authlib's own client, and joserfc with the published keys."""
    app = await register(client)
    session = OAuth2Session(app.client_id, app.client_secret, scope="jobs:read")
    found = await asyncio.to_thread(session.fetch_token, f"{tenant.url}/oauth/token", grant_type="client_credentials")
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("Bearer", 600, "jobs:read")
    keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())
    read = jwt.decode(found["access_token"], keys, algorithms=["RS256"])
    assert read.header["typ"] == "at+jwt"
    claims = read.claims
    assert claims["sub"] == claims["client_id"] == app.client_id
    assert (claims["iss"], claims["aud"], claims["tenant_id"]) == (tenant.url, tenant.url, str(tenant.id))
    assert (claims["scope"], claims["roles"], claims["exp"] - claims["iat"]) == ("jobs:read", [], 600)
    assert {key.kid for key in keys.keys} >= {read.header["kid"]}
    assert "d" not in (await client.get("/.well-known/jwks.json")).json()["keys"][0]


async def test_events_name_the_app(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    app = await register(client, scopes=["clients:write"])
    headers = {"authorization": f"Bearer {await app.token()}"}
    async with httpx2.AsyncClient(base_url=tenant.url, headers=headers) as caller:
        made = await caller.post("/api/v1/clients", json={"name": "Thandi"})
    assert made.status_code == 201, made.text
    await fence(client)
    subject = {"subject_type": "client", "subject_id": made.json()["id"]}
    page = await client.get("/api/v1/events", params=subject)
    assert page.json()["data"][0]["actor"] == {"type": "app", "id": app.id}


FORM = "application/x-www-form-urlencoded"
REFUSED: dict[str, tuple[dict[str, str], int, str]] = {
    "no grant": ({"scope": "jobs:read"}, 400, "invalid_request"),
    "a grant nobody knows": ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
    "a password": ({"grant_type": "password", "username": "a", "password": "b"}, 400, "unsupported_grant_type"),
    "more than it has": ({"grant_type": "client_credentials", "scope": "clients:read"}, 400, "invalid_scope"),
    "everything": ({"grant_type": "client_credentials", "scope": "*"}, 400, "invalid_scope"),
    "who it is": ({"grant_type": "client_credentials", "scope": "openid"}, 400, "invalid_scope"),
    "no such scope": ({"grant_type": "client_credentials", "scope": "jobs:fly"}, 400, "invalid_scope"),
    "nonsense": ({"grant_type": "client_credentials", "scope": 'a"b\\c'}, 400, "invalid_scope"),
    "another place": ({"grant_type": "client_credentials", "resource": "https://x.example"}, 400, "invalid_target"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_refusals_are_those_of_the_protocol(client: httpx2.AsyncClient, name: str) -> None:
    form, code, error = REFUSED[name]
    answer = await (await register(client)).ask(**form)
    assert (answer.status_code, answer.json()["error"]) == (code, error)
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


async def test_who_calls_must_be_proved(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    app = await register(client)
    form = {"grant_type": "client_credentials"}
    good = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
    wrong: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({}, {}),
        ({"client_id": app.client_id}, {}),
        ({"client_id": app.client_id, "client_secret": "x"}, {}),
        ({"client_id": "app_nobody", "client_secret": app.client_secret}, {}),
        ({}, {"authorization": "Basic !!!"}),
        ({}, {"authorization": "Basic " + base64.b64encode(app.client_id.encode()).decode()}),
        ({}, {"authorization": "Basic " + base64.b64encode(f"{app.client_id}:".encode()).decode()}),
        ({}, {"authorization": f"Bearer {app.client_secret}"}),
        ({}, {"authorization": f"Basic {good[:-4]}"}),
        ({}, {"authorization": f"Bearer {good}"}),
        ({}, {"authorization": f"Basic {good[:4]}!{good[4:]}"}),
    ]
    bodies = set()
    async with httpx2.AsyncClient(base_url=tenant.url) as caller:
        for fields, headers in wrong:
            answer = await caller.post("/oauth/token", data=form | fields, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), (fields, headers)
            assert answer.headers["www-authenticate"].startswith("Basic ")
            bodies.add(answer.text)
        assert len(bodies) == 1, "the answer tells which part was wrong"
        post = {"client_id": app.client_id, "client_secret": app.client_secret}
        assert (await caller.post("/oauth/token", data=form | post)).status_code == 200
        # %5F is how some clients write an underscore (RFC 6749 §2.3.1)
        coded = base64.b64encode(f"{app.client_id}:{app.client_secret}".replace("_", "%5F").encode()).decode()
        assert (
            await caller.post("/oauth/token", data=form, headers={"authorization": f"Basic {coded}"})
        ).status_code == 200
        both = await caller.post("/oauth/token", data=form | post, headers={"authorization": f"Basic {good}"})
        assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
        twice = await caller.post(
            "/oauth/token",
            content="grant_type=client_credentials&grant_type=x",
            headers={"authorization": f"Basic {good}", "content-type": FORM},
        )
        assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
        sent = await caller.post("/oauth/token", json=form, headers={"authorization": f"Basic {good}"})
        assert (sent.status_code, sent.json()["error"]) == (400, "invalid_request")
        many = "&".join(f"x{number}=1" for number in range(60))
        for content, kind in (("", "text/plain"), ("&scope=%ff", FORM), (f"&{many}", FORM)):
            odd = await caller.post(
                "/oauth/token",
                content=f"grant_type=client_credentials{content}",
                headers={"authorization": f"Basic {good}", "content-type": kind},
            )
            assert (odd.status_code, odd.json()["error"]) == (400, "invalid_request"), content[:9]
        assert (await caller.get("/oauth/token")).status_code == 405


async def test_a_new_secret_and_the_old_one_for_a_while(client: httpx2.AsyncClient) -> None:
    app = await register(client)
    for overlap, after in ((60, 200), (0, 401)):
        old = app.client_secret
        answer = await client.post(f"/api/v1/oauth-apps/{app.id}/rotate-secret", json={"overlap_seconds": overlap})
        fresh = answer.json()["client_secret"]
        assert (await app.ask(grant_type="client_credentials")).status_code == after
        app.client_secret = fresh
        assert fresh != old
        assert (await app.ask(grant_type="client_credentials")).status_code == 200


async def test_nobody_approves_more_than_he_has(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    app = await register(client, approve=False, scopes=["clients:read"])
    made = await client.post("/api/v1/api-keys", json={"name": "x", "scopes": ["oauth-apps:write", "oauth-apps:read"]})
    async with httpx2.AsyncClient(base_url=tenant.url, headers={"x-api-key": made.json()["key"]}) as small:
        assert (await small.post(f"/api/v1/oauth-apps/{app.id}/approve")).status_code == 403
        await app.move("approve")
        # nor does he make an approved one larger
        assert (await small.patch(f"/api/v1/oauth-apps/{app.id}", json={"scopes": ["jobs:write"]})).status_code == 403
    helper = await register(client, scopes=["oauth-apps:write", "clients:read"])
    other = await register(client, approve=False, scopes=["clients:read"])
    headers = {"authorization": f"Bearer {await helper.token()}"}
    async with httpx2.AsyncClient(base_url=tenant.url, headers=headers) as caller:
        assert (await caller.post(f"/api/v1/oauth-apps/{other.id}/approve")).status_code == 403


WRONG = {
    "http://app.example/cb", "https://app.example/cb#part", "https://u:p@app.example/cb", "https://*.example/cb",
    "javascript:alert(1)", "data:text/html,x", "app.example/cb", "/cb", "", "https://", "https:///cb",
    "https://app.example\\@evil.example/cb", "https://app.example/ cb", "https://äpp.example/cb", "file:///etc/passwd",
    "https://app.example:x/cb", "com.example.app://host/cb", "myapp:/cb", "https://app.example/\"onload=",
}  # fmt: skip


async def test_addresses_to_come_back_to_are_looked_at(client: httpx2.AsyncClient) -> None:
    for uri in WRONG:
        body = {"name": "x", "scopes": ["jobs:read"], "redirect_uris": ["https://ok.example/cb", uri]}
        answer = await client.post("/api/v1/oauth-apps", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/redirect_uris/1"), uri
    right = ["https://ok.example/cb?x=1", "http://127.0.0.1:9999/cb", "http://[::1]/cb", "com.example.app:/cb"]
    body = {"name": "x", "scopes": ["jobs:read"], "redirect_uris": right}
    assert (await client.post("/api/v1/oauth-apps", json=body)).status_code == 201
    assert (await client.post("/api/v1/oauth-apps", json=body | {"redirect_uris": []})).status_code == 422
    bare = {"public": True, "grant_types": ["client_credentials"]}
    assert (await client.post("/api/v1/oauth-apps", json=body | bare)).status_code == 422


async def test_a_token_stays_in_its_tenant(stage: Stage, client: httpx2.AsyncClient, tenant: Tenant) -> None:
    """X-Tenant-ID picks nothing where the credential has a tenant of its own."""
    other = await stage.tenant()
    async with other.client() as theirs:
        assert (await theirs.post("/api/v1/clients", json={"name": "Theirs"})).status_code == 201
    app = await register(client, scopes=["clients:read"])
    headers = {"authorization": f"Bearer {await app.token()}", "x-tenant-id": str(other.id)}
    async with httpx2.AsyncClient(base_url=tenant.url, headers=headers) as caller:
        answer = await caller.get("/api/v1/clients")
    assert (answer.status_code, answer.json()["data"]) == (200, [])


async def test_a_token_that_was_altered_is_none(client: httpx2.AsyncClient) -> None:
    """The whole list of attacks runs in tests/unit/access; here is that the API asks that judge."""
    token = await (await register(client)).token()
    head, claims, signature = token.split(".")
    plain = json.loads(base64.urlsafe_b64decode(claims + "=="))
    wider = base64.urlsafe_b64encode(json.dumps(plain | {"scope": "*"}).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    for wrong in (f"{head}.{wider}.{signature}", f"{none}.{wider}.", f"{none}.{wider}.{signature}", f"{token}x", head):
        assert await status(client, wrong) == 401
