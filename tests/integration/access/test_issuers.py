"""Tokens of issuers that tenants trust: what is taken, for whom, and all that is not."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.fence import until
from tests.parts.issuer import HOUR, Issuer, issuing
from tests.stage import Stage, Tenant, calling

RSA = RSAKey.generate_key(2048)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        found.keys["rsa"] = RSA
        yield found


async def trust(client: httpx2.AsyncClient, issuer: Issuer, **more: Any) -> dict[str, Any]:
    answer = await client.post(
        "/api/v1/trusted-issuers", json={"issuer": issuer.address, "audience": "crosstie"} | more
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def ask(tenant: Tenant, token: str, path: str = "/api/v1/jobs", **headers: str) -> httpx2.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with calling(tenant.url, headers={"authorization": f"Bearer {token}"} | headers) as caller:
        return await caller.get(path)


async def status(tenant: Tenant, token: str, path: str = "/api/v1/jobs", **headers: str) -> int:
    return (await ask(tenant, token, path, **headers)).status_code


async def becomes(tenant: Tenant, token: str, wanted: int, **headers: str) -> None:
    """Return when a token is answered so."""

    async def has() -> bool:
        return await status(tenant, token, **headers) == wanted

    await until(has)


PERSON: dict[str, Any] = {"email": "Thandi@issuer.example", "name": "Thandi", "roles": ["technician"]}


async def test_a_person_becomes_a_user_at_the_first_request(
    client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer
) -> None:
    await trust(client, issuer)
    answers = await asyncio.gather(*(ask(tenant, issuer.token(jti=str(n), **PERSON)) for n in range(8)))
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    users = (await client.get("/api/v1/users")).json()["data"]
    assert [(user["email"], user["name"], user["role"], user["issuer"], user["subject"]) for user in users] == [
        ("thandi@issuer.example", "Thandi", "technician", issuer.address, "u-1")
    ]
    token = issuer.token(**PERSON)
    assert await status(tenant, token, "/api/v1/api-keys") == 403, "a technician has no keys"
    async with httpx2.AsyncClient(base_url=tenant.url, headers={"authorization": f"Bearer {token}"}) as caller:
        made = await caller.post("/api/v1/jobs", json={"title": "x"})
        assert made.status_code == 422, "he may write jobs; this one lacks a client"
    stranger = issuer.token(sub="u-2", email="stranger@issuer.example", roles=["unheard-of"])
    assert await status(tenant, stranger) == 403, "whose roles nobody knows opens nothing"


async def test_roles_follow_the_newest_word(client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer) -> None:
    await trust(client, issuer, roles={"boss": "owner", "root": "admin"}, default_role="viewer")
    now = int(time.time())

    async def role(token: str) -> tuple[str, list[str]]:
        assert await status(tenant, token) == 200
        (user,) = (await client.get("/api/v1/users")).json()["data"]
        return user["role"], user["further_roles"]

    assert await role(issuer.token(**PERSON | {"roles": ["boss", "technician"], "iat": now - 50})) == (
        "owner",
        ["technician"],
    )
    old = issuer.token(**PERSON | {"roles": ["root"], "iat": now - 90})
    assert await role(old) == ("owner", ["technician"]), "an older token changes nothing"
    assert await role(issuer.token(**PERSON | {"roles": ["unheard-of"], "iat": now - 10})) == ("viewer", [])
    assert await status(tenant, old, "/api/v1/api-keys") == 403
    assert await role(issuer.token(email=PERSON["email"], iat=now)) == ("viewer", []), "no word about roles is none"


async def test_claims_are_found_where_the_mapping_says(
    client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer
) -> None:
    claims = {"tenant": "https://x.example/firm", "roles": "realm.roles", "scopes": "scope", "email": "mail"}
    await trust(client, issuer, claims=claims)
    good: dict[str, Any] = {"https://x.example/firm": tenant.slug, "realm": {"roles": "owner"}, "mail": "a@b.example"}
    assert await status(tenant, issuer.token(**good)) == 200
    assert await status(tenant, issuer.token(**good | {"https://x.example/firm": str(tenant.id)})) == 200
    assert await status(tenant, issuer.token(**good | {"https://x.example/firm": "another"})) == 401
    assert await status(tenant, issuer.token(**good | {"https://x.example/firm": None})) == 401
    narrow = issuer.token(**good | {"scope": "clients:read openid"})
    assert await status(tenant, narrow) == 403
    assert await status(tenant, narrow, "/api/v1/clients") == 200
    program: dict[str, Any] = {"https://x.example/firm": tenant.slug, "sub": "robot", "scope": "jobs:read"}
    robot = issuer.token(**program)
    assert await status(tenant, robot) == 200
    assert await status(tenant, robot, "/api/v1/clients") == 403
    assert await status(tenant, issuer.token(**program | {"scope": "openid"}), "/oauth/userinfo") == 403
    assert await status(tenant, issuer.token(**program | {"scope": "x " * 200 + "jobs:read"})) == 403, "200 words count"
    assert len((await client.get("/api/v1/users")).json()["data"]) == 1, "a program is no user"


async def test_a_registration_caps_what_its_tokens_allow(
    client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer
) -> None:
    await trust(client, issuer, scopes=["jobs:read"])
    for number, role in enumerate(("admin", "technician")):
        token = issuer.token(**PERSON | {"sub": role, "email": f"{number}@issuer.example", "roles": [role]})
        assert await status(tenant, token) == 200
        assert await status(tenant, token, "/api/v1/clients") == 403


async def test_an_issuer_serves_the_tenants_that_registered_it(stage: Stage, issuer: Issuer) -> None:
    first, second, third = [await stage.tenant() for _ in range(3)]
    token = issuer.token(**PERSON)
    assert await status(first, token) == 401, "nobody has registered it"
    async with first.client() as one, second.client() as two:
        await trust(one, issuer)
        await becomes(first, token, 200)
        assert await status(second, token, x_tenant_id=str(second.id)) == 403
        await trust(two, issuer)
        await becomes(first, token, 403)  # two of them now: which one is meant?
        assert "X-Tenant-ID" in (await ask(first, token)).json()["detail"]
        assert await status(first, token, x_tenant_id=str(third.id)) == 403
        for tenant, client in ((first, one), (second, two)):
            assert await status(tenant, token, x_tenant_id=str(tenant.id)) == 200
            assert len((await client.get("/api/v1/users")).json()["data"]) == 1
        other = issuer.token(**PERSON | {"aud": "elsewhere"})
        assert await status(first, other, x_tenant_id=str(first.id)) == 401
        (registered,) = (await two.get("/api/v1/trusted-issuers")).json()["data"]
        await two.delete(f"/api/v1/trusted-issuers/{registered['id']}")
        await becomes(second, token, 403, x_tenant_id=str(second.id))
        await becomes(first, token, 200)


async def test_nobody_vouches_for_another_tenants_people(stage: Stage, issuer: Issuer) -> None:
    """A tenant that registers the other's issuer with keys of its own gets no further than its own door."""
    victim, evil = await stage.tenant(), await stage.tenant()
    with issuing() as forger:
        async with victim.client() as one, evil.client() as two:
            await trust(one, issuer)
            await trust(two, issuer, jwks_uri=f"{forger.address}/keys")
        forged = issuer.token(key=forger.keys["first"], **PERSON)
        assert await status(victim, forged, x_tenant_id=str(victim.id)) == 401
        answer = await ask(evil, forged, "/api/v1/tenants")
        assert [row["id"] for row in answer.json()["data"]] == [str(evil.id)]


