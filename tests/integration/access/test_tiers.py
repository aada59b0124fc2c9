"""The first tier: credentials and keys, and who sees anything of them on which way out.

A mark stands in what describes each of them (its name, its user name, its address), another one in its value. The
first may be seen by developers and superusers, by nobody else and on no way that goes from hand to hand; the second by
nobody at all.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from crosstie.access.role import BUILT_IN, TABLE, scopes_of
from crosstie.catalog import catalogue
from crosstie.command import failing
from crosstie.kit import clock
from tests.fence import fence, until
from tests.integration.access.test_matrix import ROUTES
from tests.integration.access.test_matrix import key as made
from tests.integration.live.reader import reading
from tests.parts.command import Command
from tests.parts.glance import glance
from tests.stage import Stage, Tenant, calling

CATALOGUE = catalogue()
FIRST = {name for name, noun in CATALOGUE.resources.items() if noun.tier == 1}
SUPERUSERS = ("admin", "developer")
#: may read all events and all audit entries, make and fetch files, but no noun of the first tier
AUDITOR = frozenset(
    ("events:read", "audit-entries:read", "exports:read", "exports:write", "operations:read", "privacy-requests:read",
     "privacy-requests:write", "notification-rules:write", "notification-rules:read")
)  # fmt: skip
SAID, HELD = "FactQ", "ValueQ"


def said(noun: str) -> str:
    """The mark in what describes a record of this noun."""
    return f"{SAID}{re.sub('[^a-z]', '', noun)}"


def held() -> str:
    """A value that nobody may ever see again."""
    return f"{HELD}{uuid4().hex}"


#: noun → method, what follows the noun in the path, body
MADE: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "secrets": ("POST", "", {"name": "bank/api", "description": said("secrets"), "value": held()}),
    "api-keys": ("POST", "", {"name": said("api-keys"), "scopes": ["jobs:read"]}),
    "oauth-apps": ("POST", "", {"name": said("oauth-apps"), "scopes": ["jobs:read"], "redirect_uris": ["https://a.example/b"]}),
    "trusted-issuers": ("POST", "", {"issuer": f"https://issuer.example/{said('trusted-issuers')}", "audience": "a",
                                     "scopes": ["jobs:read"]}),
    "webhook-endpoints": ("POST", "", {
        "url": "http://127.0.0.1:9/", "description": said("webhook-endpoints"), "event_types": ["site.created"],
        "headers": {"X-Env": held()}, "auth": {"type": "basic", "username": "u", "secret": held()},
    }),
    "inbound-sources": ("POST", "", {"name": said("inbound-sources"), "dialect": "api_key", "secret": held(),
                                     "options": {"header": "X-Partner"}}),
    "service-providers": ("PUT", "/logistics", {
        "mode": "remote", "base_url": "http://127.0.0.1:9",
        "auth": {"type": "basic", "username": said("service-providers"), "secret": held()},
    }),
    "notification-providers": ("POST", "", {"name": said("notification-providers"), "channel": "sms",
                                            "kind": "africastalking", "options": {"account": "a"}, "secret": held()}),
}  # fmt: skip

#: where ways out are looked after, they have a name
NAMED = {"integrations": {"notification-providers"}, "alerts": {"notification-providers"}}
#: what of the ways out needs no credential
OPEN = ("/metrics", "/readyz", "/version", "/openapi.json", "/asyncapi.json", "/reference", "/login",
        "/.well-known/oauth-protected-resource", "/.well-known/api-catalog")  # fmt: skip


@dataclass
class Scene:
    """A tenant with one of each, and a client per role."""

    tenant: Tenant
    clients: dict[str, httpx2.AsyncClient]
    #: what was shown once, at creation
    shown: list[str]
    #: what addresses a record of a noun
    ids: dict[str, str]
    #: the place in the log before all of it
    start: str

    def marks(self, noun: str, where: str) -> bool:
        """Whether something of this noun's record stands there. Raises AssertionError where a value does."""
        assert HELD not in where, where[max(0, where.find(HELD) - 200) :][:400]
        assert not [each for each in self.shown if each in where]
        return said(noun) in where


