"""Idempotency-Key, as CONTRACT §4 has it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx2

from crosstie.log.event import Actor
from crosstie.log.idempotency import Key
from tests.integration.api.test_conventions import refused
from tests.stage import Stage, Tenant, calling

KEY = {"idempotency-key": "k-1"}


async def names(client: httpx2.AsyncClient) -> list[str]:
    return [each["name"] for each in (await client.get("/api/v1/clients?limit=200")).json()["data"]]


async def test_a_repeat_gets_the_stored_answer(client: httpx2.AsyncClient) -> None:
    first = await client.post("/api/v1/clients", json={"name": "once"}, headers=KEY)
    again = await client.post("/api/v1/clients", json={"name": "once"}, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await names(client) == ["once"]


async def test_another_body_or_route_is_refused(client: httpx2.AsyncClient) -> None:
    made = await client.post("/api/v1/clients", json={"name": "once"}, headers=KEY)
    refused(await client.post("/api/v1/clients", json={"name": "twice"}, headers=KEY), 422, "idempotency_key_reused")
    refused(await client.post("/api/v1/api-keys", json={"name": "once"}, headers=KEY), 422, "idempotency_key_reused")
    again = await client.patch(made.headers["location"], json={"name": "once"}, headers=KEY)
    refused(again, 422, "idempotency_key_reused")


async def test_two_keys_are_refused(client: httpx2.AsyncClient) -> None:
    keys = [("idempotency-key", "k-1"), ("idempotency-key", "k-2")]
    refused(await client.post("/api/v1/clients", json={"name": "once"}, headers=keys), 400, "bad_request")
    assert await names(client) == []


async def test_verdicts_are_kept(client: httpx2.AsyncClient) -> None:
    path = (await client.post("/api/v1/clients", json={"name": "x"})).headers["location"]
    missing = f"/api/v1/clients/{uuid4()}"
    asked: list[tuple[int, str, str, dict[str, object], dict[str, str]]] = [
        (422, "POST", "/api/v1/clients", {"name": 5}, {}),
        (422, "POST", "/api/v1/jobs", {"client_id": str(uuid4()), "title": "t"}, {}),
        (404, "PATCH", missing, {"name": "y"}, {}),
        (412, "PATCH", path, {"name": "y"}, {"if-match": '"old"'}),
    ]
    for number, (status, method, address, body, more) in enumerate(asked):
        headers = more | {"idempotency-key": f"verdict-{number}"}
        first = await client.request(method, address, json=body, headers=headers)
        again = await client.request(method, address, json=body, headers=headers)
        refused(first, status)
        assert (again.status_code, again.content) == (status, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == "application/problem+json"


async def test_other_refusals_are_not_kept(client: httpx2.AsyncClient, stage: Stage) -> None:
    json = {"content-type": "application/json"}
    wrong = await client.post("/api/v1/clients", content=b"{}", headers=KEY | {"content-type": "text/plain"})
    refused(wrong, 415)
    refused(await client.post("/api/v1/clients", content=b"{", headers=KEY | json), 400)
    refused(await client.post("/api/v1/clients", content=b" " * (2 << 20), headers=KEY | json), 413)
    refused(await client.post("/api/v1/clients", json={"name": "x"}, headers=KEY | {"accept": "text/html"}), 406)
    made = await client.post("/api/v1/api-keys", json={"name": "r", "scopes": ["clients:read"]})
    async with calling(stage.url, headers={"x-api-key": made.json()["key"]}) as reader:
        refused(await reader.post("/api/v1/clients", json={"name": "x"}, headers=KEY), 403)
        changed = await client.patch(made.headers["location"], json={"scopes": ["clients:write"]})
        assert changed.status_code == 200
        await asyncio.sleep(3.2)  # credentials are known for 3 s
        assert (await reader.post("/api/v1/clients", json={"name": "x"}, headers=KEY)).status_code == 201
    assert (await client.post("/api/v1/clients", json={"name": "x"}, headers=KEY)).status_code == 201


async def test_twins_make_one_record(client: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(
        *[client.post("/api/v1/clients", json={"name": "twin"}, headers=KEY) for _ in range(20)]
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "idempotency_in_progress")
            assert answer.headers["retry-after"] == "1"
    assert await names(client) == ["twin"]


async def test_while_a_twin_runs_it_is_409(client: httpx2.AsyncClient, tenant: Tenant, stage: Stage) -> None:
    id = (await client.get("/api/v1/api-keys")).json()["data"][0]["id"]
    lock = Key.of(Actor("api_key", id), "k-1", "", b"").lock(tenant.id)
    connection = await stage.superuser()
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", lock)
        refused(await client.post("/api/v1/clients", json={"name": "x"}, headers=KEY), 409, "idempotency_in_progress")
    finally:
        await connection.close()
    assert (await client.post("/api/v1/clients", json={"name": "x"}, headers=KEY)).status_code == 201


async def test_failures_are_not_kept(client: httpx2.AsyncClient, stage: Stage) -> None:
    made = await client.post("/api/v1/clients", json={"name": "x"})
    connection = await stage.superuser()
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM clients WHERE id = $1 FOR UPDATE", made.json()["id"])
            answer = await client.patch(made.headers["location"], json={"name": "y"}, headers=KEY)
            refused(answer, 503, "unavailable")
            assert "retry-after" in answer.headers
    finally:
        await connection.close()
    again = await client.patch(made.headers["location"], json={"name": "y"}, headers=KEY)
    assert (again.status_code, again.json()["name"]) == (200, "y")
    assert "idempotent-replayed" not in again.headers


async def test_the_principal_is_the_key_also_after_a_roll(client: httpx2.AsyncClient, stage: Stage) -> None:
    made = (await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["*"]})).json()
    rolled = (await client.post(f"/api/v1/api-keys/{made['id']}/roll", json={})).json()
    assert rolled["key"] != made["key"]
    answers = []
    for key in (made["key"], rolled["key"]):
        async with calling(stage.url, headers={"x-api-key": key}) as caller:
            answers.append(await caller.post("/api/v1/clients", json={"name": "x"}, headers=KEY))
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    other = await client.post("/api/v1/clients", json={"name": "x"}, headers=KEY)
    assert other.content != answers[0].content, "another principal's key is another key"


async def test_stored_answers_are_sealed(client: httpx2.AsyncClient, tenant: Tenant, stage: Stage) -> None:
    made = await client.post("/api/v1/api-keys", json={"name": "secretive", "scopes": ["*"]}, headers=KEY)
    again = await client.post("/api/v1/api-keys", json={"name": "secretive", "scopes": ["*"]}, headers=KEY)
    assert again.json()["key"] == made.json()["key"]
    connection = await stage.superuser()
    try:
        rows = await connection.fetch("SELECT * FROM idempotency WHERE tenant_id = $1", tenant.id)
    finally:
        await connection.close()
    assert len(rows) == 1
    for word in (made.json()["key"], "secretive", "k-1"):
        assert word.encode() not in b"".join(value for value in rows[0].values() if isinstance(value, bytes))


async def test_bulk_and_moves_are_keyed_too(client: httpx2.AsyncClient) -> None:
    body = {"items": [{"name": "a"}, {"name": 5}]}
    first = await client.post("/api/v1/clients/bulk", json=body, headers=KEY)
    again = await client.post("/api/v1/clients/bulk", json=body, headers=KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert [each["status"] for each in first.json()["results"]] == [201, 422]
    assert await names(client) == ["a"]