async def test_nobody_bars_another_tenants_people(stage: Stage, issuer: Issuer) -> None:
    """A tenant that registers the other's issuer makes its tokens neither ambiguous nor unavailable."""
    victim, evil = await stage.tenant(), await stage.tenant()
    async with victim.client() as one, evil.client() as two:
        with issuing() as nowhere:
            await trust(two, issuer, jwks_uri=f"{nowhere.address}/none")
        await trust(one, issuer)
        assert await status(victim, issuer.token(**PERSON)) == 200, "keys that never come bar nobody"
        await trust(two, issuer, audience="crosstie-2")
        (mine,) = (await one.get("/api/v1/trusted-issuers")).json()["data"]
        await one.patch(f"/api/v1/trusted-issuers/{mine['id']}", json={"claims": {"tenant": "firm"}})
        both = issuer.token(**PERSON | {"aud": ["crosstie", "crosstie-2"], "firm": victim.slug})
        await becomes(victim, both, 200)
        answer = await ask(victim, both, "/api/v1/tenants")
        assert [row["id"] for row in answer.json()["data"]] == [str(victim.id)], "the token names its tenant"


async def test_a_token_that_names_its_tenant_is_that_tenants(stage: Stage, issuer: Issuer) -> None:
    """Another one that registered the same issuer and audience, without a claim, gets nothing of it."""
    victim, evil = await stage.tenant(), await stage.tenant()
    async with evil.client() as two, victim.client() as one:
        await trust(two, issuer)
        await trust(one, issuer, claims={"tenant": "firm"})
    token = issuer.token(**PERSON, firm=str(victim.id))
    answer = await ask(victim, token, "/api/v1/tenants")
    assert [row["id"] for row in answer.json()["data"]] == [str(victim.id)]


