"""Every operation that changes something leaves one entry in the audit log: derived from the catalogue."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from crosstie.catalog import catalogue
from crosstie.declare.resource import Resource
from crosstie.kit import ids
from tests.contract.noun.samples import SAMPLES, World
from tests.contract.noun.test_noun import paths
from tests.stage import Stage, Tenant

NOUNS = catalogue().resources
MADE = [noun for noun in NOUNS.values() if noun.name in SAMPLES]
SPEC = json.loads((Path(__file__).parents[3] / "spec" / "openapi.json").read_text("utf-8"))
CHANGING = {
    operation["operationId"]
    for path, methods in SPEC["paths"].items()
    for method, operation in methods.items()
    if method in ("post", "patch", "put", "delete") and "{token}" not in path
}
#: operations that are no acts on a record, with the reason
APART = {
    "events.create": "an event that was sent in is its own record, in the log",
    "events.batch": "as above",
    "users.sync": "makes and changes users, each an entry of its own",
    "privacy-requests.create": "tests/integration/privacy",
    "audit-entries.export": "tests/integration/privacy",
    "event-types.create": "tests/integration/audit/test_trail.py",
    "event-types.update": "tests/integration/audit/test_trail.py",
    "service-providers.put": "tests/integration/services/test_provider.py",
    "service-providers.delete": "as above",
    "service-providers.reset": "as above",
    **{
        f"{service.name}.{each.name}": "a call is a record of its own, which says who asked"
        for service in catalogue().services.values()
        for each in service.operations
        if each.mutates
    },
    "message-templates.preview": "changes nothing",
    "stream-tickets.create": "writes nothing: a ticket is its maker's credential, sealed, for a minute",
    "alerts.acknowledge": "tests/integration/watch/test_alerts.py",
}


class Actor:
    """Calls operations and looks at what the audit log says of each."""

    def __init__(self, world: World, superuser: asyncpg.Connection, tenant: Tenant) -> None:
        self.world = world
        self.superuser = superuser
        self.tenant = tenant

    async def insert(self, table: str, **values: Any) -> str:
        """A row that no caller can make."""
        id = ids.uuid7()
        columns = {"tenant_id": self.tenant.id, "id": id} | values
        names = ", ".join(columns)
        places = ", ".join(f"${number + 1}" for number in range(len(columns)))
        await self.superuser.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", *columns.values())
        return str(id)

    async def check(self, response: httpx2.Response, name: str, kind: str, id: str) -> dict[str, Any]:
        """The one entry of a call that succeeded."""
        assert response.status_code < 300, (name, response.text)
        asked = {"request_id": response.headers["x-request-id"]}
        page = await self.world.client.get("/api/v1/audit-entries", params=asked)
        found = page.json()["data"]
        fitting = [entry for entry in found if entry["action"] == name]
        assert len(fitting) == 1, (name, found)
        (entry,) = fitting
        assert entry["target"] == {"type": kind, "id": id}, (name, entry)
        assert (entry["outcome"], entry["ip"], entry["actor"]["type"]) == ("done", "127.0.0.1", "api_key")
        twice = [(each["action"], each["target"]["id"]) for each in found]
        assert len({target for _, target in twice}) == len(twice), "a target has two entries of one request"
        return dict(entry)


@pytest.fixture
async def actor(client: httpx2.AsyncClient, stage: Stage, tenant: Tenant) -> AsyncIterator[Actor]:
    connection = await stage.superuser()
    yield Actor(World(client), connection, tenant)
    await connection.close()


def covered(noun: Resource) -> set[str]:
    """The operations of a noun that the generated test calls."""
    found = {f"{noun.name}.{verb}" for verb in ("create", "update", "delete") if verb in noun.verbs}
    if "bulk" in noun.verbs and noun.upload is None:
        found.add(f"{noun.name}.bulk")
    verbs = [move.verb for move in noun.machine.moves if not move.inner] if noun.machine else []
    verbs += [action.verb for action in noun.actions if action.scope == "write"]
    if noun.upload and noun.upload.replace:
        verbs.append("add_version")
    return found | {f"{noun.name}.{verb.replace('-', '_')}" for verb in verbs}


def test_no_changing_operation_is_forgotten() -> None:
    known = set().union(*(covered(noun) for noun in MADE)) | RARE.keys() | APART.keys()
    assert not CHANGING - known, "say in this file how the operation is called, or why it needs no entry"
    assert not (RARE.keys() | APART.keys()) - CHANGING


@pytest.mark.parametrize("noun", MADE, ids=[noun.name for noun in MADE])
async def test_what_can_be_done_with_a_noun_is_in_the_audit_log(actor: Actor, noun: Resource) -> None:
    world, sample = actor.world, SAMPLES[noun.name]
    created = await world.make(noun.name)
    id = created.json()["id"]
    entry = await actor.check(created, f"{noun.name}.create", noun.singular, id)
    assert entry["before"] is None
    assert entry["after"]["id"] == id
    assert not {field.name for field in noun.shown_once} & entry["after"].keys()
    path = f"{noun.path}/{id}"
    if "bulk" in noun.verbs and noun.upload is None:
        bulk = await world.client.post(f"{noun.path}/bulk", json={"items": [await sample.body(world)]})
        (made,) = bulk.json()["results"]
        await actor.check(bulk, f"{noun.name}.create", noun.singular, made["data"]["id"])
    if "update" in noun.verbs:
        before = (await world.client.get(path)).json()
        updated = await world.client.patch(path, json=dict(sample.change))
        entry = await actor.check(updated, f"{noun.name}.update", noun.singular, id)
        for name in sample.change:
            assert entry["before"][name] == before[name]
            assert entry["after"][name] == updated.json()[name]
    if noun.upload and noun.upload.replace:
        assert sample.file is not None
        again = await world.client.post(f"{path}/versions", files={"file": ("x", sample.file())})
        await actor.check(again, f"{noun.name}.add_version", noun.singular, id)
    for action in noun.actions:
        if action.scope == "write":
            fresh = (await world.make(noun.name)).json()["id"]
            for verb in FIRST.get((noun.name, action.verb), ()):
                await world.client.post(f"{noun.path}/{fresh}/{verb}")
            body = sample.given.get(action.verb) or GIVEN.get((noun.name, action.verb), {})
            done = await world.client.post(f"{noun.path}/{fresh}/{action.verb}", json=body)
            name = f"{noun.name}.{action.verb.replace('-', '_')}"
            await actor.check(done, name, noun.singular, fresh)
    await _moves(actor, noun)
    if "delete" in noun.verbs:
        gone = (await world.make(noun.name)).json()["id"]
        entry = await actor.check(
            await world.client.delete(f"{noun.path}/{gone}"), f"{noun.name}.delete", noun.singular, gone
        )
        assert entry["after"] is None
        assert entry["before"]["id"] == gone


async def _moves(actor: Actor, noun: Resource) -> None:
    """Each public move, once, from the first state that allows it."""
    ways = paths(noun.machine) if noun.machine else {}
    for move in noun.machine.moves if noun.machine else ():
        if move.inner:
            continue
        source = next(state for state in ways if state in move.sources)
        id = (await actor.world.make(noun.name)).json()["id"]
        given = SAMPLES[noun.name].given
        for verb in ways[source]:
            await actor.world.client.post(f"{noun.path}/{id}/{verb}", json=given.get(verb, {}))
        moved = await actor.world.client.post(f"{noun.path}/{id}/{move.verb}", json=given.get(move.verb, {}))
        name = f"{noun.name}.{move.verb.replace('-', '_')}"
        entry = await actor.check(moved, name, noun.singular, id)
        column = noun.machine.column.key if noun.machine else ""
        if source != move.target:
            assert (entry["before"][column], entry["after"][column]) == (source, move.target)


#: moves that must be taken before an action
FIRST = {("quotes", "link"): ("send",)}
#: what actions must be given
GIVEN: dict[tuple[str, str], dict[str, Any]] = {
    ("secrets", "rotate"): {"value": "the next one, as secret"},
    ("webhook-endpoints", "replay"): {"since": "2026-01-01T00:00:00Z"},
    ("webhook-endpoints", "recover"): {"since": "2026-01-01T00:00:00Z"},
}


async def _tenant(actor: Actor) -> str:
    return str(actor.tenant.id)


async def _session(actor: Actor) -> str:
    now = await actor.superuser.fetchval("SELECT now()")
    user = ids.parse(await actor.world.some("users"))
    return await actor.insert(
        "sessions", user_id=user, methods='["password"]', authenticated_at=now, seen_at=now, expires_at=now,
        hash=b"x", created_at=now, updated_at=now, revision=1,
    )  # fmt: skip


async def _delivery(actor: Actor, status: str = "dead") -> str:
    now = await actor.superuser.fetchval("SELECT now()")
    endpoint = ids.parse(await actor.world.some("webhook-endpoints"))
    event = await actor.superuser.fetchval("SELECT id FROM events WHERE tenant_id = $1 LIMIT 1", actor.tenant.id)
    return await actor.insert(
        "deliveries", created_at=now, log_id=event, event_id="e", event_type="job.created", endpoint_id=endpoint,
        sink="webhook", status=status, attempts=1, base=0,
        due_at=await actor.superuser.fetchval("SELECT now() + interval '1 day'") if status == "pending" else None,
    )  # fmt: skip


async def _letter(actor: Actor) -> str:
    id = await _delivery(actor)
    await actor.superuser.execute(
        "INSERT INTO dead_letters (tenant_id, id, source, event, event_type, status, cause, attempts,"
        " first_at, last_at) VALUES ($1, $2, 'webhook', '{}', 'job.created', 'dead', 'timeout', 1, now(), now())",
        actor.tenant.id,
        ids.parse(id),
    )
    return id


async def _export(actor: Actor) -> str:
    now = await actor.superuser.fetchval("SELECT now()")
    return await actor.insert(
        "exports", kind="audit", filename="a", content_type="a/b", size=1, sha256="x", status="ready", expires_at=now,
        blob="", created_at=now, updated_at=now, revision=1,
    )  # fmt: skip


async def _request(actor: Actor) -> str:
    source = ids.parse(await actor.world.some("inbound-sources"))
    now = await actor.superuser.fetchval("SELECT now()")
    return await actor.insert(
        "inbound_requests", source_id=source, received_at=now, status="rejected", reason="no_secret",
        verified=False, headers="{}", body=b"", size=0, attempts=1,
    )  # fmt: skip


async def _operation(actor: Actor) -> str:
    later = await actor.superuser.fetchval("SELECT now() + interval '1 day'")
    return await actor.insert(
        "operations", kind="replay", status="queued", progress=0, due_at=later, given="{}", state="{}", failures=0,
        created_at=later, updated_at=later, revision=1,
    )  # fmt: skip


async def _message(actor: Actor, status: str = "held") -> str:
    now = await actor.superuser.fetchval("SELECT now()")
    return await actor.insert(
        "messages", request_id="r", channel="email", template="plain", template_version=0, category="general",
        locale="en", status=status, key=str(ids.uuid7()), address="a@example.com", data="{}",
        attachments="[]", created_at=now, updated_at=now, revision=1,
    )  # fmt: skip


async def _notice(actor: Actor) -> str:
    now = await actor.superuser.fetchval("SELECT now()")
    user = ids.parse(await actor.world.some("users"))
    return await actor.insert(
        "notices", user_id=user, message_id=ids.uuid7(), category="general", locale="en", title="t", body="b",
        status="unread", created_at=now, updated_at=now, revision=1,
    )  # fmt: skip


Make = Callable[[Actor], Awaitable[str]]


#: operations on records that callers cannot make: how there comes to be one, method, what is sent
async def _call(actor: Actor) -> str:
    now = await actor.superuser.fetchval("SELECT now()")
    return await actor.insert(
        "service_calls", service="treasury", operation="treasury.create_bill", status="failed", given="{}",
        response_status=422, provider="remote", attempts=1, actor_type="system", key="k", created_at=now,
        updated_at=now, revision=1,
    )  # fmt: skip


RARE: dict[str, tuple[Make, str, dict[str, Any]]] = {
    "tenants.update": (_tenant, "PATCH", {"name": "Another"}),
    "settings.update": (_tenant, "PATCH", {"payments": {"terms_days": 7}}),
    "settings.revert": (_tenant, "POST", {"version": 1}),
    "sessions.end": (_session, "POST", {}),
    "deliveries.retry": (_delivery, "POST", {}),
    "deliveries.cancel": (lambda actor: _delivery(actor, "pending"), "POST", {}),
    "dead-letters.retry": (_letter, "POST", {}),
    "dead-letters.discard": (_letter, "POST", {"reason": "Why not"}),
    "inbound-requests.replay": (_request, "POST", {}),
    "messages.cancel": (_message, "POST", {}),
    "messages.retry": (lambda actor: _message(actor, "failed"), "POST", {}),
    "notices.read": (_notice, "POST", {}),
    "notices.archive": (_notice, "POST", {}),
    "operations.cancel": (_operation, "POST", {}),
    "service-calls.retry": (_call, "POST", {}),
    "exports.delete": (_export, "DELETE", {}),
}


@pytest.mark.parametrize("name", RARE)
async def test_what_is_done_to_what_nobody_makes_is_there_too(actor: Actor, name: str) -> None:
    make, method, body = RARE[name]
    noun, verb = name.split(".")
    id = await make(actor)
    tail = "" if method in ("PATCH", "DELETE") else f"/{verb.replace('_', '-')}"
    response = await actor.world.client.request(method, f"/api/v1/{noun}/{id}{tail}", json=body or None)
    await actor.check(response, name, NOUNS[noun].singular, id)
