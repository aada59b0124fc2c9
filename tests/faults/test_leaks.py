"""Two hundred marked secrets put into everything that takes one, and then looked for everywhere else.

Each begins with one word, so that a search for this word (as it is, in hexadecimal, in base64 at each offset) finds any
of them, whole or cut.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import psutil
import pytest
from aiohttp import web

from crosstie.db.embedded import Embedded
from tests.faults.rig import Note, Rig
from tests.fence import fence
from tests.receiver import Receiver, receiving
from tests.stage import Tenant

WORD = "QanaryZ"
EACH = 10
PLAIN = re.compile(
    b"|".join(
        re.escape(form)
        for word in [WORD.encode()]
        for form in [
            word,
            word.hex().encode(),
            word.hex().upper().encode(),
            *(b64encode(bytes(shift) + word)[shift * 4 // 3 + bool(shift) : -4] for shift in range(3)),
        ]
    )
)


class Marked:
    """Makes marked secrets and counts them; keeps those that the product made and showed once."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[str] = []

    def __call__(self) -> str:
        self.count += 1
        return f"{WORD}{secrets.token_hex(12)}"

    def found(self, where: bytes) -> list[bytes]:
        """What of them stands there."""
        kept = [each.encode() for each in self.shown if each.encode() in where]
        return [where[max(0, m.start() - 60) : m.end() + 20] for m in PLAIN.finditer(where)] + kept


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


async def kept(client: httpx2.AsyncClient, mark: Marked, receiver: Receiver) -> list[httpx2.Response]:
    """Secrets that are stored: the noun, endpoints' own and their receivers', keys, apps, passwords."""
    seen = []
    for number in range(EACH):
        made = await client.post("/api/v1/secrets", json={"name": f"s{number}", "value": mark()})
        path = f"/api/v1/secrets/{made.json()['id']}/rotate"
        seen += [made, await client.post(path, json={"value": mark()}, headers={"idempotency-key": mark()})]
        auth = {
            "type": ("bearer", "basic", "api_key")[number % 3],
            "username": "u",
            "header": "X-Key",
            "secret": mark(),
        }
        own = f"whsec_{b64encode(mark().encode()).decode()}"
        headers = {"X-Env": mark(), "x-signature-hint": mark()}
        body = {"url": f"{receiver.url}/{number}", "auth": auth, "headers": headers, "secret": own,
                "event_types": ["client.created"], "retry_schedule": [1]}  # fmt: skip
        made = await client.post("/api/v1/webhook-endpoints", json=body, headers={"idempotency-key": mark()})
        assert made.json()["secret"] == own
        one = f"/api/v1/webhook-endpoints/{made.json()['id']}"
        seen += [await client.patch(one, json={"headers": {"X-Env": mark()}}), await client.get(one)]
        next = f"whsec_{b64encode(mark().encode()).decode()}"
        path = f"/api/v1/webhook-endpoints/{made.json()['id']}/rotate-secret"
        await client.post(path, json={"secret": next})
        fresh = await client.post(path)
        own = mark()
        source = {"name": "n", "dialect": "api_key", "secret": own, "options": {"header": "X-Partner"}}
        hook = (await client.post("/api/v1/inbound-sources", json=source)).json()
        mark.shown.append(hook["url"].rpartition("/")[2])
        for headers in ({"x-partner": own}, {"x-partner": mark()}, {"x-api-key": mark(), "cookie": mark()}):
            seen.append(await client.post(hook["url"], content=b"{}", headers=headers))
        one = f"/api/v1/inbound-sources/{hook['id']}"
        await client.post(f"{one}/rotate-secret", json={"secret": mark()})
        seen += [await client.get(one), await client.get("/api/v1/inbound-requests")]
        key = await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["jobs:read"]})
        app = {"name": "a", "scopes": ["jobs:read"], "redirect_uris": ["https://app.example/back"]}
        shown = await client.post("/api/v1/oauth-apps", json=app)
        mark.shown += [fresh.json()["secret"], key.json()["key"], shown.json()["client_secret"]]
    return seen