async def one_of_each(client: httpx2.AsyncClient) -> tuple[list[str], dict[str, str]]:
    """A record of each noun of the first tier: what was shown once, and what addresses them."""
    shown, ids = [], {}
    for noun, (method, more, body) in MADE.items():
        answer = await client.request(method, f"/api/v1/{noun}{more}", json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        ids[noun] = made.get("service") or made["id"]
        token = str(made.get("url", "")).rpartition("/hooks/")[2]
        found = [
            made.get("key"),
            made.get("client_secret"),
            made.get("secret"),
            token if noun == "inbound-sources" else "",
        ]
        shown += [each for each in found if each and HELD not in each]
    rotated = await client.post(f"/api/v1/secrets/{ids['secrets']}/rotate", json={"value": held()})
    assert rotated.status_code == 200, rotated.text
    return shown, ids


async def key(client: httpx2.AsyncClient, scopes: frozenset[str]) -> str:
    """A key that may do exactly this."""
    answer = await client.post("/api/v1/api-keys", json={"name": "a role's", "scopes": sorted(scopes)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


@pytest.fixture
async def scene(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> AsyncIterator[Scene]:
    start = (await client.get("/api/v1/events", params={"sort": "created_at"})).json()["next_cursor"]
    kinds = {**{role: scopes_of([role]) for role in BUILT_IN if scopes_of([role])}, "auditor": AUDITOR}
    keys = {role: await key(client, scopes) for role, scopes in kinds.items()} | {
        "outsider": await made(stage, tenant, frozenset())
    }
    headers = {role: {"authorization": f"Bearer {each}"} for role, each in keys.items()}
    clients = {role: calling(tenant.url, headers=each) for role, each in headers.items()}
    shown, ids = await one_of_each(clients["admin"])
    await clients["admin"].post("/api/v1/clients", json={"name": "C"})
    await fence(client)
    yield Scene(tenant, clients, shown, ids, start)
    for each in clients.values():
        await each.aclose()


async def pages(scene: Scene, role: str) -> list[tuple[str, httpx2.Response]]:
    """Every answer that a role gets from every address that reads, about a record that is there."""
    known: dict[str, str] = {}
    found = []
    for route in ROUTES:
        if route.method != "GET":
            continue
        noun = route.path.split("/")[3]
        if "{" in route.path and noun not in known:
            data = (await scene.clients["admin"].get(f"/api/v1/{noun}")).json().get("data") or [{}]
            known[noun] = scene.ids.get(noun) or data[0].get("id") or str(uuid4())
        path = re.sub(r"\{\w+\}", known.get(noun, ""), route.path, count=1)
        answer = await glance(scene.clients[role], "GET", re.sub(r"\{\w+\}", str(uuid4()), path))
        found.append((route.path, answer))
    return found


def test_whatever_holds_a_credential_is_of_the_first_tier() -> None:
    """And is read and changed by developers, beside those who may do everything."""
    sealed = {each.table for each in CATALOGUE.sealed} - {"idempotency", "signing_keys", "users"}
    given = {
        r.name
        for r in CATALOGUE.resources.values()
        if r.shown_once or any(f.write_only for f in r.creation.fields.values())
    }
    assert {name.replace("_", "-") for name in sealed} | given | {"trusted-issuers"} == FIRST == MADE.keys()
    assert {role for noun in FIRST for cell in TABLE[noun] for role in cell.split()} == {"developer"}


async def test_no_role_but_two_reads_anything_of_it_at_any_address(scene: Scene) -> None:
    seen: dict[str, set[str]] = {noun: set() for noun in FIRST}
    own = {f"/api/v1/{noun}" for noun in FIRST} | {CATALOGUE.resources[noun].one for noun in FIRST}
    for role in scene.clients:
        for path, answer in await pages(scene, role):
            if path in own:
                assert answer.status_code == (200 if role in SUPERUSERS else 403), (role, path, answer.text)
            for noun in FIRST - NAMED.get(path.split("/")[3], frozenset()):
                if scene.marks(noun, answer.text):
                    seen[noun].add(role)
                    assert role in SUPERUSERS, (role, noun, path)
    assert seen == {noun: set(SUPERUSERS) for noun in FIRST}


async def test_no_role_but_two_changes_it(scene: Scene) -> None:
    for role in scene.clients.keys() - set(SUPERUSERS):
        for route in ROUTES:
            noun = route.path.split("/")[3]
            if route.method == "GET" or noun not in FIRST:
                continue
            path = re.sub(r"\{\w+\}", scene.ids[noun], route.path)
            answer = await scene.clients[role].request(
                route.method, path, json={} if route.method != "DELETE" else None
            )
            assert answer.status_code == 403, (role, route.path)
            assert not any(scene.marks(each, answer.text) for each in FIRST)
    left = {noun: await scene.clients["admin"].get(f"/api/v1/{noun}/{id}") for noun, id in scene.ids.items()}
    assert all(scene.marks(noun, answer.text) for noun, answer in left.items())


async def test_the_stream_tells_no_other_role(scene: Scene) -> None:
    hearing = {role for role in BUILT_IN if scopes_of([role]) & {"*", "events:read"}} | {"auditor"}
    assert hearing == {"admin", "developer", "owner", "auditor"}
    for role in hearing:
        credential = scene.clients[role].headers["authorization"].partition(" ")[2]
        async with reading(scene.tenant, credential) as reader:
            await reader.subscribe("*", after=scene.start)
            heard = ""
            while '"name":"Fence"' not in heard.replace('": "', '":"'):
                heard += json.dumps(await reader.next())
            for noun in FIRST:
                assert scene.marks(noun, heard) == (role in SUPERUSERS), (role, noun)
            for topic in ("secrets", f"secret:{scene.ids['secrets']}", "secret.*", "secret.rotated"):
                frame = await reader.subscribe(topic)
                assert frame["type"] == ("subscribed" if role in SUPERUSERS else "error"), (role, frame)


async def file(scene: Scene, role: str, path: str, body: dict[str, Any]) -> str:
    """What a role finds in a file that it had made."""
    client = scene.clients[role]
    asked = await client.post(path, json=body)
    assert asked.status_code in (201, 202), asked.text
    operation = asked.json().get("operation_id") or asked.json()["id"]
    done: dict[str, Any] = {}

    async def ready() -> bool:
        done.update((await scene.clients["admin"].get(f"/api/v1/operations/{operation}")).json())
        return done["status"] in ("done", "failed")

    await until(ready)
    export = await client.get(f"/api/v1/exports/{done['result']['export_id']}")
    content = (await client.get(export.json()["url"])).content
    if not content.startswith(b"PK"):
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_files_that_go_from_hand_to_hand_say_nothing_of_it(stage: Stage, scene: Scene, role: str) -> None:
    since = clock.format(clock.now().replace(year=2020))
    audit = await file(scene, role, "/api/v1/audit-entries/export", {"since": since})
    assert '"secrets.rotate"' in audit
    user = await scene.clients["admin"].post(
        "/api/v1/users", json={"email": "d@example.com", "name": "D", "role": "viewer"}
    )
    made_by = user.json()["id"]
    superuser = await stage.superuser()
    for table in ("events", "audit_entries"):  # as if that person had done it all
        said = f"UPDATE {table} SET actor_type = 'user', actor_id = $2 WHERE tenant_id = $1"
        await superuser.execute(said, scene.tenant.id, made_by)
    await superuser.close()
    person = {"kind": "export", "subject_type": "user", "subject_id": made_by}
    copy = await file(scene, role, "/api/v1/privacy-requests", person)
    assert '"client.created"' in copy
    for noun in FIRST:
        assert not scene.marks(noun, audit), (noun, "audit export")
        assert not scene.marks(noun, copy), (noun, "privacy export")


async def test_nobody_is_sent_messages_about_it_but_by_a_developer(scene: Scene) -> None:
    rule = {"event_type": "secret.rotated", "template": "plain", "audience": ["role:viewer"]}
    assert (await scene.clients["auditor"].post("/api/v1/notification-rules", json=rule)).status_code == 403
    assert (await scene.clients["developer"].post("/api/v1/notification-rules", json=rule)).status_code == 201


async def test_open_pages_and_the_command_line(stage: Stage, scene: Scene) -> None:
    async with calling(stage.url) as anyone:
        for path in OPEN:
            answer = await anyone.get(path)
            assert answer.status_code == 200, (path, answer.status_code)
            assert not [noun for noun in FIRST if scene.marks(noun, answer.text)], path
    keys = {role: each.headers["authorization"].partition(" ")[2] for role, each in scene.clients.items()}
    command = Command(stage.home, {"CROSSTIE_PORT": str(stage.port), "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8,::1/128"})
    for noun in ("secrets", "api-keys"):
        told = command(noun, "list", CROSSTIE_API_KEY=keys["developer"])
        assert scene.marks(noun, told.out + told.err)
        told = command(noun, "list", CROSSTIE_API_KEY=keys["staff"])
        assert told.code == failing.DENIED
        assert not scene.marks(noun, told.out + told.err)
    told = command("config", "show", "-o", "json")
    assert told.code == 0
    assert not [noun for noun in FIRST if scene.marks(noun, told.out + told.err)]
