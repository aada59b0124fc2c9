"""`POST …/bulk`: up to 1 000 creations, each with its own answer, or all together."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from crosstie.api import body, filters
from crosstie.api.entry import JSON
from crosstie.api.operation import Operation, Schema
from crosstie.api.rest import Noun
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.field import Field
from crosstie.declare.resource import Resource
from crosstie.declare.shape import Shape
from crosstie.errors import Fault, Invalid, Problem
from crosstie.kit import json
from crosstie.log import change
from crosstie.log.idempotency import Answer
from crosstie.log.unit import Unit

MOST = 1000


class Items(kinds.Data):
    """One item, as it came; the noun's own shape reads it later, so that each gets its own answer."""

    def decode(self, value: Any, pointer: str, faults: kinds.Faults) -> Any:
        return value


FORM = Shape(
    (
        Field(kinds.Many(Items(), max=MOST, min=1), name="items"),
        Field(kinds.Flag(), name="atomic", default=False),
    )
)


def bulk(noun: Noun, made: Schema) -> Operation:
    """The operation of a noun; `made` is what a creation answers."""
    resource = noun.resource

    async def handler(request: Request) -> Answer:
        grant = await noun.api.enter(request, noun.write)
        filters.none(request)
        raw, document = await body.document(request, body.BULK_LIMIT)
        form = FORM.decode(document)
        request_id = request.scope["state"]["request_id"]

        async def work(unit: Unit) -> Answer:
            if form["atomic"]:
                results = await together(unit, noun, form["items"])
            else:
                results = [await alone(unit, noun, item, request_id) for item in form["items"]]
            return Answer(200, json.dumps({"results": results}), dict(JSON))

        return await noun.api.write(request, grant, raw, work)

    return Operation(
        f"{resource.name}.bulk",
        "POST",
        f"{resource.path}/bulk",
        f"Make up to {MOST} {resource.name}.",
        handler,
        noun.write,
        (),
        _given(resource),
        answers={200: _answer(made)},
        problems=(400, 401, 403, 406, 408, 409, 413, 415, 422, 429),
        tag=resource.name,
        limit=body.BULK_LIMIT,
    )


def _given(resource: Resource) -> Schema:
    words = f"Each as in {resource.name}.create; one that is not gets its own problem."
    fields = resource.creation.fields.values()
    one = {field.name: example(field) for field in fields if field.required}
    items = {"type": "array", "minItems": 1, "maxItems": MOST, "items": {}, "description": words, "examples": [[one]]}
    atomic = {"type": "boolean", "default": False, "description": "All or nothing."}
    return {
        "type": "object",
        "required": ["items"],
        "additionalProperties": False,
        "properties": {"items": items, "atomic": atomic},
    }


def _answer(made: Schema) -> Schema:
    result = {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "integer"},
            "data": made,
            "problem": {"$ref": "#/components/schemas/Problem"},
        },
    }
    return {"type": "object", "required": ["results"], "properties": {"results": {"type": "array", "items": result}}}


async def together(unit: Unit, noun: Noun, items: list[Any]) -> list[dict[str, Any]]:
    """All or nothing: one fault refuses the whole, with pointers into the list."""
    faults: list[Fault] = []
    decoded = []
    for number, item in enumerate(items):
        try:
            decoded.append(noun.decoded(item, unit.actor))
        except Invalid as problem:
            faults += [Fault(f"/items/{number}{f.pointer}", f.code, f.message) for f in problem.errors]
    if faults:
        raise Invalid("An item breaks the schema; nothing was written.", errors=faults)
    await unit.flush()
    await unit.connection.execute("SAVEPOINT items")
    mark = unit.mark()
    try:
        results = await _made(unit, noun, decoded)
        await unit.flush()
    except Problem:
        await unit.connection.execute("ROLLBACK TO SAVEPOINT items")
        unit.forget(mark)
        return await _made(unit, noun, [noun.decoded(item, unit.actor) for item in items], singly=True)
    return results


async def _made(unit: Unit, noun: Noun, decoded: list[dict[str, Any]], *, singly: bool = False) -> list[dict[str, Any]]:
    """The records of a list. `singly`: written one after the other, so that it shows which one the database refuses."""
    results = []
    for number, values in enumerate(decoded):
        try:
            row = await change.create(unit, noun.resource, values)
            if singly:
                await unit.flush()
        except Problem as problem:
            errors = [Fault(f"/items/{number}{f.pointer}", f.code, f.message) for f in problem.errors]
            raise Invalid(
                f"Item {number} was refused, so nothing was written: {problem.detail}",
                errors=errors or [Fault(f"/items/{number}", problem.code, problem.detail)],
            ) from problem
        results.append({"status": 201, "data": noun.shown(row, unit)})
    return results


async def alone(unit: Unit, noun: Noun, item: Any, request_id: str) -> dict[str, Any]:
    """One item in a savepoint of its own."""
    try:
        values = noun.decoded(item, unit.actor)
    except Invalid as problem:
        return {"status": problem.status, "problem": problem.document(noun.api.docs, request_id)}
    await unit.flush()
    await unit.connection.execute("SAVEPOINT item")
    mark = unit.mark()
    try:
        row = await change.create(unit, noun.resource, values)
        await unit.flush()
    except Problem as problem:
        await unit.connection.execute("ROLLBACK TO SAVEPOINT item")
        unit.forget(mark)
        return {"status": problem.status, "problem": problem.document(noun.api.docs, request_id)}
    await unit.connection.execute("RELEASE SAVEPOINT item")
    return {"status": 201, "data": noun.shown(row, unit)}