async def test_keys_rotate_without_a_restart(client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer) -> None:
    await trust(client, issuer)
    assert await status(tenant, issuer.token(**PERSON)) == 200
    issuer.keys = {"second": ECKey.generate_key("P-256")}
    fresh = issuer.token({"kid": "second"}, issuer.keys["second"], **PERSON)
    assert await status(tenant, fresh) == 200
    issuer.down = True
    for number in range(5):
        more = issuer.token({"kid": "second"}, issuer.keys["second"], jti=str(number), **PERSON)
        assert await status(tenant, more) == 200, "an issuer that is down locks nobody out"
    asked = issuer.asked["/keys"]
    for number in range(30):
        assert await status(tenant, issuer.token({"kid": f"no-{number}"}, issuer.keys["second"], **PERSON)) == 401
    assert issuer.asked["/keys"] <= asked + 1


async def test_an_issuer_without_keys_is_503(client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer) -> None:
    await trust(client, issuer)
    issuer.down = True
    answer = await ask(tenant, issuer.token(**PERSON))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


async def test_a_suspended_user_is_out(
    client: httpx2.AsyncClient, tenant: Tenant, stage: Stage, issuer: Issuer
) -> None:
    await trust(client, issuer)
    token = issuer.token(**PERSON)
    assert await status(tenant, token) == 200
    behind = await stage.superuser()
    await behind.execute("UPDATE users SET status = 'suspended' WHERE tenant_id = $1", tenant.id)
    await behind.close()
    await becomes(tenant, token, 403)


async def test_an_address_of_another_identity_is_not_taken_over(
    client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer
) -> None:
    made = await client.post("/api/v1/users", json={"email": "thandi@issuer.example", "role": "admin"})
    assert made.status_code == 201, made.text
    await trust(client, issuer)
    answer = await ask(tenant, issuer.token(**PERSON | {"roles": ["admin"]}))
    assert answer.status_code == 403
    assert "address" in answer.json()["detail"]


async def test_what_cannot_be_registered(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    async def refused(**body: Any) -> tuple[int, str]:
        answer = await client.post("/api/v1/trusted-issuers", json={"audience": "a", **body})
        return answer.status_code, answer.json().get("code", "")

    assert await refused(issuer="http://169.254.169.254/latest") == (422, "egress_forbidden")
    assert await refused(issuer="https://ok.example", jwks_uri="https://10.0.0.1/keys") == (422, "egress_forbidden")
    assert await refused(issuer=tenant.url) == (422, "invalid"), "our own tokens are not somebody else's"
    assert await refused(issuer="https://ok.example", scopes=["no:scope"]) == (422, "invalid")
    assert await refused(issuer="https://ok.example", roles={"a": 1}) == (422, "invalid")
    key = await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["trusted-issuers:write", "jobs:read"]})
    async with httpx2.AsyncClient(base_url=tenant.url, headers={"x-api-key": key.json()["key"]}) as small:
        body = {"issuer": "https://ok.example", "audience": "a"}
        assert (await small.post("/api/v1/trusted-issuers", json=body)).status_code == 403, "it would give away more"
        made = await small.post("/api/v1/trusted-issuers", json=body | {"scopes": ["jobs:read"]})
        assert made.status_code == 201
        path = f"/api/v1/trusted-issuers/{made.json()['id']}"
        assert (await small.patch(path, json={"scopes": ["*"]})).status_code == 403
        whole = await client.post("/api/v1/trusted-issuers", json=body | {"audience": "b"})
        path = f"/api/v1/trusted-issuers/{whole.json()['id']}"
        moved = await small.patch(path, json={"jwks_uri": "https://mine.example/keys"})
        assert moved.status_code == 403, "whoever has the keys has all that they open"


def forged(issuer: Issuer, header: dict[str, Any], signature: bytes = b"", **changes: Any) -> str:
    """A token that no library would make."""
    parts = [json.dumps(part).encode() for part in (header, issuer.claims(**PERSON | changes))]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


