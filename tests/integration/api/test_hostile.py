"""Hostile input gets a 4xx problem: never a 5xx, never a stack trace, never a connection for ever."""

from __future__ import annotations

import asyncio
import gzip
import time
from random import sample
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.integration.api import corpus
from tests.integration.api.raw import PROBLEM, exchange
from tests.stage import Stage, Tenant

JSON = {"content-type": "application/json"}
SECRETS = ("Traceback", "asyncpg", "site-packages", ".py", "SELECT ")


def refused(answer: httpx2.Response) -> dict[str, Any]:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert not [word for word in SECRETS if word in answer.text]
    return dict(answer.json())


ROUTES = ("/api/v1/clients", "/api/v1/clients/bulk", "/api/v1/events", "/api/v1/events/batch")


@pytest.mark.parametrize("path", ROUTES)
async def test_malformed_documents_are_400(client: httpx2.AsyncClient, path: str) -> None:
    for name, body in corpus.MALFORMED.items():
        answer = await client.post(path, content=body, headers=JSON)
        assert answer.status_code == 400, (name, answer.text)
        assert refused(answer)["code"] == "malformed_json", name


@pytest.mark.parametrize("path", ROUTES)
async def test_what_is_well_formed_and_refused_is_422(client: httpx2.AsyncClient, path: str) -> None:
    for name, body in corpus.REFUSED.items():
        answer = await client.post(path, content=body, headers=JSON)
        assert answer.status_code in (400, 422), (name, answer.text)
        refused(answer)


async def test_the_odd_and_good_is_taken_and_given_back(client: httpx2.AsyncClient) -> None:
    for name, body in corpus.GOOD.items():
        made = await client.post("/api/v1/clients", content=body, headers=JSON)
        assert made.status_code == 201, (name, made.text)
        found = await client.get(made.headers["location"])
        assert found.json() == made.json(), name
        many = await client.post("/api/v1/clients/bulk", content=b'{"items":[' + body.strip() + b"]}", headers=JSON)
        assert many.json()["results"][0]["status"] == 201, (name, many.text)
        changed = await client.patch(made.headers["location"], content=body, headers=JSON)
        assert changed.status_code == 200, (name, changed.text)


async def test_compressed_bodies_are_not_opened(client: httpx2.AsyncClient) -> None:
    bomb = gzip.compress(b'{"name":"' + b"a" * 50_000_000 + b'"}')
    for coding in ("gzip", "deflate", "br", "x-unknown"):
        answer = await client.post("/api/v1/clients", content=bomb, headers=JSON | {"content-encoding": coding})
        assert refused(answer)["status"] == 415


IDS = (
    "x", "0", "-1", "null", "%00", "%ff", "%ed%a0%80", "..%2f..", "%2e%2e", "{id}", "*", "1;DROP", "'", "a" * 5_000,
    "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6", "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6eX", "01936f0e8c1a7b5e9c3d2f6a1b4c5d6e",
    "{01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e}", "urn:uuid:01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e", "%F0%9F%98%80", "%",
)  # fmt: skip


@pytest.mark.parametrize("id", IDS)
async def test_ids_that_are_none(client: httpx2.AsyncClient, id: str) -> None:
    for path in (f"/api/v1/clients/{id}", f"/api/v1/jobs/{id}"):
        assert refused(await client.get(path))["status"] in (400, 404)
        assert refused(await client.patch(path, json={"name": "x"}))["status"] in (400, 404, 422)
        assert refused(await client.delete(path))["status"] in (400, 404)


VALUES = (
    "", " ", ",", "x", "0", "-1", "1e3", "9" * 30, "null", "true", "[]", "{}", "%00", "%ff", "%ed%a0%80", "'--",
    "%F0%9F%98%80", "2026-13-45", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00",
    "NaN", "Infinity", "0000-00-00", "2026-01-01T00:00:00", "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e", "a," * 200,
    "$1", "é", "x" * 9_000,
)  # fmt: skip


