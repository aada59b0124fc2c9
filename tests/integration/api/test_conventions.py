"""HTTP as CONTRACT §4 has it, seen from outside."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from crosstie.errors import problems
from tests.fence import fence
from tests.stage import Stage, Tenant, calling

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PROBLEM = "application/problem+json"


def refused(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem of an answer that must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    found = dict(answer.json())
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["type"].endswith(f"/docs/errors/{found['code']}")
    if code:
        assert found["code"] == code
    return found


async def make(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    answer = await client.post("/api/v1/clients", json={"name": "Thandi Nkosi", **fields})
    assert answer.status_code == 201, answer.text
    return answer


async def test_a_creation_answers_201_with_its_place_and_tag(client: httpx2.AsyncClient) -> None:
    made = await make(client)
    assert made.headers["location"] == f"/api/v1/clients/{made.json()['id']}"
    found = await client.get(made.headers["location"])
    assert found.json() == made.json()
    assert found.headers["etag"] == made.headers["etag"]
    assert re.fullmatch(r'"[^"]+"', found.headers["etag"])
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"


async def test_head_has_the_headers_of_get_and_no_body(client: httpx2.AsyncClient) -> None:
    path = (await make(client)).headers["location"]
    get, head = await client.get(path), await client.head(path)
    assert head.content == b""
    for name in ("content-length", "content-type", "etag"):
        assert head.headers[name] == get.headers[name]
    missing = await client.head(f"/api/v1/clients/{uuid4()}")
    assert (missing.status_code, missing.content) == (404, b"")


async def test_options_names_the_methods(client: httpx2.AsyncClient) -> None:
    answer = await client.options("/api/v1/clients")
    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert "content-length" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("PUT", "/api/v1/clients", "GET, HEAD, OPTIONS, POST"), ("DELETE", "/api/v1/events", "GET, HEAD, OPTIONS, POST")],
)
async def test_a_wrong_method_is_405_with_allow(client: httpx2.AsyncClient, method: str, path: str, allow: str) -> None:
    answer = await client.request(method, path)
    refused(answer, 405, "method_not_allowed")
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allow


async def test_unknown_paths_are_404_problems(client: httpx2.AsyncClient) -> None:
    for path in ("/nothing", "/api/v1/unknown", "/api/v2/clients", "/api/v1/clients/"):
        refused(await client.get(path), 404, "not_found")


async def test_credentials(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    async with calling(stage.url) as nobody:
        answer = await nobody.get("/api/v1/clients")
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        mistyped = tenant.key[:-1] + ("1" if tenant.key.endswith("0") else "0")
        wrong = await nobody.get("/api/v1/clients", headers={"authorization": f"Bearer {mistyped}"})
        refused(wrong, 401, "unauthorized")
        other = await nobody.get("/api/v1/clients", headers={"authorization": f"Digest {tenant.key}"})
        refused(other, 401, "unauthorized")
        assert (await nobody.get("/api/v1/clients", headers={"x-api-key": tenant.key})).status_code == 200
    made = await client.post("/api/v1/api-keys", json={"name": "reader", "scopes": ["clients:read"]})
    async with calling(stage.url, headers={"x-api-key": made.json()["key"]}) as reader:
        assert (await reader.get("/api/v1/clients")).status_code == 200
        refused(await reader.post("/api/v1/clients", json={"name": "x"}), 403, "insufficient_scope")


async def test_accept(client: httpx2.AsyncClient) -> None:
    for good in ("*/*", "application/*;q=0.1", "text/html, application/json", "text/*;q=1, */*;q=0.1"):
        assert (await client.get("/api/v1/clients", headers={"accept": good})).status_code == 200
    for bad in ("text/html", "application/xml", "application/json;q=0", "*/*;q=1, application/json;q=0"):
        refused(await client.get("/api/v1/clients", headers={"accept": bad}), 406, "not_acceptable")


async def test_content_type(client: httpx2.AsyncClient) -> None:
    for bad in ("text/plain", "application/xml", "application/json; charset=utf-16", ""):
        answer = await client.post("/api/v1/clients", content=b'{"name":"x"}', headers={"content-type": bad})
        refused(answer, 415, "unsupported_media_type")
    coded = {"content-type": "application/json", "content-encoding": "gzip"}
    refused(await client.post("/api/v1/clients", content=b"x", headers=coded), 415, "unsupported_media_type")
    good = {"content-type": "application/json; charset=UTF-8"}
    assert (await client.post("/api/v1/clients", content=b'{"name":"x"}', headers=good)).status_code == 201


async def test_conditional_requests(client: httpx2.AsyncClient) -> None:
    made = await make(client)
    path, first = made.headers["location"], made.headers["etag"]
    assert (await client.get(path, headers={"if-none-match": first})).status_code == 304
    assert (await client.get(path, headers={"if-none-match": f'"other", W/{first}'})).status_code == 304
    assert (await client.get(path, headers={"if-none-match": '"other"'})).status_code == 200
    changed = await client.patch(path, json={"name": "Sipho"}, headers={"if-match": first})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first
    refused(await client.patch(path, json={"name": "x"}, headers={"if-match": first}), 412, "precondition_failed")
    weak = f"W/{changed.headers['etag']}"
    refused(await client.patch(path, json={"name": "x"}, headers={"if-match": weak}), 412, "precondition_failed")
    refused(await client.delete(path, headers={"if-match": first}), 412, "precondition_failed")
    gone = await client.delete(path, headers={"if-match": changed.headers["etag"]})
    assert (gone.status_code, gone.content) == (204, b"")
    refused(await client.get(path), 404, "not_found")


async def test_a_tag_knows_what_is_expanded_inside(client: httpx2.AsyncClient) -> None:
    owner = await make(client)
    site = await client.post(
        "/api/v1/sites", json={"client_id": owner.json()["id"], "name": "Home", "street": "1 Road"}
    )
    path = site.headers["location"]
    whole = await client.get(path, params={"expand": "client"})
    assert whole.json()["client"]["name"] == "Thandi Nkosi"
    await client.patch(owner.headers["location"], json={"name": "Sipho"})
    again = await client.get(path, params={"expand": "client"}, headers={"if-none-match": whole.headers["etag"]})
    assert again.json()["client"]["name"] == "Sipho"
    changed = await client.patch(path, json={"name": "House"}, headers={"if-match": again.headers["etag"]})
    assert changed.status_code == 200, "the tag of an expanded answer still names its revision"


async def test_patch_is_a_merge_patch(client: httpx2.AsyncClient) -> None:
    path = (await make(client, notes="careful", email="t@example.com")).headers["location"]
    kind = {"content-type": "application/merge-patch+json"}
    changed = await client.patch(path, content=b'{"notes":null}', headers=kind)
    assert (changed.json()["notes"], changed.json()["email"]) == (None, "t@example.com")


async def test_unknown_fields_are_422_with_pointers(client: httpx2.AsyncClient) -> None:
    body = {"name": 5, "colour": "red", "a/b": 1, "contacts": [{"name": "x", "email": 7}]}
    found = refused(await client.post("/api/v1/clients", json=body), 422, "invalid")
    assert {fault["pointer"] for fault in found["errors"]} == {"/name", "/colour", "/a~1b", "/contacts/0/email"}


async def test_unknown_parameters_are_400(client: httpx2.AsyncClient) -> None:
    path = (await make(client)).headers["location"]
    for address in ("/api/v1/clients?colour=red", "/api/v1/events?x=1", "/api/v1/event-types?x=1", f"{path}?x=1"):
        found = refused(await client.get(address), 400, "unknown_parameter")
        assert found["errors"][0]["code"] == "unknown_parameter"
    refused(await client.post("/api/v1/clients?x=1", json={"name": "x"}), 400, "unknown_parameter")
    refused(await client.post("/api/v1/events?x=1", json={}), 400, "unknown_parameter")


async def test_pages_are_stable_while_rows_are_added(client: httpx2.AsyncClient) -> None:
    names = [f"c{number:02}" for number in range(7)]
    for name in names:
        await make(client, name=name)
    seen, cursor = [], None
    while True:
        parameters = {"limit": "3", "sort": "name"} | ({"cursor": cursor} if cursor else {})
        answer = await client.get("/api/v1/clients", params=parameters)
        page = answer.json()
        seen += [each["name"] for each in page["data"]]
        await make(client, name="a-later-one")
        assert page["has_more"] == ("link" in answer.headers) == (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
        (target,) = re.findall(r'<(.+)>; rel="next"', answer.headers["link"])
        assert (await client.get(target)).status_code == 200
    assert seen == names


async def test_request_id_and_trace_go_along(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/clients", json={"name": "x"}, headers={"x-request-id": "mine-1", "traceparent": TRACE}
    )
    assert answer.headers["x-request-id"] == "mine-1"
    assert (await client.get("/api/v1/clients", headers={"x-request-id": "x" * 129})).headers[
        "x-request-id"
    ] != "x" * 129
    await fence(client)
    page = await client.get("/api/v1/events", params={"subject_type": "client", "subject_id": answer.json()["id"]})
    assert page.json()["data"][0]["correlation_id"] == "mine-1"


async def test_trace_reaches_deliveries_and_nonsense_does_not(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    sent = {"event_id": "e1", "event_type": "projects.budget.updated", "data": {"project_id": "p"}}
    await client.post("/api/v1/events", json=sent, headers={"traceparent": TRACE})
    await client.post("/api/v1/events", json=sent | {"event_id": "e2"}, headers={"traceparent": "00-" + "0" * 32})
    connection = await stage.superuser()
    try:
        rows = await connection.fetch("SELECT event_id, trace FROM events WHERE tenant_id = $1", tenant.id)
    finally:
        await connection.close()
    assert {row["event_id"]: row["trace"] for row in rows if row["event_id"] in ("e1", "e2")} == {
        "e1": TRACE,
        "e2": None,
    }


async def test_limits_of_bodies(client: httpx2.AsyncClient) -> None:
    json = {"content-type": "application/json"}
    body = b'{"name":"x","notes":"' + b"a" * (1 << 20) + b'"}'
    refused(await client.post("/api/v1/clients", content=body, headers=json), 413, "too_large")

    async def pieces() -> Any:  # without a length that could be believed
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    refused(await client.post("/api/v1/clients", content=pieces(), headers=json), 413, "too_large")
    exact = b'{"name":"x"' + b" " * ((1 << 20) - 12) + b"}"
    assert len(exact) == 1 << 20
    assert (await client.post("/api/v1/clients", content=exact, headers=json)).status_code == 201
    large = b'{"items":[' + b" " * (2 << 20) + b'{"name":"x"}]}'
    assert (await client.post("/api/v1/clients/bulk", content=large, headers=json)).status_code == 200
    large = b'{"items":[' + b" " * (8 << 20) + b'{"name":"x"}]}'
    refused(await client.post("/api/v1/clients/bulk", content=large, headers=json), 413, "too_large")
    refused(await client.post("/api/v1/events/batch", content=large, headers=json), 413, "too_large")


async def test_cors_is_off(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/clients", headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await client.options("/api/v1/clients", headers=preflight)
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_search_finds_words_by_their_beginnings(client: httpx2.AsyncClient) -> None:
    for name in ("Café Müller", "Cafeteria", "Nkosi"):
        await make(client, name=name)
    for words, found in (("cafe", 2), ("CAFÉ mull", 1), ("nko", 1), ("absent", 0)):
        answer = await client.get("/api/v1/clients", params={"q": words})
        assert len(answer.json()["data"]) == found, words


async def test_the_type_of_a_problem_is_a_page(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        found = refused(await nobody.get("/api/v1/clients"), 401)
        page = await nobody.get(found["type"])
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert ">No valid credential came with the request</h1>" in page.text
        assert "<script" not in page.text
        index = await nobody.get("/docs/errors")
        codes = re.findall(r'<dt><a href="/docs/errors/(\w+)"', index.text)
        assert set(codes) == {problem.code for problem in problems()}
        for code in codes:
            assert (await nobody.get(f"/docs/errors/{code}")).status_code == 200
        refused(await nobody.get("/docs/errors/nonsense"), 404)


async def test_the_api_describes_itself(stage: Stage) -> None:
    async with calling(stage.url) as nobody:
        openapi, asyncapi = await nobody.get("/openapi.json"), await nobody.get("/asyncapi.json")
        assert (openapi.json()["openapi"], asyncapi.json()["asyncapi"]) == ("3.1.0", "3.0.0")
        assert openapi.json()["servers"] == [{"url": stage.url}]
        for path in ("/livez", "/readyz", "/metrics", "/version"):
            assert path in openapi.json()["paths"]
            assert (await nobody.get(path)).status_code == 200
