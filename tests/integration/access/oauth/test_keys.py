"""The keys that sign: sealed, published, changed; and what a forger makes of them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from joserfc import jws

from crosstie.access.oauth.ring import AHEAD, NOBODY, Ring
from crosstie.db import engine
from crosstie.kit import clock
from crosstie.kit.crypto import Unsealable
from tests.integration.access.oauth.rig import becomes, register, status
from tests.stage import Stage, Tenant


@dataclass
class Forge:
    """The installation's own key in a forger's hands: what he signs has a signature that holds."""

    ring: Ring
    claims: dict[str, Any]

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = self.ring.signer()
        head = {"alg": key.algorithm, "kid": str(key.id), "typ": "at+jwt"} | (header or {})
        whole = {name: value for name, value in (self.claims | claims).items() if value is not None}
        return jws.serialize_compact(head, json.dumps(whole), key.private, algorithms=[key.algorithm])


@pytest.fixture
async def pool(stage: Stage) -> AsyncIterator[asyncpg.Pool]:
    found = await engine.pool(stage.dsns.app, size=2, name="test")
    yield found
    await found.close()


@pytest.fixture
async def ring(stage: Stage, pool: asyncpg.Pool) -> Ring:
    found = Ring(pool, await stage.vault())
    await found.fresh()
    return found


@pytest.fixture
async def forge(ring: Ring, tenant: Tenant, client: httpx2.AsyncClient) -> Forge:
    app = await register(client)
    now = int(time.time())
    return Forge(ring, {
        "iss": tenant.url, "aud": tenant.url, "sub": app.client_id, "client_id": app.client_id, "iat": now,
        "exp": now + 600, "tenant_id": str(tenant.id), "scope": "jobs:read", "roles": [], "jti": str(uuid4()),
    })  # fmt: skip


async def test_a_signature_that_holds_is_not_enough(stage: Stage, client: httpx2.AsyncClient, forge: Forge) -> None:
    assert await status(client, forge.token()) == 200
    other = await stage.tenant()
    now = int(time.time())
    wrong = {
        "over": forge.token(exp=now - 120),
        "over a second ago": forge.token(exp=now - 1),
        "not begun": forge.token(nbf=now + 600),
        "from the future": forge.token(iat=now + 600),
        "another issuer": forge.token(iss="https://evil.example"),
        "another audience": forge.token(aud="https://evil.example"),
        "no audience": forge.token(aud=None),
        "no end": forge.token(exp=None),
        "an ID token": forge.token({"typ": "JWT"}),
        "an app of nobody": forge.token(client_id="app_nobody", sub="app_nobody"),
        "an app of others": forge.token(tenant_id=str(other.id)),
        "a person of nobody": forge.token(sub=str(uuid4())),
        "no scope": forge.token(scope=None),
        "no tenant": forge.token(tenant_id=None),
    }
    for name, token in wrong.items():
        assert await status(client, token) == 401, name
    assert await status(client, forge.token(scope="*")) == 200
    assert await status(client, forge.token(scope="*"), "/api/v1/clients") == 403, "the app's own limits stay"


async def test_the_next_key_is_known_before_it_signs(client: httpx2.AsyncClient, forge: Forge) -> None:
    ring = forge.ring
    before, known = ring.signer(), {key["kid"] for key in ring.published()["keys"]}
    old = forge.token()
    await ring.rotate(clock.now() + AHEAD)
    assert ring.signer().id == before.id, "published, and not yet signing"
    coming = {key["kid"] for key in ring.published()["keys"]} - known
    assert len(coming) == 1
    shown = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert await status(client, old) == 200
    await ring.rotate(clock.now())  # an operator who does not wait
    assert str(ring.signer().id) not in {str(before.id), *coming}
    await becomes(client, forge.token(jti=str(uuid4())), 200)  # the API learns of it by itself
    assert await status(client, old) == 200
    assert str(before.id) in {key["kid"] for key in shown}
    assert all(set(key) == {"kty", "n", "e", "kid", "use", "alg"} for key in shown)


async def test_a_key_that_was_followed_long_ago_is_found_no_more(stage: Stage, pool: asyncpg.Pool, ring: Ring) -> None:
    old = str(ring.signer().id)
    assert ring.find(old, "RS256") is not None
    assert ring.find(old, "ES256") is None
    await ring.rotate(clock.now())
    behind = await stage.superuser()
    # one that is yet to sign, which another test may have made, stays where it is: it follows ours
    moved = "UPDATE signing_keys SET signs_from = signs_from"
    await behind.execute(f"{moved} - interval '2 days' WHERE signs_from <= now()")
    later = Ring(pool, await stage.vault())
    await later.fresh()
    await behind.execute(f"{moved} + interval '2 days' WHERE signs_from <= now() - interval '2 days'")
    await behind.close()
    assert later.find(old, "RS256") is None
    assert later.find(str(ring.signer().id), "RS256") is not None


async def test_private_keys_are_sealed(stage: Stage, pool: asyncpg.Pool, ring: Ring) -> None:
    behind = await stage.superuser()
    rows = await behind.fetch("SELECT * FROM signing_keys")
    await behind.close()
    key = ring.signer()
    secret = json.dumps(key.private.as_dict(private=True)).encode()
    vault = await stage.vault()
    await vault.load(pool, NOBODY)
    assert rows
    for row in rows:
        assert b'"d"' not in row["private"]
        assert secret[20:60] not in row["private"]
        with pytest.raises(Unsealable):
            vault.open(NOBODY, row["private"], "signing_keys", "private", uuid4())
        assert b'"d"' in vault.open(NOBODY, row["private"], "signing_keys", "private", row["id"])


async def test_a_key_that_is_taken_away_ends_its_tokens(stage: Stage, client: httpx2.AsyncClient, forge: Forge) -> None:
    """After a theft: the row is deleted, and a new key signs."""
    await forge.ring.rotate(clock.now())
    token = forge.token()
    await becomes(client, token, 200)
    behind = await stage.superuser()
    await behind.execute("DELETE FROM signing_keys WHERE id = $1", forge.ring.signer().id)
    await behind.close()
    await becomes(client, token, 401)