async def every_parameter(client: httpx2.AsyncClient, values: int) -> None:
    """Each query parameter of each list with so many of the values."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    wanted = []
    for path, methods in paths.items():
        if "get" not in methods or "{" in path or methods["get"]["operationId"] == "events.stream":
            continue
        names = [p["name"] for p in methods["get"].get("parameters", []) if p["in"] == "query"]
        wanted += [(path, name, value) for name in names for value in sample(VALUES, values)]
        wanted += [(path, f"{name}{end}", "1") for name in names[:3] for end in ("[", "[]", "[ne]", "[[gte]]", "]")]
    gate = asyncio.Semaphore(16)

    async def ask(path: str, name: str, value: str) -> None:
        async with gate:
            answer = await client.get(f"{path}?{name}={value}")
        unprovided = answer.status_code == 409 and answer.json()["code"] == "service_unconfigured"
        assert answer.status_code in (200, 400) or unprovided, (path, name, value, answer.text)
        if answer.status_code == 400:
            refused(answer)

    await asyncio.gather(*[ask(*each) for each in wanted])


async def test_every_parameter_of_every_list_bears_odd_values(client: httpx2.AsyncClient) -> None:
    await every_parameter(client, 4)


@pytest.mark.proof
async def test_every_parameter_of_every_list_bears_every_value(client: httpx2.AsyncClient) -> None:
    await every_parameter(client, len(VALUES))


CURSORS = (
    "x", "!!!!", "AAAA", "A" * 10_000, "e30", "W10", "gA", "k8DAwA", "kw", "%00", "é", "eyJpZCI6MX0=", "/+/+", "====",
    "MC4wLjA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS4xLjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw",
    "kZGRkZGRkZGRkZGRkZGR" * 300,
)  # fmt: skip


async def test_forged_cursors(client: httpx2.AsyncClient) -> None:
    for path in ("/api/v1/clients", "/api/v1/jobs", "/api/v1/deliveries", "/api/v1/events", "/api/v1/event-types"):
        for cursor in CURSORS:
            answer = await client.get(path, params={"cursor": cursor})
            assert refused(answer)["code"] in ("invalid_cursor", "bad_request"), (path, cursor)
    assert refused(await client.get("/api/v1/events", params={"after": "x"}))["code"] == "invalid_cursor"


async def test_a_cursor_belongs_to_its_list(client: httpx2.AsyncClient) -> None:
    for number in range(3):
        await client.post("/api/v1/clients", json={"name": f"c{number}"})
    cursor = (await client.get("/api/v1/clients?limit=1")).json()["next_cursor"]
    assert (await client.get("/api/v1/clients", params={"cursor": cursor})).status_code == 200
    for path in ("/api/v1/sites", "/api/v1/clients?sort=name", "/api/v1/clients?kind=firm", "/api/v1/clients?q=c"):
        joint = "&" if "?" in path else "?"
        assert refused(await client.get(f"{path}{joint}cursor={cursor}"))["code"] == "invalid_cursor"
    turned = cursor[:-3] + ("AAA" if not cursor.endswith("AAA") else "BBB")
    assert refused(await client.get("/api/v1/clients", params={"cursor": turned}))["code"] == "invalid_cursor"


async def test_headers_with_odd_values(client: httpx2.AsyncClient) -> None:
    for value in ("", "x" * 256, "é", "\x01", "%00"):
        for name in ("idempotency-key", "if-match", "if-none-match", "x-request-id", "traceparent", "accept", "origin"):
            try:
                answer = await client.post(
                    "/api/v1/clients", json={"name": "x"}, headers=[(name.encode(), value.encode("latin-1"))]
                )
            except httpx2.LocalProtocolError:
                continue
            assert answer.status_code in (201, 400, 406), (name, value, answer.text)
    for token in ("ct_live_", "Bearer", "x" * 9_000, "ct_live_é", "ct_live_" + "0" * 36):
        answer = await client.get("/api/v1/clients", headers=[(b"authorization", b"Bearer " + token.encode("latin-1"))])
        assert refused(answer)["status"] == 401


# bytes that no client library sends


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /api/v1/clients HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /api/v1/clients HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzzzz",
        b"POST /api/v1/clients HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET //[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)  # fmt: skip
async def test_what_is_hardly_http(stage: Stage, sent: bytes) -> None:
    answer = await exchange(stage.url, sent)
    assert 400 <= answer.status < 500, answer
    assert answer.problem["status"] == answer.status


async def test_huge_heads_are_431(stage: Stage) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    for sent in (
        head + b"X-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        head + b"".join(b"X-%d: y\r\n" % n for n in range(5_000)) + b"\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        head + b"X-Endless: " + b"a" * 200_000,
    ):
        answer = await exchange(stage.url, sent)
        assert (answer.status, answer.closed) == (431, True), answer
        assert answer.problem["code"] == "head_too_large"
    answer = await exchange(stage.url, head + b"X-Long: " + b"a" * 16_000 + b"\r\n\r\n")
    assert answer.status == 200


async def test_a_connection_outlives_a_refusal_and_answers_in_order(stage: Stage, tenant: Tenant) -> None:
    key = b"Authorization: Bearer " + tenant.key.encode()
    one = b"POST /api/v1/clients HTTP/1.1\r\nHost: x\r\n" + key + b"\r\nContent-Length: 2\r\n\r\n{}"
    two = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(one + two)
    async with asyncio.timeout(60):
        assert b" 415 " in await reader.readuntil(b"\r\n")
        rest = await reader.readuntil(b'{"status":"ok"}')
    assert b"HTTP/1.1 200" in rest
    writer.close()


async def test_slow_heads_do_not_hold_a_connection(stage: Stage) -> None:
    started = time.monotonic()
    silent = exchange(stage.url, b"")
    drip = [b"GET /livez HTTP/1.1\r\n", *(b"X-%d: y\r\n" % n for n in range(200))]
    dripping = exchange(stage.url, *drip, pause=0.5)
    found = await asyncio.gather(silent, dripping)
    assert all(answer.closed for answer in found)
    assert time.monotonic() - started > 8


@pytest.mark.proof
async def test_slow_bodies_are_408(stage: Stage, tenant: Tenant) -> None:
    head = (
        f"POST /api/v1/clients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    ).encode()
    answer = await exchange(stage.url, head, *[b" "] * 100, pause=0.5, seconds=90)
    assert (answer.status, answer.problem["code"]) == (408, "request_timeout")


async def test_the_api_answers_while_many_hang(stage: Stage, client: httpx2.AsyncClient) -> None:
    hanging = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(300)]
    for _, writer in hanging:
        writer.write(b"POST /api/v1/clients HTTP/1.1\r\nHost: x\r\n")
    assert (await client.get(f"/api/v1/clients/{uuid4()}")).status_code == 404
    for _, writer in hanging:
        writer.close()
