"""Providers: named by PUT, shown without secrets, refused where they could lead astray."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.fence import fence
from tests.integration.services.conftest import INVOICE, provide, until
from tests.parts.peer import Peer
from tests.stage import Stage, Tenant

WHERE = "/api/v1/service-providers/treasury"
REMOTE = {"mode": "remote", "base_url": "http://127.0.0.1:9/treasury"}


async def test_put_makes_and_replaces(client: httpx2.AsyncClient, tenant: Tenant, stage: Stage) -> None:
    assert (await client.get(WHERE)).status_code == 404
    answer = await client.put(WHERE, json=REMOTE | {"auth": {"type": "bearer", "secret": "top-secret-1"}})
    assert (answer.status_code, answer.headers["location"]) == (201, WHERE)
    made = answer.json()
    assert (made["service"], made["mode"], made["base_url"]) == ("treasury", "remote", REMOTE["base_url"])
    assert (made["breaker"], made["failures"]) == ("closed", 0)
    assert "top-secret-1" not in answer.text
    answer = await client.put(WHERE, json=REMOTE | {"base_url": "https://treasury.example.com"})
    assert answer.status_code == 200
    assert answer.json()["id"] == made["id"]
    assert answer.json()["auth"]["type"] == "none"
    listed = (await client.get("/api/v1/service-providers")).json()["data"]
    assert [each["service"] for each in listed] == ["treasury"]
    connection = await stage.superuser()
    sealed = await connection.fetchval("SELECT auth_secret FROM service_providers WHERE tenant_id = $1", tenant.id)
    await connection.close()
    assert sealed is None  # what is no longer used is not kept
    assert (await client.post(f"{WHERE}/reset", json={})).status_code == 200
    assert (await client.delete(WHERE)).status_code == 204
    assert (await client.get(WHERE)).status_code == 404
    entries = (await client.get("/api/v1/audit-entries", params={"target_id": made["id"]})).json()["data"]
    told = [each["action"].removeprefix("service-providers.") for each in reversed(entries)]
    assert told == ["put", "put", "reset", "delete"]
    assert "top-secret-1" not in str(entries)


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"mode": "remote"}, 422, "invalid", "/base_url"),
        (REMOTE | {"base_url": "http://10.0.0.1/"}, 422, "egress_forbidden", "/base_url"),
        (REMOTE | {"base_url": "https://169.254.169.254/latest"}, 422, "egress_forbidden", "/base_url"),
        (REMOTE | {"base_url": "https://a.example/?q=1"}, 422, "invalid", "/base_url"),
        (REMOTE | {"auth": {"type": "bearer"}}, 422, "invalid", "/auth/secret"),
        (REMOTE | {"auth": {"type": "none", "secret": "x"}}, 422, "invalid", "/auth/secret"),
        (REMOTE | {"auth": {"type": "basic", "secret": "x"}}, 422, "invalid", "/auth/username"),
        (REMOTE | {"auth": {"type": "oauth2", "secret": "x", "client_id": "c"}}, 422, "invalid", "/auth/token_url"),
        (
            REMOTE
            | {"auth": {"type": "oauth2", "secret": "x", "client_id": "c", "token_url": "https://10.1.1.1/token"}},
            422, "egress_forbidden", "/auth/token_url",
        ),
        (REMOTE | {"auth": {"type": "bearer", "secret": "a\r\nb: c"}}, 422, "invalid", "/auth/secret"),
        (REMOTE | {"auth": {"type": "api_key", "secret": "a", "header": "Host"}}, 422, "invalid", "/auth/header"),
        (REMOTE | {"colour": "red"}, 422, "invalid", "/colour"),
        ({"mode": "builtin"}, 422, "invalid", "/mode"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(
    client: httpx2.AsyncClient, body: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    answer = await client.put(WHERE, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await client.get(WHERE)).status_code == 404


async def test_there_is_no_such_service(client: httpx2.AsyncClient) -> None:
    answer = await client.put("/api/v1/service-providers/astrology", json=REMOTE)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "none"}, "authorization", None),
        ({"type": "api_key", "secret": "k1"}, "x-api-key", "k1"),
        ({"type": "api_key", "secret": "k1", "header": "X-Service-Key"}, "x-service-key", "k1"),
        ({"type": "basic", "secret": "p", "username": "u"}, "authorization", "Basic dTpw"),
        ({"type": "basic", "secret": "u:p"}, "authorization", "Basic dTpw"),
    ],
)
async def test_credentials(
    client: httpx2.AsyncClient, remote: Peer, auth: dict[str, Any], header: str, value: str | None
) -> None:
    await provide(client, remote, "treasury", **auth)
    assert (await client.post("/api/v1/treasury/invoices", json=INVOICE)).status_code == 201
    (seen,) = await remote.seen()
    assert seen["headers"].get(header) == value


async def test_a_token_is_fetched_once_and_again_where_it_is_refused(client: httpx2.AsyncClient, remote: Peer) -> None:
    auth = {"type": "oauth2", "secret": "s", "client_id": "c", "token_url": f"{remote.url}/token", "scope": "treasury"}
    await provide(client, remote, "treasury", **auth)
    for _ in range(2):
        assert (await client.post("/api/v1/treasury/invoices", json=INVOICE)).status_code == 201
    await remote.fail("401")
    assert (await client.post("/api/v1/treasury/invoices", json=INVOICE)).status_code == 201
    seen = await remote.seen()
    post = "/api/v1/treasury/invoices"
    assert [each["path"] for each in seen] == ["/token", post, post, post, "/token", post]
    assert seen[0]["headers"]["authorization"] == "Basic Yzpz"
    assert seen[1]["headers"]["authorization"] == seen[2]["headers"]["authorization"] == "Bearer token-0"
    assert seen[5]["headers"]["authorization"] == "Bearer token-4"


async def test_the_breaker_opens_rests_and_closes(client: httpx2.AsyncClient, treasury: Peer) -> None:
    path = "/api/v1/treasury/invoices/by-reference/opportunity/o-1"
    await treasury.fail(usual="503")
    for _ in range(5):
        assert (await client.get(path)).status_code == 503
    assert len(await treasury.seen()) == 20
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert len(await treasury.seen()) == 20
    shown = (await client.get(WHERE)).json()
    assert (shown["breaker"], shown["failures"], shown["reason"]) == ("open", 5, "the service answered 503")
    await treasury.fail()

    async def closed() -> Any:
        await client.get(path)
        return (await client.get(WHERE)).json()["breaker"] == "closed"

    await until(closed)
    await fence(client)
    events = (await client.get("/api/v1/events")).json()["data"]
    types = [each["event_type"] for each in reversed(events)]
    assert types.index("service_provider.opened") < types.index("service_provider.closed")


async def test_a_success_in_between_counts_anew(client: httpx2.AsyncClient, treasury: Peer) -> None:
    path = "/api/v1/treasury/tax-codes"
    for _ in range(3):
        await treasury.fail(*["503"] * 16)
        for _ in range(4):
            await client.get("/api/v1/treasury/invoices/by-reference/a/b")
        assert (await client.get(WHERE)).json()["failures"] == 4
        assert (await client.post("/api/v1/treasury/invoices", json=INVOICE)).status_code == 201
        assert (await client.get(WHERE)).json()["failures"] == 0
    assert (await client.get(path)).status_code == 200


async def test_somebody_closes_it_by_hand(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail(*["503"] * 20)
    for _ in range(5):
        await client.get("/api/v1/treasury/invoices/by-reference/a/b")
    assert (await client.post(f"{WHERE}/reset", json={})).json()["breaker"] == "closed"
    assert (await client.post("/api/v1/treasury/invoices", json=INVOICE)).status_code == 201
