"""One record of each noun that can be made over the API, from its declaration alone."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2

from crosstie.catalog import catalogue
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.resource import Resource

CATALOGUE = catalogue()
#: what a declaration cannot say about a believable creation
KNOWN: dict[str, dict[str, Any]] = {
    "api-keys": {"scopes": ["clients:read"]},
    "event-types": {"name": "acme.meter.read", "data_schema": {"type": "object"}},
    "oauth-apps": {"redirect_uris": ["https://app.example/back"], "scopes": ["jobs:read"]},
    "schedules": {"starts_at": "2026-03-01T08:00:00Z", "ends_at": "2026-03-01T10:00:00Z"},
    "webhook-endpoints": {"url": "http://127.0.0.1:9/hook"},
}


async def make(client: httpx2.AsyncClient, resource: Resource, made: dict[str, str]) -> str | None:
    """The id of a new record, or None where it takes more than its declaration says. References are made first."""
    if resource.name in made:
        return made[resource.name]
    if "create" not in resource.verbs or resource.upload is not None:
        return None
    body: dict[str, Any] = {}
    for name in resource.creation.required:
        field = resource.creation.fields[name]
        of = field.kind.of if isinstance(field.kind, kinds.Id) else None
        if of:
            body[name] = await make(client, CATALOGUE.resources[of], made)
        else:
            body[name] = example(field)
            if isinstance(field.kind, kinds.Text) and field.kind.format == "email":
                body[name] = f"{secrets.token_hex(6)}@example.com"
    answer = await client.post(resource.path, json=body | KNOWN.get(resource.name, {}))
    if answer.status_code != 201:
        return None
    made[resource.name] = str(answer.json()["id"])
    return made[resource.name]


async def every(client: httpx2.AsyncClient) -> dict[str, str]:
    """Noun → id of a record, for as many nouns as can be made."""
    made: dict[str, str] = {}
    for resource in CATALOGUE.resources.values():
        await make(client, resource, made)
    event = {"event_id": "sample", "event_type": "projects.budget.updated", "data": {"project_id": "p"}}
    await client.post("/api/v1/events", json=event)
    for name in CATALOGUE.resources.keys() - made.keys():
        page = await client.get(f"/api/v1/{name}?limit=1")
        if page.status_code == 200 and page.json()["data"]:
            made[name] = page.json()["data"][0]["id"]
    return made
