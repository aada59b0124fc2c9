"""The derived routes of a noun: list, create, retrieve, update, delete, moves, actions, bulk."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any
from uuid import UUID

from starlette.requests import Request

from crosstie.access.token import Grant
from crosstie.api import accept, body, expand, filters, pages
from crosstie.api.entry import JSON, Api
from crosstie.db import session
from crosstie.declare.field import described
from crosstie.declare.machine import Move
from crosstie.declare.resource import Action, Listing, Resource
from crosstie.declare.row import Row
from crosstie.declare.shape import Shape
from crosstie.errors import NotFound, PreconditionFailed
from crosstie.kit import ids, json
from crosstie.log import change
from crosstie.log.event import Actor
from crosstie.log.idempotency import Answer
from crosstie.log.unit import Unit

#: the part of a tag that tells one presentation of a revision from another
PRESENTED = re.compile(r'\.[0-9a-f]{24}"')


class Noun:
    """The handlers of one noun."""

    def __init__(self, api: Api, resource: Resource) -> None:
        self.api = api
        self.resource = resource
        self.read = f"{resource.scope_name}:read"
        self.write = f"{resource.scope_name}:write"

    def shown(self, row: Row, unit: Unit | None = None) -> dict[str, Any]:
        """The document of a record, with what was made for this answer alone."""
        resource = self.resource
        values = row.__dict__
        compute = resource.extra
        if compute:
            values = values | compute(row, self.api.log)
        found = resource.output.encode(values)
        if unit is not None and unit.shown:
            found |= unit.shown
        return found

    def seen(self, row: Row, actor: Actor) -> dict[str, Any]:
        """The document of a record as this reader may see it."""
        found, veil = self.shown(row), self.resource.veil
        return veil(found, actor, self.api.log.catalogue) if veil else found

    def answer(self, row: Row, status: int = 200, unit: Unit | None = None) -> Answer:
        """A record as an answer, with its ETag."""
        headers = JSON | {"etag": etag(row)}
        if status == 201:
            headers["location"] = f"{self.resource.path}/{self.name_of(row)}"
        return Answer(status, json.dumps(self.shown(row, unit)), headers)

    def name_of(self, row: Row) -> Any:
        """What addresses a record: its id, or the noun's key."""
        return row.id if self.resource.keyed is None else row.__dict__[self.resource.keyed.key]

    async def held(self, unit: Unit, request: Request, *, lock: bool = False) -> Row:
        """The record that the path addresses. Raises NotFound, also where it is another person's own."""
        key = self.resource.keyed
        if key is None:
            found: Row | None = await unit.get(self.resource.row, parse_id(request), lock=lock)
        else:
            found = await change.addressed(unit, self.resource, request.path_params[key.key], lock=lock)
        if found is None:
            raise NotFound("There is no such record.")
        if (mine := self.mine(unit.actor)) and found.__dict__[mine.column] != mine.value:
            raise NotFound(f"There is no such {self.resource.row.__name__.lower()}.")
        return found

    def mine(self, actor: Actor) -> filters.Condition | None:
        """What holds for the records that a person sees, where those are his own alone."""
        own = self.resource.own
        if own is None or actor.type != "user" or actor.id is None or "*" in actor.scopes:
            return None
        return filters.Condition(own.key, "eq", ids.parse(actor.id))

    async def list(self, request: Request) -> Answer:
        grant = await self.api.enter(request, self.read)
        query = filters.parse(self.resource, request.query_params.multi_items())
        return await self.page(request, grant, query)

    async def page(self, request: Request, grant: Grant, query: filters.Query) -> Answer:
        """One page of what a query asks for."""
        await self._refresh(grant)
        if mine := self.mine(grant.actor):
            query.conditions.append(mine)
        statement, values = pages.statement(self.resource, query, self.api.log.cipher.pepper)
        async with session.of_tenant(self.api.log.app, grant.tenant_id) as connection:
            rows = await connection.fetch(statement.text, *statement.arguments(values))
            page = rows[: query.limit]
            documents = [self.seen(self.resource.row.view(row), grant.actor) for row in page]
            await expand.into(connection, self.api, grant, self.resource, documents, query)
        more = len(rows) > query.limit
        cursor = pages.write(self.resource, query, page[-1], self.api.log.cipher.pepper) if more else None
        headers = dict(JSON)
        if cursor:
            headers["link"] = pages.link(self.api.address, request.url, cursor)
        found = {"data": expand.narrowed(documents, query), "has_more": more, "next_cursor": cursor}
        return Answer(200, json.dumps(found), headers)

    async def _refresh(self, grant: Grant) -> None:
        if self.resource.before_read is not None:
            await self.resource.before_read(self.api.log, grant.tenant_id)

    async def retrieve(self, request: Request) -> Answer:
        grant = await self.api.enter(request, self.read)
        query = filters.single(self.resource, request.query_params.multi_items())
        await self._refresh(grant)
        async with self.api.log.unit(grant.tenant_id, grant.actor) as unit:
            row = await self.held(unit, request)
            documents = [self.seen(row, grant.actor)]
            await expand.into(unit.connection, self.api, grant, self.resource, documents, query)
        found = json.dumps(expand.narrowed(documents, query)[0])
        tag = etag(row)
        if query.expand or self.resource.extra:
            # with other records inside, or what is made for this answer alone, the revision does not tell the whole
            tag = f'{tag[:-1]}.{blake2b(found, digest_size=12).hexdigest()}"'
        known = request.headers.get("if-none-match")
        if known is not None and accept.names(known, tag, weak=True):
            return Answer(304, b"", {"etag": tag})
        return Answer(200, found, JSON | {"etag": tag})

    async def create(self, request: Request) -> Answer:
        grant = await self.api.enter(request, self.write)
        filters.none(request)
        raw, document = await body.document(request)

        async def work(unit: Unit) -> Answer:
            values = self.decoded(document, unit.actor)
            row = await change.create(unit, self.resource, values)
            repeated = self.resource.natural and row.__dict__["created_at"] != unit.now
            return self.answer(row, 200 if repeated else 201, unit)

        return await self.api.write(request, grant, raw, work)

    def decoded(self, document: Any, actor: Actor) -> dict[str, Any]:
        """The values of a creation; of what is a person's own, in his name."""
        values = self.resource.creation.decode(document)
        mine = self.mine(actor)
        return values | {mine.column: mine.value} if mine else values

    async def update(self, request: Request) -> Answer:
        grant = await self.api.enter(request, self.write)
        filters.none(request)
        raw, document = await body.document(request)

        async def work(unit: Unit) -> Answer:
            values = self.resource.change.decode(document, partial=True)
            row = await self.held(unit, request, lock=True)
            match(request, row)
            row = await change.update(unit, self.resource, row, values)
            return self.answer(row, 200, unit)

        return await self.api.write(request, grant, raw, work)

    async def put(self, request: Request) -> Answer:
        grant = await self.api.enter(request, self.write)
        filters.none(request)
        raw, document = await body.document(request)
        key = self.resource.keyed
        assert key is not None
        value = request.path_params[key.key]
        if not described(key).kind.takes(value):
            raise NotFound("There is no such record.")

        async def work(unit: Unit) -> Answer:
            values = self.resource.creation.decode(document)
            row, made = await change.put(unit, self.resource, value, values)
            return self.answer(row, 201 if made else 200, unit)

        return await self.api.write(request, grant, raw, work)

    async def delete(self, request: Request) -> Answer:
        grant = await self.api.enter(request, self.write)
        filters.none(request)

        async def work(unit: Unit) -> Answer:
            row = await self.held(unit, request, lock=True)
            match(request, row)
            await change.delete(unit, self.resource, row)
            await unit.flush()
            return Answer(204)

        return await self.api.write(request, grant, b"", work)

    def listing(self, each: Listing) -> Callable[[Request], Awaitable[Answer]]:
        """The handler of a list below a record."""
        below = Noun(self.api, each.noun)

        async def handler(request: Request) -> Answer:
            grant = await self.api.enter(request, self.read)
            id = parse_id(request)
            query = filters.parse(each.noun, request.query_params.multi_items())
            query.conditions.append(filters.Condition(each.by.key, "eq", id))
            if "sort" not in request.query_params:
                query.descending = False
            answer = await below.page(request, grant, query)
            if not each.outlives or answer.body.startswith(b'{"data":[]'):
                async with self.api.log.unit(grant.tenant_id, grant.actor) as unit:
                    await self.held(unit, request)
            return answer

        return handler

    def moving(self, step: Move) -> Callable[[Request], Awaitable[Answer]]:
        """The handler of a move."""
        shape = Shape(step.given)

        async def handler(request: Request) -> Answer:
            grant, raw, given = await self._verb(request, shape, self.write)

            async def work(unit: Unit) -> Answer:
                values = shape.decode(given)
                row = await self.held(unit, request, lock=True)
                match(request, row)
                row = await change.move(unit, self.resource, row, step, values)
                return self.answer(row, 200, unit)

            return await self.api.write(request, grant, raw, work)

        return handler

    def acting(self, action: Action) -> Callable[[Request], Awaitable[Answer]]:
        """The handler of an action."""
        shape = Shape(action.given)
        shown = Shape(action.answer) if action.answer is not None else None
        needed = self.read if action.scope == "read" else self.write

        async def handler(request: Request) -> Answer:
            grant, raw, given = await self._verb(request, shape, needed)

            async def work(unit: Unit) -> Answer:
                values = shape.decode(given)
                row = None
                if not action.collection:
                    row = await self.held(unit, request, lock=action.scope == "write")
                    if action.scope == "write":
                        match(request, row)
                found = await change.act(unit, self.resource, action, row, values)
                if shown is None:
                    return self.answer(found, action.status, unit)
                if isinstance(found, list):
                    page = {"data": [shown.encode(each) for each in found], "has_more": False, "next_cursor": None}
                    return Answer(action.status, json.dumps(page), JSON)
                headers = dict(JSON)
                if action.status == 202 and "id" in found:
                    headers["location"] = f"/api/v1/operations/{found['id']}"
                return Answer(action.status, json.dumps(shown.encode(found)), headers)

            return await self.api.write(request, grant, raw, work)

        return handler

    async def _verb(self, request: Request, shape: Shape, needed: str) -> tuple[Grant, bytes, Any]:
        """A verb's body may be left out where nothing must be given."""
        grant = await self.api.enter(request, needed)
        filters.none(request)
        if request.method == "GET":
            return grant, b"", {}
        raw = await body.read(request)
        if not raw:
            return grant, raw, {}
        body.expect_json(request)
        return grant, raw, body.decode(raw)


def parse_id(request: Request) -> UUID:
    """The id in the path. One that is no UUID names nothing."""
    try:
        return ids.parse(request.path_params["id"])
    except ValueError:
        raise NotFound("There is no such record.") from None


def etag(row: Row) -> str:
    """The strong tag of a record's present form."""
    revision = row.__dict__.get("revision")
    if revision is not None:
        return f'"{str(row.id)[-12:]}-{revision}"'
    form = [row.__dict__.get(name) for name in ("status", "attempts", "last_at")]
    return f'"{str(row.id)[-12:]}-{blake2b(repr(form).encode(), digest_size=6).hexdigest()}"'


def match(request: Request, row: Row) -> None:
    """Raise PreconditionFailed where If-Match names another form of the record."""
    wanted = request.headers.get("if-match")
    if wanted is None:
        return
    if not accept.names(PRESENTED.sub('"', wanted), etag(row), weak=False):
        raise PreconditionFailed("The record has changed since it was read: read it again.")
