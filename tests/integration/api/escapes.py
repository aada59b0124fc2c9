"""Attempts to reach another tenant's records, generated from the operations of the API: every place that takes an id.

Each comes with its twin, the same request for ids that nobody has: the two must be answered alike.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from uuid import uuid4

import httpx2

from crosstie.api.operation import Operation
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.resource import Resource
from crosstie.spec import operations
from tests.integration.api import samples

EVERY = [o for o in operations(samples.CATALOGUE) if not o.public and o.path.startswith("/api/")]


@dataclass
class Victim:
    """A tenant whose records are looked for: their ids by noun, and a mark that stands in every text of theirs."""

    tenant_id: str
    ids: Mapping[str, str]
    mark: str
    event_ids: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    etags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Attempt:
    """One request, and its twin's."""

    operation: Operation
    how: str
    path: str
    twin_path: str
    query: Mapping[str, str]
    twin_query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    twin_body: Any = None
    #: nothing but the id decides the answer: it must be the twin's to the letter
    alike: bool = True


async def victim(client: httpx2.AsyncClient, tenant_id: str) -> Victim:
    """A tenant with a marked record of every noun that can be made."""
    mark = f"mark{secrets.token_hex(8)}"
    made = await samples.every(client)
    found = Victim(tenant_id, made, mark)
    for noun, id in made.items():
        resource = samples.CATALOGUE.resources[noun]
        words = {f.name: mark for f in resource.change.fields.values() if _plain(f.kind)}
        if "update" in resource.verbs and words:
            await client.patch(f"{resource.path}/{id}", json=words)
        read = await client.get(f"{resource.path}/{id}")
        found.etags.append(read.headers.get("etag", ""))
        page = await client.get(resource.path, params={"limit": "1", "sort": "created_at"})
        if page.status_code == 200 and page.json()["next_cursor"]:
            found.cursors.append(page.json()["next_cursor"])
    events = (await client.get("/api/v1/events", params={"limit": "200"})).json()
    found.event_ids = [event["event_id"] for event in events["data"]]
    found.cursors.append(events["next_cursor"] or "")
    return found


def _plain(kind: kinds.Kind) -> bool:
    return isinstance(kind, kinds.Text) and kind.pattern is None and kind.format is None and kind.max >= 24


def attempts(aim: Victim, seed: int) -> Iterator[Attempt]:
    """Attempts without end, every operation among the first; the same seed gives the same."""
    dice = random.Random(seed)
    for operation in chain(EVERY, iter(lambda: dice.choice(EVERY), None)):
        made = _attempt(operation, aim, dice)
        if made is not None:
            yield made


def _attempt(operation: Operation, aim: Victim, dice: random.Random) -> Attempt | None:
    noun = operation.path.removeprefix("/api/v1/").split("/")[0]
    own = aim.ids.get(noun) if dice.random() < 0.8 else None
    strange = own or dice.choice([*aim.ids.values(), aim.tenant_id])
    other = operation.path.count("{") > 1 or ("{" in operation.path and "{id}" not in operation.path)
    if other:
        return None
    nobody = str(uuid4())
    path, twin = operation.path.replace("{id}", strange), operation.path.replace("{id}", nobody)
    query, twin_query = _query(operation, aim, dice, nobody)
    headers, how = _headers(operation, aim, dice)
    body, twin_body = None, None
    if operation.method not in ("GET", "DELETE") and operation.body is not None:
        body, twin_body = _body(operation, aim, dice, nobody)
    aimed = "{id}" in operation.path or query != twin_query or body != twin_body
    return Attempt(
        operation, how, path, twin, query, twin_query, headers, body, twin_body, aimed and "cursor" not in query
    )


def _query(
    operation: Operation, aim: Victim, dice: random.Random, nobody: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters that name the victim's records."""
    if operation.method != "GET" or dice.random() < 0.2:
        return {}, {}
    names = [p.name for p in operation.parameters if p.place == "query"]
    found: dict[str, str] = {}
    twin: dict[str, str] = {}
    listed = [name for name in names if name.endswith("_id")]
    if listed and dice.random() < 0.6:
        name = dice.choice(listed)
        ours = aim.event_ids if name == "event_id" else list(aim.ids.values())
        found[name], twin[name] = dice.choice(ours), nobody
    if "cursor" in names and dice.random() < 0.3:
        found["cursor"] = twin["cursor"] = dice.choice(aim.cursors)
    if "q" in names and dice.random() < 0.3:
        found["q"], twin["q"] = aim.mark, f"mark{nobody[:8]}"
    if "expand" in names and dice.random() < 0.5:
        found["expand"] = twin["expand"] = dice.choice(["client", "site", "job", "technician", "document", "endpoint"])
    return found, twin


def _headers(operation: Operation, aim: Victim, dice: random.Random) -> tuple[dict[str, str], str]:
    """Headers that would choose a tenant or a version, if anybody listened."""
    found, how = {}, "plain"
    if dice.random() < 0.4:
        found["x-tenant-id"], how = aim.tenant_id, "tenant named"
    if operation.method in ("PATCH", "DELETE") and dice.random() < 0.3:
        found["if-match"], how = dice.choice(aim.etags) or '"x"', "version known"
    return found, how


def _body(operation: Operation, aim: Victim, dice: random.Random, nobody: str) -> tuple[Any, Any]:
    """The least that a verb must be given, with the victim's ids where ids go."""
    if operation.path.endswith("/bulk"):  # what each item is, is said in words
        of = operation.path.split("/")[-2]
        schema = {"$ref": f"{samples.CATALOGUE.resources[of].title}Create"}
        body, twin = _document(schema, aim, dice, nobody)
        return {"items": [body]}, {"items": [twin]}
    return _document(operation.body or {}, aim, dice, nobody)


def _document(schema: Mapping[str, Any], aim: Victim, dice: random.Random, nobody: str) -> tuple[Any, Any]:
    resource = _resource(schema)
    if resource is None:
        body = {name: samples_of(schema.get("properties", {}).get(name, {})) for name in schema.get("required", ())}
        return body, body
    shape = resource.creation if "Create" in str(schema) else resource.change
    body = {name: example(shape.fields[name]) for name in shape.required} if shape is resource.creation else {}
    twin = dict(body)
    for field_ in shape.fields.values():
        of = field_.kind.of if isinstance(field_.kind, kinds.Id) else None
        if of and of in aim.ids and (field_.name in body or dice.random() < 0.7):
            body[field_.name], twin[field_.name] = aim.ids[of], nobody
    if dice.random() < 0.2:
        body["tenant_id"] = twin["tenant_id"] = aim.tenant_id
    return body, twin


def _resource(schema: Mapping[str, Any]) -> Resource | None:
    name = str(schema.get("$ref", "")).rsplit("/", 1)[-1]
    for resource in samples.CATALOGUE.resources.values():
        if name in (f"{resource.title}Create", f"{resource.title}Update"):
            return resource
    return None


def samples_of(schema: Mapping[str, Any]) -> Any:
    """A value of a simple schema."""
    schema = schema.get("anyOf", [schema])[0]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date-time":
        return "2026-03-01T08:00:00Z"
    if schema.get("format") == "uuid":
        return str(uuid4())
    usual: dict[str, Any] = {"string": "text", "integer": 1, "boolean": True, "object": {}, "array": []}
    return usual.get(schema.get("type", "object"), {})
