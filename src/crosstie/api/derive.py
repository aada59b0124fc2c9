"""From declarations to operations: the routes of every noun, with their schemas and answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crosstie.api.bulk import bulk
from crosstie.api.entry import Api
from crosstie.api.filters import ANY, LIMIT, MOST, OPERATORS, references, sortable
from crosstie.api.operation import KEY, Operation, Parameter, Schema
from crosstie.api.rest import Noun
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.field import described
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Shape

ID = Parameter("id", {"type": "string", "format": "uuid"}, "The record's id.", "path")
MATCH = Parameter("If-Match", {"type": "string"}, "The ETag that the record must still have.", "header")
KNOWN = Parameter(
    "If-None-Match", {"type": "string"}, "The ETag that the caller has; 304 where it still holds.", "header"
)
READ = (400, 401, 403, 404, 406, 429)
WRITE = (400, 401, 403, 404, 406, 408, 409, 412, 413, 415, 422, 429)


def nouns(catalogue: Catalogue, api: Api) -> list[Operation]:
    """The operations of every noun."""
    return [operation for resource in catalogue.resources.values() for operation in noun(resource, api)]


def noun(resource: Resource, api: Api) -> Iterator[Operation]:
    """The operations of one noun."""
    handlers = Noun(api, resource)
    name, path, tag = resource.name, resource.path, resource.name
    one, place = resource.one, address(resource)
    word = resource.singular.replace("_", " ")
    record = {"$ref": f"#/components/schemas/{resource.title}"}
    read, write = handlers.read, handlers.write
    if "list" in resource.verbs:
        page = {"$ref": f"#/components/schemas/{resource.title}Page"}
        yield Operation(
            f"{name}.list", "GET", path, f"List {name}.", handlers.list, read, listing(resource), None,
            answers={200: page}, problems=(400, 401, 403, 406, 429), tag=tag,
        )  # fmt: skip
    made = {"$ref": f"#/components/schemas/{resource.title}Made"} if resource.shown_once else record
    if "create" in resource.verbs and resource.upload is None:
        body = {"$ref": f"#/components/schemas/{resource.title}Create"}
        yield Operation(
            f"{name}.create", "POST", path, f"Make a {word}.", handlers.create, write, (KEY,), body,
            answers={201: made}, problems=WRITE, tag=tag,
        )  # fmt: skip
    if "bulk" in resource.verbs and resource.upload is None and "create" in resource.verbs:
        yield bulk(handlers, made)
    if "retrieve" in resource.verbs:
        yield Operation(
            f"{name}.retrieve", "GET", one, f"Read a {word}.", handlers.retrieve, read,
            (place, KNOWN, *narrowing(resource)), None,
            answers={200: record, 304: None}, problems=READ, tag=tag,
        )  # fmt: skip
    if "update" in resource.verbs:
        body = {"$ref": f"#/components/schemas/{resource.title}Update"}
        yield Operation(
            f"{name}.update", "PATCH", one, f"Change a {word} (JSON merge patch).", handlers.update, write,
            (place, KEY, MATCH), body, answers={200: record}, problems=WRITE, tag=tag,
        )  # fmt: skip
    if "put" in resource.verbs:
        body = {"$ref": f"#/components/schemas/{resource.title}Put"}
        yield Operation(
            f"{name}.put", "PUT", one, f"Make or replace a {word}.", handlers.put, write, (place, KEY), body,
            answers={200: record, 201: record}, problems=WRITE, tag=tag,
        )  # fmt: skip
    if "delete" in resource.verbs:
        yield Operation(
            f"{name}.delete", "DELETE", one, f"Delete a {word}.", handlers.delete, write, (place, MATCH), None,
            answers={204: None}, problems=WRITE, tag=tag,
        )  # fmt: skip
    yield from verbs(resource, handlers, record)


def verbs(resource: Resource, handlers: Noun, record: Schema) -> Iterator[Operation]:
    """The moves and actions of a noun."""
    one, place = resource.one, address(resource)
    for move in resource.machine.moves if resource.machine else ():
        if move.inner:
            continue
        yield Operation(
            f"{resource.name}.{slug(move.verb)}", "POST", f"{one}/{move.verb}", move.doc, handlers.moving(move),
            handlers.write, (place, KEY, MATCH), given(Shape(move.given)), answers={200: record}, problems=WRITE,
            tag=resource.name,
        )  # fmt: skip
    for action in resource.actions:
        answer = record
        if action.answer is not None:
            answer = Shape(action.answer).schema(output=True)
            if action.many:
                answer = {
                    "type": "object",
                    "required": ["data", "has_more", "next_cursor"],
                    "properties": {
                        "data": {"type": "array", "items": answer},
                        "has_more": {"type": "boolean"},
                        "next_cursor": {"type": ["string", "null"]},
                    },
                }
        elif resource.shown_once:
            answer = _with(resource, resource.shown_once, required=False)
        path = f"{resource.path}/{action.verb}" if action.collection else f"{one}/{action.verb}"
        parameters = () if action.collection else (place,)
        writing = action.method == "POST"
        yield Operation(
            f"{resource.name}.{slug(action.verb)}", action.method, path, action.doc, handlers.acting(action),
            handlers.read if action.scope == "read" else handlers.write,
            (*parameters, *((KEY,) if writing else ())), given(Shape(action.given)) if writing else None,
            answers={action.status: answer}, problems=WRITE if writing else READ, tag=resource.name,
        )  # fmt: skip
    for each in resource.lists:
        yield Operation(
            f"{resource.name}.{slug(each.verb)}", "GET", f"{one}/{each.verb}", each.doc, handlers.listing(each),
            handlers.read, (place, *listing(each.noun)), None,
            answers={200: {"$ref": f"#/components/schemas/{each.noun.title}Page"}}, problems=READ, tag=resource.name,
        )  # fmt: skip


def address(resource: Resource) -> Parameter:
    """The parameter of the path that says which record is meant."""
    if resource.keyed is None:
        return ID
    declared = described(resource.keyed)
    return Parameter(declared.name, declared.kind.schema(), declared.doc, "path")


def given(shape: Shape) -> Schema | None:
    """The body of a verb, or None where nothing is given."""
    return shape.schema() if shape.fields else {"type": "object", "additionalProperties": False, "x-optional": True}


def _with(resource: Resource, fields: tuple[Any, ...], *, required: bool = True) -> Schema:
    schema = resource.output.schema(output=True)
    shown = {field.name: field.schema() for field in fields}
    names = schema.get("required", []) + (list(shown) if required else [])
    return schema | {"properties": schema["properties"] | shown, "required": names}


def schemas(resource: Resource) -> dict[str, Schema]:
    """The named schemas of a noun."""
    name = resource.title
    found: dict[str, Schema] = {name: resource.output.schema(output=True) | {"description": resource.summary}}
    found[name]["properties"] |= {
        reference: {"type": ["object", "null"], "description": f"The {reference}, where expand names it."}
        for reference in references(resource)
    }
    found[f"{name}Page"] = {
        "type": "object",
        "required": ["data", "has_more", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "has_more": {"type": "boolean"},
            "next_cursor": {"type": ["string", "null"]},
        },
    }
    if resource.shown_once:
        found[f"{name}Made"] = _with(resource, resource.shown_once)
    if "create" in resource.verbs:
        found[f"{name}Create"] = resource.creation.schema()
    if "put" in resource.verbs:
        found[f"{name}Put"] = resource.creation.schema()
    if "update" in resource.verbs:
        found[f"{name}Update"] = resource.change.schema(partial=True)
    return found


def listing(resource: Resource) -> tuple[Parameter, ...]:
    """The query parameters of a list."""
    found = [
        Parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}, "Records per page."),
        Parameter("cursor", {"type": "string"}, "Where the page before ended."),
        Parameter(
            "sort",
            {"type": "string", "enum": [sign + key for key in sorted(sortable(resource)) for sign in ("", "-")]},
            "The order; - is falling.",
        ),
    ]
    if resource.search:
        found.append(Parameter("q", {"type": "string", "maxLength": 200}, "Words to search for, by their beginnings."))
    filters = {a.key: described(a) for a in resource.filter}
    if issubclass(resource.row, Record):
        filters.setdefault("created_at", described(resource.row.created_at))
    for key, declared in filters.items():
        one = declared.kind.asked()
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": ANY}
        found.append(Parameter(key, several, f"Only where {key} is this, or one of these, parted by commas."))
        if declared.kind.ordered:
            found += [Parameter(f"{key}[{op}]", one, f"Only where {key} is {op} this.") for op in OPERATORS]
    return (*found, *narrowing(resource))


def narrowing(resource: Resource) -> tuple[Parameter, ...]:
    """`fields` and `expand`."""
    found = [Parameter("fields", {"type": "string"}, "Only these fields, parted by commas.")]
    if references(resource):
        doc = f"References to replace by their records: {', '.join(references(resource))}."
        found.append(Parameter("expand", {"type": "string"}, doc))
    return tuple(found)


def slug(verb: str) -> str:
    """A verb inside an operation id."""
    return verb.replace("-", "_")
