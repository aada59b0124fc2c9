"""The mission's paths: every operation of every service as a route, whoever provides it to the caller's tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol
from uuid import UUID

from starlette.requests import Request

from crosstie.access.token import Grant
from crosstie.api import body, edge, entry
from crosstie.api.entry import JSON, Api
from crosstie.api.operation import KEY, Handler, Operation, Parameter, Schema
from crosstie.declare import service as declared
from crosstie.declare.service import Implementation, Service
from crosstie.errors import Fault, Invalid, Problem, UnknownParameter
from crosstie.kit import json
from crosstie.log import call as calls
from crosstie.log.call import Wish
from crosstie.log.idempotency import Answer, Key
from crosstie.log.unit import Unit

ROOT = "/api/v1"
READ = (400, 401, 403, 404, 406, 409, 422, 429, 502)
WRITE = (400, 401, 403, 404, 406, 408, 409, 413, 415, 422, 429, 502)


class Services(Protocol):
    """What the API asks of the engine of services."""

    async def builtin(
        self, tenant_id: UUID, service: Service, operation: declared.Operation
    ) -> Implementation | None: ...

    async def read(self, wish: Wish) -> Answer: ...

    async def change(self, wish: Wish, key: Key | None, refused: Callable[[Problem], Answer]) -> Answer: ...


class Way:
    """The handler of one operation."""

    def __init__(self, api: Api, services: Services, service: Service, operation: declared.Operation) -> None:
        self._api = api
        self._services = services
        self._service = service
        self._operation = operation
        self.scope = f"{service.name}:{'write' if operation.mutates else 'read'}"

    async def __call__(self, request: Request) -> Answer:
        grant = await self._api.enter(request, self.scope)
        raw, given = await self._given(request)
        self._check(given)
        function = await self._services.builtin(grant.tenant_id, self._service, self._operation)
        if function is not None:
            return await self._builtin(request, grant, raw, given, function)
        request_id = request.scope["state"]["request_id"]
        trace = entry.trace(request)
        wish = Wish(grant.tenant_id, grant.actor, self._service, self._operation, given, request_id, trace)
        if not self._operation.mutates:
            return await self._services.read(wish)

        def refused(problem: Problem) -> Answer:
            return edge.refusal(problem, self._api.docs, request_id)

        return await self._services.change(wish, entry.key(request, grant, raw), refused)

    def _check(self, given: dict[str, Any]) -> None:
        """Raise what says that this is not what the operation takes; of a read it stands in the address."""
        try:
            calls.check(self._operation, given)
        except Invalid as problem:
            if self._operation.mutates:
                raise
            errors = [Fault(f.pointer.removeprefix("/"), f.code, f.message) for f in problem.errors]
            raise UnknownParameter("A value in the address breaks the contract.", errors=errors) from None

    async def _builtin(
        self, request: Request, grant: Grant, raw: bytes, given: dict[str, Any], function: Implementation
    ) -> Answer:
        async def work(unit: Unit) -> Answer:
            found = await function(unit, given)
            return Answer(self._operation.status, json.dumps(found), dict(JSON))

        return await self._api.write(request, grant, raw, work)

    async def _given(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """The body, and the values of path, query and body by name."""
        operation = self._operation
        given: dict[str, Any] = {name: request.path_params[name] for name in operation.placeholders}
        given |= _queries(operation, request)
        if operation.request is None:
            return b"", given
        raw, document = await body.document(request)
        if not isinstance(document, dict):
            raise Invalid("The body breaks the contract.", errors=[Fault("", "type", "must be an object")])
        faults = [
            Fault(json.pointer([name]), "unknown_field", "there is no such field")
            for name in document
            if name not in operation.fields
        ]
        if faults:
            raise Invalid("The body breaks the contract.", errors=faults)
        return raw, given | document


def _queries(operation: declared.Operation, request: Request) -> dict[str, Any]:
    """The values of the query string. Raises UnknownParameter."""
    known = {ask.name: ask for ask in operation.queries}
    found: dict[str, Any] = {}
    faults = []
    for name, value in request.query_params.multi_items():
        if name not in known or name in found:
            word = "there is no such parameter" if name not in known else "send it once"
            faults.append(Fault(name, "unknown_parameter", word))
        elif known[name].schema.get("type") == "integer":
            if not value.isascii() or not value.isdigit() or len(value) > 18:
                faults.append(Fault(name, "type", "must be a whole number"))
                continue
            found[name] = int(value)
        else:
            found[name] = value
    if faults:
        raise UnknownParameter("A query parameter cannot be used: " + faults[0].message + ".", errors=faults)
    return found


def operations(api: Api, services: Services) -> Iterator[Operation]:
    """The operations of every service."""
    for service in api.log.catalogue.services.values():
        for each in service.operations:
            way = Way(api, services, service, each)
            answers: dict[int, Schema | None] = {each.status: _shown(each.answer)}
            if each.mutates:
                answers[202] = answers.get(202) or {"$ref": "#/components/schemas/Operation"}
            yield Operation(
                f"{service.name}.{each.name}", each.method, service.path(each), each.doc, way, way.scope,
                (*_parameters(each), *((KEY,) if each.mutates else ())), _shown(each.request) if each.request else None,
                answers=answers, problems=WRITE if each.mutates else READ, tag=service.name,
            )  # fmt: skip


def aliases(known: Iterable[Operation]) -> list[tuple[str, str, Handler]]:
    """The same with the tenant in the path, as some peers call it. The credential's tenant is meant all the same."""
    return [
        (f"{ROOT}/{{tenant}}{operation.path.removeprefix(ROOT)}", operation.method, operation.handler)
        for operation in known
        if isinstance(operation.handler, Way)
    ]


def _parameters(operation: declared.Operation) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(ask.name, ask.schema, ask.doc, "path" if ask.name in operation.placeholders else "query")
        for ask in operation.asks
    )


def _shown(form: declared.Form) -> Schema:
    return {**form.schema, "examples": [form.example]}
