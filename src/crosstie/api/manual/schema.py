"""JSON Schema for people: its fields as lines, and a value that it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from crosstie.declare.catalogue import SAMPLE_ID, SAMPLE_TIME, TEXTS

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]
FORMATS = {
    "uuid": SAMPLE_ID,
    "date-time": SAMPLE_TIME,
    "date": "2026-03-01",
    "time": "08:00:00",
    "email": "nomsa@example.com",
    "uri": "https://example.com/hooks",
}
#: levels of records inside records
DEPTH = 8


class Line(NamedTuple):
    """One field. `ref` is the named schema that its kind leads to."""

    name: str
    kind: str
    ref: str | None
    required: bool
    doc: str
    limits: str


def named(schema: Schema) -> str | None:
    """The name that a schema refers to."""
    return str(schema["$ref"]).rsplit("/", 1)[-1] if "$ref" in schema else None


def resolved(schema: Schema, schemas: Schemas) -> Schema:
    """The schema itself, whole."""
    if name := named(schema):
        return schemas[name]
    if "allOf" in schema:
        whole: dict[str, Any] = {"properties": {}}
        for each in schema["allOf"]:
            part = resolved(each, schemas)
            whole |= {**part, "properties": whole["properties"] | part.get("properties", {})}
        return whole
    return schema


def lines(schema: Schema, prefix: str = "") -> Iterator[Line]:
    """The fields of an object, those of objects inside it after their own."""
    for name, given in schema.get("properties", {}).items():
        choices, nullable = options(given)
        first = choices[0] if choices else {}
        many = first.get("type") == "array"
        inner = options(first.get("items", {}))[0][0] if many and first.get("items") else first
        kinds = " or ".join(dict.fromkeys(kind(choice) for choice in choices)) or "null"
        required = name in schema.get("required", ())
        doc = str(given.get("description", ""))
        yield Line(
            prefix + name, kinds + (" or null" if nullable else ""), named(inner), required, doc, limits(first, given)
        )
        if inner.get("properties") and "$ref" not in inner:
            yield from lines(inner, f"{prefix}{name}{'[]' if many else ''}.")


def options(schema: Schema) -> tuple[list[Schema], bool]:
    """The alternatives of a schema without null, and whether null is one of them."""
    if isinstance(schema.get("type"), list):
        types = [each for each in schema["type"] if each != "null"]
        return [{**schema, "type": each} for each in types], "null" in schema["type"]
    found = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return found, len(found) < len(schema.get("anyOf", found))


def kind(schema: Schema) -> str:
    """What a value is, in words."""
    if name := named(schema):
        return name
    if schema.get("type") == "array":
        return f"array of {kind(schema.get('items') or {})}"
    choices, _ = options(schema)
    if len(choices) > 1:
        return " or ".join(kind(choice) for choice in choices)
    return str(schema.get("format") or schema.get("type") or "any")


def limits(schema: Schema, given: Schema) -> str:
    """What a value must keep to; `given` has its default."""
    found = []
    if "enum" in schema:
        found.append("one of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    for least, most, unit in (
        ("minLength", "maxLength", " characters"), ("minimum", "maximum", ""), ("minItems", "maxItems", " items")
    ):  # fmt: skip
        if most in schema:
            found.append(f"{schema[least]} to {schema[most]}{unit}" if schema.get(least) else f"≤ {schema[most]}{unit}")
        elif schema.get(least):
            found.append(f"≥ {schema[least]}{unit}")
    if "pattern" in schema:
        found.append(f"`{schema['pattern']}`")
    if "default" in given:
        found.append(f"default `{given['default']}`")
    return ", ".join(found)


def mentioned(schema: Any, schemas: Schemas) -> set[str]:
    """The names of all schemas that one leads to."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, Mapping):
            name = named(node) or ""
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting += node.values()
    return found


def sample(schema: Schema, schemas: Schemas, *, required: bool = False, depth: int = DEPTH) -> Any:
    """A believable value. With `required` objects have only what they must have, or their first field."""
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "$ref" in schema or "allOf" in schema:
        return sample(resolved(schema, schemas), schemas, required=required, depth=depth)
    first, *_ = options(schema)[0] or [{}]
    if first is not schema and "anyOf" in schema:
        return sample(first, schemas, required=required, depth=depth)
    if first.get("type") == "array":
        items = first.get("items")
        return [sample(items, schemas, required=required, depth=depth - 1)] if items and depth > 0 else []
    if first.get("type") == "object" or "properties" in first:
        return _record(first, schemas, required=required, depth=depth)
    return _single(first)


def _record(schema: Schema, schemas: Schemas, *, required: bool, depth: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    if depth <= 0:
        return {}
    names = [*schema.get("required", ())] if required else [*fields]
    return {
        name: sample(fields.get(name, {}), schemas, required=required, depth=depth - 1)
        for name in names or [*fields][:1]
    }


def _single(schema: Schema) -> Any:
    match schema.get("type"):
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "number":
            return 1.5
        case "boolean":
            return True
        case "string":
            if (known := FORMATS.get(schema.get("format", ""))) is not None:
                return known
            pattern = schema.get("pattern", "")
            least, most = schema.get("minLength", 0), schema.get("maxLength", 99)
            fitting = (words for words in TEXTS if least <= len(words) <= most and re.search(pattern, words))
            return next(fitting, "text")
        case "null":
            return None
    return {}
