"""For an outside auth service: the call by which it makes and changes users, and the way to find a tenant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
from starlette.requests import Request

from crosstie.access import sync
from crosstie.access import tenant as tenants
from crosstie.access.token import Grant
from crosstie.access.user import EMAIL
from crosstie.api import body, filters
from crosstie.api.entry import JSON, Api
from crosstie.api.operation import KEY, Operation, Parameter
from crosstie.db import session
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.shape import Nested, Shape
from crosstie.errors import Conflict, Forbidden, NotFound, TenantSuspended
from crosstie.kit import ids, json
from crosstie.log.event import DIRECTORY, Actor
from crosstie.log.idempotency import Answer
from crosstie.log.unit import Unit


def _word(name: str, doc: str, most: int = 200, **more: Any) -> Field:
    return Field(kinds.Text(most, **more), name=name, doc=doc, nullable=True)


SYNC = Shape(
    [
        Field(kinds.Text(254, 3, EMAIL, "email"), name="email", doc="E-mail address; it names them."),
        _word("user_id", "Their id at the service, as tokens have it in `sub`.", 255, min=1),
        _word("tenant_slug", "The tenant; unless given, that of the key.", 63),
        _word("tenant_id", "The same by id.", 128),
        Field(
            kinds.Data(50), name="profile", doc="What is known of them: `name` or `full_name` is kept.", nullable=True
        ),
        Field(kinds.Many(kinds.Text(60), 50), name="roles", doc="Their roles at the service.", nullable=True),
        _word("status", "Whether they may act: active or suspended.", 40),
        _word("service", "Who asks; for the record.", 100),
    ]
)
SYNCED = Shape(
    [
        Field(kinds.Id(), name="user_id", doc="The user here."),
        Field(kinds.Id(), name="tenant_id", doc="The tenant."),
        Field(kinds.Flag(), name="created", doc="Whether the user is new."),
    ]
)
OUTLET = Nested(
    (
        Field(kinds.Id(), name="id", doc="Its id."),
        Field(kinds.Text(30), name="code", doc="Its short name."),
        Field(kinds.Text(200), name="name", doc="What it is called."),
        Field(kinds.Text(20), name="status", doc="Whether it does business."),
    )
)
FOUND = Shape(
    [
        Field(kinds.Id(), name="id", doc="The tenant's id."),
        Field(kinds.Text(63), name="slug", doc="Its short name."),
        Field(kinds.Text(200), name="name", doc="The firm's name."),
        Field(kinds.Text(20), name="status", doc="Whether it may act."),
        Field(kinds.Many(OUTLET, 1000), name="outlets", doc="Its outlets; for its own credentials.", nullable=True),
    ]
)
OUTLETS = "SELECT id, code, name, status FROM outlets ORDER BY code LIMIT 1000"


class Directory:
    """The handlers."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def sync(self, request: Request) -> Answer:
        grant = await self.api.enter(request, "users:write")
        filters.none(request)
        raw, document = await body.document(request)
        values = dict.fromkeys(SYNC.fields) | SYNC.decode(document)
        target = await self._target(grant, values)

        async def work(unit: Unit) -> Answer:
            issuer = await unit.connection.fetchval("SELECT identity_issuer FROM tenants")
            if issuer is None:
                raise Conflict("Nobody but Crosstie keeps this tenant's people: name the service in identity_issuer.")
            told = {**values, **(values["profile"] or {})}
            user, created = await sync.told(unit, issuer, told, unit.now)
            found = {"user_id": user.id, "tenant_id": unit.tenant_id, "created": created}
            return Answer(201 if created else 200, json.dumps(SYNCED.encode(found)), JSON)

        return await self.api.write(request, target, raw, work)

    async def _target(self, grant: Grant, values: dict[str, Any]) -> Grant:
        """The tenant that is meant: a directory may name any, everybody else has his own."""
        named = values["tenant_slug"] or values["tenant_id"]
        if DIRECTORY not in grant.actor.scopes:
            own = await self._firm(str(grant.tenant_id))
            if named not in (None, own["slug"], str(own["id"])):
                raise Forbidden("The call names another tenant than the credential's.")
            return grant
        if named is None:
            return grant
        firm = await self._firm(values["tenant_slug"] or str(ids.stable(values["tenant_id"])))
        if firm["status"] == "suspended":
            raise TenantSuspended("This tenant is suspended; its operator can say why.")
        return replace(grant, tenant_id=firm["id"], actor=Actor(grant.actor.type, grant.actor.id, frozenset("*")))

    async def find(self, request: Request) -> Answer:
        filters.none(request)
        firm = await self._firm(request.path_params.get("slug") or request.path_params["domain"])
        if firm["status"] == "suspended":
            raise TenantSuspended("This tenant is suspended; its operator can say why.")
        shown = {name: firm[name] for name in ("id", "slug", "name", "status")}
        outlets = await self._outlets(firm["id"]) if await self._knows(request, firm["id"]) else None
        return Answer(200, json.dumps(FOUND.encode({**shown, "outlets": outlets})), JSON)

    async def _knows(self, request: Request, tenant_id: UUID) -> bool:
        """Whether the caller may see more than that there is such a tenant."""
        if not {"authorization", "x-api-key"} & set(request.headers.keys()):
            return False
        grant = await self.api.enter(request, None)
        return grant.tenant_id == tenant_id or DIRECTORY in grant.actor.scopes

    async def _outlets(self, tenant_id: UUID) -> list[dict[str, Any]]:
        async with session.of_tenant(self.api.log.app, tenant_id) as connection:
            rows = await connection.fetch(OUTLETS)
        return [{**dict(row), "id": str(row["id"])} for row in rows]

    async def _firm(self, name: str) -> asyncpg.Record:
        try:
            return await tenants.find(self.api.log.app, name)
        except NotFound:
            raise NotFound("There is no such tenant.") from None


DOMAIN = Parameter("domain", {"type": "string"}, "A domain that the operator gave the tenant.", "path")
SLUG = Parameter("slug", {"type": "string"}, "The tenant's short name, or its id.", "path")


def operations(api: Api) -> list[Operation]:
    """The operations."""
    directory = Directory(api)
    return [
        Operation(
            "users.sync", "POST", "/api/v1/admin/users/sync", "Make or change a user that an auth service keeps.",
            directory.sync, "users:write", (KEY,), SYNC.schema(), tag="users",
            answers={200: SYNCED.schema(output=True), 201: SYNCED.schema(output=True)},
            problems=(400, 401, 403, 404, 406, 408, 409, 413, 415, 422, 429),
        ),
        Operation(
            "tenants.find", "GET", "/api/v1/tenants/by-slug/{slug}", "Find a tenant and, with its key, its outlets.",
            directory.find, None, (SLUG,), None, answers={200: FOUND.schema(output=True)},
            problems=(400, 401, 403, 404, 429), tag="tenants", public=True,
        ),
        Operation(
            "tenants.find_by_domain", "GET", "/api/v1/tenants/by-domain/{domain}",
            "Find a tenant by a domain of its firm and, with its key, its outlets.",
            directory.find, None, (DOMAIN,), None, answers={200: FOUND.schema(output=True)},
            problems=(400, 401, 403, 404, 429), tag="tenants", public=True,
        ),
    ]  # fmt: skip