async def offered(url: str, key: str, mark: Marked) -> list[httpx2.Response]:
    """Secrets that are refused: wrong keys, tokens, passwords, client secrets, bodies that break, addresses."""
    seen = []
    async with httpx2.AsyncClient(base_url=url, timeout=30) as anyone:
        for _ in range(EACH):
            good = {"x-api-key": key}
            tries: list[tuple[str, str, dict[str, Any]]] = [
                ("GET", "/api/v1/jobs", {"headers": {"authorization": f"Bearer {mark()}"}}),
                ("GET", "/api/v1/jobs", {"headers": {"x-api-key": mark()}}),
                ("GET", "/api/v1/jobs", {"headers": {"authorization": f"Bearer eyJhbGciOiJSUzI1NiJ9.{mark()}.x"}}),
                ("GET", f"/api/v1/jobs?api_key={mark()}", {"headers": good}),
                ("GET", f"/api/v1/jobs?cursor={mark()}", {"headers": good}),
                ("GET", f"/media/{mark()}", {}),
                ("GET", f"/hooks/{mark()}", {}),
                ("GET", f"/invitation/{mark()}", {}),
                ("POST", "/api/v1/clients", {"headers": good, "content": f'{{"password": "{mark()}'}),
                ("POST", "/api/v1/clients", {"headers": good, "json": {"name": "n", "password": mark()}}),
                ("POST", "/api/v1/secrets", {"headers": good, "json": {"name": "NOT A NAME", "value": mark()}}),
                ("POST", "/api/v1/secrets", {"headers": good, "json": {"name": "n", "value": [mark()]}}),
                ("POST", "/api/v1/webhook-endpoints", {"headers": good, "json": {"url": f"https://u:{mark()}@h.example/"}}),
                ("POST", "/oauth/token", {"data": {"grant_type": "client_credentials", "client_id": "x",
                                                   "client_secret": mark()}}),
                ("POST", "/oauth/token", {"data": {"grant_type": "refresh_token", "refresh_token": mark()}}),
                ("POST", "/login", {"data": {"email": "thandi@acme.example", "password": mark()}}),
            ]  # fmt: skip
            for method, path, options in tries:
                answer = await anyone.request(method, path, **options)
                assert answer.status_code >= 300 or path == "/login", (path, answer.status_code)
                if not path.startswith("/invitation"):  # a page that links to itself, in the other language
                    seen.append(answer)
    return seen


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below HOME: logs, the database's own files, its journal."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(home)), path.read_bytes()


def dumped(embedded: Embedded, dsn: str) -> bytes:
    """What pg_dump makes of the whole database."""
    program = embedded.binaries() / "pg_dump"
    return subprocess.run([program, "--inserts", dsn], check=True, capture_output=True, timeout=120).stdout


def processes(rig: Rig) -> bytes:
    """The command lines of what runs."""
    ours = {child.handle.pid for child in rig.children.values()}
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert ours
    return "\n".join(lines).encode()


async def fail(client: httpx2.AsyncClient, rig: Rig, mark: Marked) -> httpx2.Response:
    """An error on our side with secrets in hand: the traceback is in the log."""
    made = await client.post("/api/v1/secrets", json={"name": "broken", "value": mark()})
    await rig.ask("UPDATE secrets SET value = set_byte(value, 40, 255 - get_byte(value, 40)) WHERE name = 'broken'")
    return await client.post(f"/api/v1/secrets/{made.json()['id']}/rotate", json={"value": mark()})


async def test_two_hundred_secrets_are_nowhere_but_where_they_are_sealed(
    rig: Rig, receiver: Receiver, note: Note
) -> None:
    mark = Marked()
    receiver.answer = lambda received: web.Response(status=500)
    rig.start("both", "both", level="debug")
    await rig.ready()
    tenant: Tenant = await rig.tenant()
    (url,) = rig.urls()
    async with httpx2.AsyncClient(base_url=url, headers={"x-api-key": tenant.key}, timeout=30) as client:
        seen = await kept(client, mark, receiver)
        seen += await offered(url, tenant.key, mark)
        broken = await fail(client, rig, mark)
        await client.post("/api/v1/clients", json={"name": "n"})
        await receiver.wait(EACH)
        await fence(client)
        for path in ("/metrics", "/api/v1/events?limit=200", "/api/v1/audit-entries?limit=200",
                     "/api/v1/deliveries?limit=200", "/api/v1/secrets", "/api/v1/webhook-endpoints",
                     "/api/v1/api-keys", "/api/v1/oauth-apps"):  # fmt: skip
            seen.append(await client.get(path))
        for delivery in (await client.get("/api/v1/deliveries")).json()["data"]:
            seen.append(await client.get(f"/api/v1/deliveries/{delivery['id']}/attempts"))
    assert broken.status_code == 500
    assert mark.count >= 200
    await asyncio.sleep(1.5)  # the audit log is sealed within a second
    places = [(answer.request.url.path[:24], answer.content) for answer in [*seen, broken]]
    places += [("command lines", processes(rig)), ("pg_dump", dumped(rig.stage.embedded, rig.stage.cluster.superuser))]
    await rig.ask("CHECKPOINT")
    places += files(rig.home)
    leaks = {name: mark.found(content)[:3] for name, content in places if mark.found(content)}
    assert not leaks
    log = (rig.home / "both.log").read_text()
    assert "request.failed" in log
    note("marked secrets", mark.count)

    # and the search does find what is there
    connection = await asyncpg.connect(rig.stage.cluster.superuser)
    await connection.execute("UPDATE clients SET name = $1", mark())
    assert mark.found(dumped(rig.stage.embedded, rig.stage.cluster.superuser))
    await connection.execute("UPDATE clients SET name = $1", b64encode(f"x{mark()}".encode()).decode())
    assert mark.found(dumped(rig.stage.embedded, rig.stage.cluster.superuser))
    await connection.close()
