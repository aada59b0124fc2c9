"""One operation of the API's description, as a page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from crosstie.api.manual.schema import Line, Schema, Schemas, kind, limits, lines, named, resolved, sample
from crosstie.errors import problems
from crosstie.kit import json

#: the codes of problems by their status
CODES = {
    status: sorted({problem.code for problem in problems() if problem.status == status})
    for status in sorted({problem.status for problem in problems()})
}


class Given(NamedTuple):
    """What is handed in: where, and line by line."""

    place: str
    lines: list[Line]


class Outcome(NamedTuple):
    """An answer that is no problem."""

    status: str
    phrase: str
    kind: str
    ref: str | None
    example: str


class Shown(NamedTuple):
    """An operation."""

    id: str
    method: str
    path: str
    summary: str
    scope: str | None
    public: bool
    given: list[Given]
    call: str
    outcomes: list[Outcome]
    problems: list[tuple[int, str, list[str]]]


def shown(method: str, path: str, operation: Mapping[str, Any], schemas: Schemas, server: str) -> Shown:
    """What a page says about it. `server` is the address that examples call."""
    answers: Mapping[str, Any] = operation["responses"]
    refusals = sorted(int(status) for status, answer in answers.items() if "$ref" in answer)
    return Shown(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        operation.get("x-crosstie-scope"),
        operation.get("security") == [],
        list(_given(operation, schemas)),
        call(method.upper(), path, operation, schemas, server),
        [_outcome(status, answer, schemas) for status, answer in answers.items() if "$ref" not in answer],
        [(status, HTTPStatus(status).phrase, CODES.get(status, [])) for status in refusals],
    )


def _given(operation: Mapping[str, Any], schemas: Schemas) -> list[Given]:
    found = []
    for place, title in (("path", "In the path"), ("query", "In the query"), ("header", "Headers")):
        listed = [_parameter(each) for each in operation.get("parameters", ()) if each["in"] == place]
        found += [Given(title, listed)] if listed else []
    if content := operation.get("requestBody", {}).get("content"):
        media, body = next(iter(content.items()))
        fields = list(lines(resolved(body["schema"], schemas)))
        found += [Given(f"Body, {media}", fields)] if fields else []
    return found


def _parameter(parameter: Mapping[str, Any]) -> Line:
    schema = parameter["schema"]
    inner = schema.get("items", schema)
    return Line(
        parameter["name"], kind(inner), None, parameter["required"], parameter["description"], limits(inner, schema)
    )


def _outcome(status: str, answer: Mapping[str, Any], schemas: Schemas) -> Outcome:
    content: Mapping[str, Any] = answer.get("content") or {"": {}}
    media, described = next(iter(content.items()))
    schema = described.get("schema", {})
    example = ""
    if media == "application/json":
        example = msgspec.json.format(json.dumps(sample(schema, schemas)), indent=2).decode()
    name = named(schema)
    return Outcome(status, answer["description"], name or media, name, example)


def call(method: str, path: str, operation: Mapping[str, Any], schemas: Schemas, server: str) -> str:
    """The operation as a command line."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(sample(parameter["schema"], schemas)))
    words = [f"curl {server}{path}" if method == "GET" else f"curl -X {method} {server}{path}"]
    if operation.get("security") != []:
        words.append('-H "Authorization: Bearer $CROSSTIE_API_KEY"')
    if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ())):
        words.append('-H "Idempotency-Key: $(uuidgen)"')
    for media, body in [*operation.get("requestBody", {}).get("content", {}).items()][:1]:
        words += _body(media, resolved(body["schema"], schemas), schemas)
    return " \\\n  ".join(words)


def _body(media: str, schema: Schema, schemas: Schemas) -> list[str]:
    if not schema.get("properties"):
        return []
    value = sample(schema, schemas, required=True)
    if media == "application/json":
        document = msgspec.json.format(json.dumps(value), indent=2).decode().replace("'", "'\\''")
        return [f'-H "Content-Type: {media}"', f"-d '{document}'"]
    fields = schema["properties"]
    return [
        f"-F {name}=@photo.jpg" if fields[name].get("format") == "binary" else f"-F '{name}={item}'"
        for name, item in value.items()
    ]
