"""Two tenants and every route of the API: what belongs to another is answered as what does not exist.

The routes come from the operations, so that a new one is covered without a word here.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from crosstie.api.operation import Operation
from crosstie.spec import operations
from tests.integration.api import samples
from tests.parts.glance import glance
from tests.stage import Stage

EVERY = operations(samples.CATALOGUE)
#: nouns without which the test below would prove too little
CORE = {"clients", "sites", "jobs", "webhook-endpoints", "deliveries", "api-keys", "event-types", "tenants"}


def body_of(operation: Operation) -> dict[str, Any] | None:
    """A body that gets as far as the record: nothing to change, or the least that a verb must be given."""
    if operation.body is None:
        return None
    properties = operation.body.get("properties", {})
    return {name: samples_of(properties[name]) for name in operation.body.get("required", ())}


def samples_of(schema: dict[str, Any]) -> Any:
    """A value of a simple schema."""
    schema = schema.get("anyOf", [schema])[0]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date-time":
        return "2026-03-01T08:00:00Z"
    if schema.get("format") == "uuid":
        return str(uuid4())
    kinds = {"string": "text", "integer": 1, "boolean": True, "object": {}, "array": []}
    return kinds.get(schema.get("type", "object"), {})


def told(answer: httpx2.Response) -> tuple[int, dict[str, Any]]:
    """What an answer tells: all but the request's id."""
    found = dict(answer.json()) if "json" in answer.headers.get("content-type", "") else {}
    found.pop("request_id", None)
    return answer.status_code, found


async def ask(client: httpx2.AsyncClient, operation: Operation, id: str) -> httpx2.Response:
    path = operation.path.replace("{id}", id)
    body = body_of(operation)
    if operation.method in ("GET", "DELETE") or body is None:
        return await glance(client, operation.method, path)
    return await glance(client, operation.method, path, json=body)


async def test_foreign_and_missing_are_answered_alike(stage: Stage) -> None:
    owner, stranger = await stage.tenant(), await stage.tenant()
    async with owner.client() as mine, stranger.client() as theirs:
        made = await samples.every(mine)
        assert made.keys() >= CORE, f"no sample of {CORE - made.keys()}"
        asked, hidden = 0, 0
        for operation in EVERY:
            noun = operation.path.removeprefix("/api/v1/").split("/")[0]
            if "{id}" not in operation.path or operation.path.count("{") > 1 or noun not in made:
                continue
            foreign = await ask(theirs, operation, made[noun])
            missing = await ask(theirs, operation, str(uuid4()))
            assert told(foreign) == told(missing), operation.id
            assert made[noun] not in foreign.text, operation.id
            assert foreign.headers.keys() == missing.headers.keys(), operation.id
            if operation.method in ("GET", "DELETE"):
                assert foreign.status_code == 404, (operation.id, foreign.text)
            asked, hidden = asked + 1, hidden + (foreign.status_code == 404)
        assert hidden / asked > 0.8, "too many were refused before the record was looked for"
        for noun, id in made.items():  # all that is still there, and as it was
            assert (await mine.get(f"/api/v1/{noun}/{id}")).status_code in (200, 405), noun


async def test_lists_show_nothing_of_others(stage: Stage) -> None:
    owner, stranger = await stage.tenant(), await stage.tenant()
    async with owner.client() as mine, stranger.client() as theirs:
        made = await samples.every(mine)
        ids = set(made.values())
        for operation in EVERY:
            if operation.method != "GET" or "{" in operation.path or operation.public:
                continue
            if operation.tag in samples.CATALOGUE.services:
                continue  # tests/integration/services
            answer = await glance(theirs, "GET", operation.path)
            assert answer.status_code == 200, operation.id
            assert not [id for id in ids if id in answer.text], operation.id
            filters = [p.name for p in operation.parameters if p.name.endswith("_id") and p.schema["type"] == "array"]
            for name in filters:
                for id in ids:
                    answer = await theirs.get(operation.path, params={name: id})
                    assert answer.json().get("data") == [] or answer.status_code == 400, (operation.id, name)
            searched = [p for p in operation.parameters if p.name == "q"]
            if searched:
                assert (await theirs.get(operation.path, params={"q": "text"})).json()["data"] == [], operation.id


async def test_references_to_others_lead_nowhere(stage: Stage) -> None:
    owner, stranger = await stage.tenant(), await stage.tenant()
    async with owner.client() as mine, stranger.client() as theirs:
        client_id = (await mine.post("/api/v1/clients", json={"name": "x"})).json()["id"]
        for path, body in (
            ("/api/v1/sites", {"name": "x", "street": "1 Road"}),
            ("/api/v1/jobs", {"title": "x"}),
            ("/api/v1/jobs/bulk", {"items": [{"title": "x"}], "atomic": True}),
        ):
            foreign = await theirs.post(path, json=with_client(body, client_id))
            missing = await theirs.post(path, json=with_client(body, str(uuid4())))
            assert told(foreign) == told(missing)
            assert foreign.status_code == 422
            assert client_id not in foreign.text


def with_client(body: dict[str, Any], id: str) -> dict[str, Any]:
    if "items" in body:
        return body | {"items": [item | {"client_id": id} for item in body["items"]]}
    return body | {"client_id": id}


async def test_a_stored_answer_belongs_to_its_tenant(stage: Stage) -> None:
    owner, stranger = await stage.tenant(), await stage.tenant()
    key = {"idempotency-key": "shared"}
    async with owner.client() as mine, stranger.client() as theirs:
        first = await mine.post("/api/v1/clients", json={"name": "x"}, headers=key)
        second = await theirs.post("/api/v1/clients", json={"name": "x"}, headers=key)
        assert first.json()["id"] != second.json()["id"]
        assert "idempotent-replayed" not in second.headers


async def test_a_cursor_of_another_shows_ones_own(stage: Stage) -> None:
    owner, stranger = await stage.tenant(), await stage.tenant()
    async with owner.client() as mine, stranger.client() as theirs:
        for _ in range(3):
            await mine.post("/api/v1/clients", json={"name": "mine"})
        for path in ("/api/v1/clients?limit=1", "/api/v1/events?limit=1"):
            cursor = (await mine.get(path)).json()["next_cursor"]
            answer = await theirs.get(path, params={"limit": "200", "cursor": cursor})
            assert "mine" not in answer.text


@pytest.mark.proof
async def test_foreign_and_missing_take_as_long(stage: Stage) -> None:
    owner, stranger = await stage.tenant(), await stage.tenant()
    async with owner.client() as mine, stranger.client() as theirs:
        id = (await mine.post("/api/v1/clients", json={"name": "x"})).json()["id"]
        spans: tuple[list[float], list[float]] = ([], [])
        for turn in range(400):
            pair = [(0, id), (1, str(uuid4()))]
            for number, each in pair if turn % 2 else pair[::-1]:  # whoever comes second may find things warmer
                started = time.perf_counter()
                await theirs.get(f"/api/v1/clients/{each}")
                spans[number].append(time.perf_counter() - started)
        assert 0.8 < median(spans[0]) / median(spans[1]) < 1.25