def attacks(issuer: Issuer) -> dict[str, str]:
    """Every token that must be refused, by what is wrong with it."""
    mine = ECKey.generate_key("P-256")
    pem = RSA.as_pem(private=False)
    now = int(time.time())
    good = issuer.token(**PERSON)
    head, body, signature = good.split(".")
    changed = base64.urlsafe_b64encode(json.dumps(issuer.claims(sub="u-2")).encode()).decode().rstrip("=")
    zeros = base64.urlsafe_b64encode(bytes(64)).decode().rstrip("=")
    found = {
        "alg none": forged(issuer, {"alg": "none", "kid": "first"}, b"x"),
        "alg None": forged(issuer, {"alg": "None", "kid": "first"}, b"x"),
        "alg of another type": forged(issuer, {"alg": ["ES256"], "kid": "first"}, b"x"),
        "no signature": f"{head}.{body}.",
        "no alg": forged(issuer, {"kid": "first"}, b"x"),
        "HS256 with the public key": issuer.token(
            {"alg": "HS256", "kid": "rsa"}, OctKey.import_key(base64.b64encode(pem).decode()), **PERSON
        ),
        "another key": issuer.token(key=mine, **PERSON),
        "a key in the header": issuer.token({"jwk": mine.as_dict(private=False), "kid": None}, mine, **PERSON),
        "the address of a set in the header": issuer.token({"jku": "https://evil.example/keys"}, mine, **PERSON),
        "a certificate in the header": issuer.token({"x5c": ["AAAA"], "x5u": "https://evil.example"}, mine, **PERSON),
        "no kid among several": issuer.token({"kid": None}, mine, **PERSON),
        "kid is a path": issuer.token({"kid": "../../dev/null"}, mine, **PERSON),
        "kid is SQL": issuer.token({"kid": "x' UNION SELECT 'first"}, mine, **PERSON),
        "kid is huge": issuer.token({"kid": "k" * 3000}, mine, **PERSON),
        "kid is a number": forged(issuer, {"alg": "ES256", "kid": 1}, b"x" * 64),
        "algorithm of another key": issuer.token({"alg": "RS256", "kid": "first"}, RSA, **PERSON),
        "crit": issuer.token({"crit": ["kid"]}, **PERSON),
        "b64": issuer.token({"b64": True}, **PERSON),
        "zip": issuer.token({"zip": "DEF"}, **PERSON),
        "a logout token": issuer.token({"typ": "logout+jwt"}, **PERSON),
        "a DPoP proof": issuer.token({"typ": "dpop+jwt"}, **PERSON),
        "body changed": f"{head}.{changed}.{signature}",
        "signature cut": good[:-4],
        "signature of zeros": f"{head}.{body}.{zeros}",
        "encrypted": f"{head}.{body}.{signature}.{body}.{signature}",
        "too large": issuer.token(**PERSON, padding="x" * 9000),
        "no JSON": "e30.e3.e30",
        "names twice": ".".join(
            (head, base64.urlsafe_b64encode(b'{"iss":"a","iss":"b"}').decode().rstrip("="), signature)
        ),
    }
    wrong: dict[str, dict[str, Any]] = {
        "over": {"exp": now - 61},
        "no end": {"exp": None},
        "end is a text": {"exp": str(now + HOUR)},
        "end is true": {"exp": True},
        "end is not a number": {"exp": [now + HOUR]},
        "not yet": {"nbf": now + 120},
        "made in the future": {"iat": now + 120},
        "no moment": {"iat": None},
        "another audience": {"aud": "crosstie2"},
        "audiences without ours": {"aud": ["a", "crosstie/"]},
        "no audience": {"aud": None},
        "audience is an object": {"aud": {"crosstie": 1}},
        "another issuer": {"iss": "https://evil.example"},
        "issuer with a slash": {"iss": f"{issuer.address}/"},
        "no issuer": {"iss": None},
        "no subject": {"sub": None},
        "an empty subject": {"sub": ""},
        "subject is a number": {"sub": 1},
    }
    for name, claims in wrong.items():
        found[name] = issuer.token(**PERSON | claims)
    return found


async def test_every_attack_is_refused_and_leaves_nothing(
    client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer
) -> None:
    await trust(client, issuer)
    assert await status(tenant, issuer.token(sub="robot")) == 403, "the same way in works for a good token"
    asked = issuer.asked["/keys"]
    for name, token in attacks(issuer).items():
        answer = await ask(tenant, token)
        assert answer.status_code == 401, (name, answer.text)
        assert answer.json()["detail"] == "The credential is not valid.", name
        assert answer.headers["www-authenticate"].startswith("Bearer"), name
    assert (await client.get("/api/v1/users")).json()["data"] == []
    assert issuer.asked["/keys"] <= asked + 1, "keys that nobody knows make no storm"


async def test_what_a_good_token_may_look_like(client: httpx2.AsyncClient, tenant: Tenant, issuer: Issuer) -> None:
    await trust(client, issuer)
    now = int(time.time())
    for token in (
        issuer.token({"typ": None}, **PERSON),
        issuer.token({"typ": "at+JWT"}, **PERSON),
        issuer.token({"typ": "application/at+jwt"}, **PERSON),
        issuer.token({"alg": "RS256", "kid": "rsa"}, RSA, **PERSON),
        issuer.token(**PERSON | {"aud": ["other", "crosstie"]}),
        issuer.token(**PERSON | {"exp": now - 30}),
        issuer.token(**PERSON | {"iat": now + 30}),
        issuer.token({"jku": "https://evil.example/keys"}, **PERSON),
    ):
        assert await status(tenant, token) == 200
