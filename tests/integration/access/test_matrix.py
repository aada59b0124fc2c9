"""Roles × routes: what the declared table allows is what the API allows, over real HTTP, route by route."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from uuid import uuid4

import httpx2

from crosstie.access.key import API_KEYS
from crosstie.access.role import BUILT_IN, TABLE, scopes_of
from crosstie.api.operation import Operation
from crosstie.app import opened
from crosstie.catalog import catalogue
from crosstie.log import change
from crosstie.spec import operations
from tests.parts.glance import glance
from tests.stage import EVERYTHING, Stage, Tenant

Table = Mapping[str, tuple[str, str]]
#: (role or "nobody", method, path) → status and code of the answer
Seen = dict[tuple[str, str, str], tuple[int, str]]
OPEN = "nobody"
#: what any credential may call: neither says anything of the tenant's records, and a ticket may do what its maker may
ANYBODY = {("GET", "/api/v1/event-types"), ("POST", "/api/v1/stream/tickets")}
CATALOGUE = catalogue()
ROUTES = [o for o in operations(CATALOGUE) if not o.public]


def needed(route: Operation) -> tuple[str, int]:
    """The noun that a route is about, and whether it reads (0) or writes (1).

    Both follow from its address and method, not from its scope; only where no noun stands in the address does the scope
    say which one it is.
    """
    noun = route.path.split("/")[3]
    if noun not in CATALOGUE.resources and noun != "events":
        noun = (route.scope or "").partition(":")[0]
    resource = CATALOGUE.resources.get(noun)
    verb = route.path.rsplit("/", 1)[-1]
    looks = {a.verb for a in resource.actions if a.scope == "read"} if resource else set()
    return noun, 0 if route.method == "GET" or verb in looks else 1


def allowed(role: str, route: Operation, table: Table) -> bool:
    """Whether the table lets a role call a route."""
    noun, column = needed(route)
    return role == "admin" or (route.method, route.path) in ANYBODY or role in table[noun][column].split()


def wrong(seen: Seen, table: Table) -> list[tuple[str, str, str]]:
    """Where the API did not do what the table says."""
    found = []
    for route in ROUTES:
        for role in (*BUILT_IN, OPEN):
            place = (role, route.method, route.path)
            status, code = seen[place]
            if role == OPEN:
                right = status == 401
            elif allowed(role, route, table):
                right = status not in (401, 403)
            else:
                right = (status, code) == (403, "insufficient_scope")
            if not right:
                found.append(place)
    return found


async def key(stage: Stage, tenant: Tenant, scopes: frozenset[str]) -> str:
    """A key that may do exactly this. One that may do nothing is made by nobody but behind everybody's back."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await process.vault.load(process.log.app, tenant.id)
        async with process.log.unit(tenant.id, EVERYTHING) as unit:
            values = {"name": "role", "scopes": sorted(scopes) or ["events:read"], "ips": []}
            made = await change.create(unit, API_KEYS, values)
        if not scopes:
            superuser = await stage.superuser()
            await superuser.execute("UPDATE api_keys SET scopes = '[]' WHERE id = $1", made.id)
            await superuser.close()
        return unit.shown["key"]


async def walk(stage: Stage, keys: Mapping[str, str | None]) -> Seen:
    """Call every route in every role, about a record that is not there."""
    seen: Seen = {}

    async def one(role: str, credential: str | None) -> None:
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        async with httpx2.AsyncClient(base_url=stage.url, headers=headers, timeout=30) as client:
            for route in ROUTES:
                path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
                body: dict[str, str] | None = None if route.method in ("GET", "DELETE") else {}
                answer = await glance(client, route.method, path, json=body)
                problem = answer.headers.get("content-type", "").startswith("application/problem")
                code = answer.json()["code"] if problem else ""
                seen[role, route.method, route.path] = (answer.status_code, code)

    await asyncio.gather(*(one(role, credential) for role, credential in keys.items()))
    return seen


async def test_every_route_in_every_role(stage: Stage, tenant: Tenant) -> None:
    scopes = {role: scopes_of([role]) for role in BUILT_IN}
    alike = {kind: next(role for role in scopes if scopes[role] == kind) for kind in scopes.values()}
    keys: dict[str, str | None] = {role: await key(stage, tenant, kind) for kind, role in alike.items()}
    found = await walk(stage, keys | {OPEN: None})
    seen = found | {
        (role, route.method, route.path): found[alike[scopes[role]], route.method, route.path]
        for role in BUILT_IN
        for route in ROUTES
    }
    assert wrong(seen, TABLE) == []
    every_cell_is_executed(seen)
    a_missing_guard_is_seen(seen)


def every_cell_is_executed(seen: Seen) -> None:
    """Whichever cell of the table is turned over, the walk contradicts it."""
    guarded = {needed(route) for route in ROUTES if (route.method, route.path) not in ANYBODY}
    for noun, cells in TABLE.items():
        for column in (0, 1):
            if (noun, column) not in guarded:
                continue
            for role in BUILT_IN.keys() - {"admin"}:
                turned = [set(cell.split()) for cell in cells]
                turned[column] ^= {role}
                other = {**TABLE, noun: (" ".join(turned[0]), " ".join(turned[1]))}
                found = wrong(seen, other)
                assert found, f"nothing shows whether {role} may {'write' if column else 'read'} {noun}"
                assert {place[0] for place in found} == {role}


def a_missing_guard_is_seen(seen: Seen) -> None:
    """Red proof: were a viewer not held to his scopes, or nobody asked for a credential, every route would show it."""
    holes: Seen = {}
    for route in ROUTES:
        place = route.method, route.path
        holes |= {("viewer", *place): seen["admin", *place], (OPEN, *place): seen["viewer", *place]}
    found = wrong(seen | holes, TABLE)
    assert len([place for place in found if place[0] == OPEN]) == len(ROUTES)
    refused = [route for route in ROUTES if not allowed("viewer", route, TABLE)]
    assert len([place for place in found if place[0] == "viewer"]) == len(refused)
