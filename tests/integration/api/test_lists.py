"""Lists and bulk: order with nulls, filters with several values, all or nothing."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.integration.api.test_conventions import make, refused

DUE = ("2026-03-01T08:00:00Z", None, "2026-01-01T08:00:00Z", None, "2026-02-01T08:00:00Z", None, "2026-02-01T08:00:00Z")


async def walked(client: httpx2.AsyncClient, path: str, size: int, **parameters: str) -> list[dict[str, Any]]:
    """Every record of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params=parameters | cursor | {"limit": str(size)})
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        if not answer.json()["has_more"]:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("sort", ["due_at", "-due_at"])
async def test_no_page_loses_what_has_no_value(client: httpx2.AsyncClient, sort: str, size: int) -> None:
    owner = (await make(client)).json()["id"]
    for number, due in enumerate(DUE):
        body = {"client_id": owner, "title": f"job {number}", "due_at": due}
        assert (await client.post("/api/v1/jobs", json=body)).status_code == 201
    found = await walked(client, "/api/v1/jobs", size, sort=sort)
    assert len({each["id"] for each in found}) == len(found) == len(DUE)
    dated = [each["due_at"] for each in found if each["due_at"]]
    assert dated == sorted(dated, reverse=sort.startswith("-"))
    empty = [each["due_at"] is None for each in found]
    assert empty == sorted(empty, reverse=sort.startswith("-")), "nulls come last when rising, first when falling"


async def test_filters(client: httpx2.AsyncClient) -> None:
    for kind, name in (("person", "a"), ("firm", "b"), ("firm", "c")):
        await make(client, kind=kind, name=name)
    for parameters, expected in (
        ({"kind": "firm"}, "bc"), ({"kind": "person,firm"}, "abc"), ({"kind": "person", "q": "b"}, ""),
        ({"created_at[gte]": "2020-01-01T00:00:00Z"}, "abc"), ({"created_at[lt]": "2020-01-01T00:00:00Z"}, ""),
    ):  # fmt: skip
        found = await walked(client, "/api/v1/clients", 2, sort="name", **parameters)
        assert "".join(each["name"] for each in found) == expected, parameters
    answer = await client.get("/api/v1/clients", params={"fields": "id,name"})
    assert all(each.keys() == {"id", "name"} for each in answer.json()["data"])
    for wrong in ("kind=a,b", "created_at[gte]=now", "kind[gte]=firm", "kind=firm&kind=person", "limit=201", "limit=0"):
        refused(await client.get(f"/api/v1/clients?{wrong}"), 400, "unknown_parameter")


async def test_bulk_tells_of_each(client: httpx2.AsyncClient) -> None:
    body = {"items": [{"name": "a"}, {"name": 5}, "x", {"name": "b"}]}
    answer = await client.post("/api/v1/clients/bulk", json=body)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [201, 422, 422, 201]
    assert results[1]["problem"]["errors"][0]["pointer"] == "/name"
    assert results[0]["data"]["name"] == "a"
    assert len(await walked(client, "/api/v1/clients", 50)) == 2


async def test_an_atomic_bulk_is_all_or_nothing(client: httpx2.AsyncClient) -> None:
    missing = "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e"
    owner = (await make(client)).json()["id"]
    good = {"client_id": owner, "title": "x"}
    for bad, code in (({"client_id": missing, "title": "x"}, "reference"), ({"title": "x"}, "required")):
        answer = await client.post("/api/v1/jobs/bulk", json={"items": [good, bad, good], "atomic": True})
        (fault,) = refused(answer, 422, "invalid")["errors"]
        assert (fault["pointer"], fault["code"]) == ("/items/1/client_id", code)
    assert await walked(client, "/api/v1/jobs", 50) == []
    answer = await client.post("/api/v1/jobs/bulk", json={"items": [good, good], "atomic": True})
    assert [each["status"] for each in answer.json()["results"]] == [201, 201]


async def test_bounds_of_bulk(client: httpx2.AsyncClient) -> None:
    refused(await client.post("/api/v1/clients/bulk", json={"items": []}), 422, "invalid")
    refused(await client.post("/api/v1/clients/bulk", json={"items": [{"name": "x"}] * 1001}), 422, "invalid")
    refused(await client.post("/api/v1/clients/bulk", json={"items": {}, "more": 1}), 422, "invalid")
    answer = await client.post("/api/v1/clients/bulk", json={"items": [{"name": "x"}] * 1000, "atomic": True})
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 1000
