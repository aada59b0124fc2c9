"""The OpenAPI 3.1 document, derived from operations and event types. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from crosstie import __version__
from crosstie.api import derive
from crosstie.api.operation import Operation
from crosstie.declare.catalogue import Catalogue, envelope_example
from crosstie.declare.event import SYSTEMS, EventType

CREDENTIALS: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]


def document(operations: Iterable[Operation], catalogue: Catalogue, server: str) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    listed = list(operations)
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    schemas = dict(FIXED)
    for resource in catalogue.resources.values():
        schemas |= derive.schemas(resource)
        for each in resource.lists:
            schemas |= derive.schemas(each.noun)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crosstie",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "One API-first hub that ties the systems of a service business together.",
        },
        "servers": [{"url": server}],
        "security": CREDENTIALS,
        "paths": paths,
        "webhooks": {event.name: _webhook(event) for event in catalogue.events.values()},
        "components": {
            "schemas": schemas,
            "responses": {f"Problem{status}": _problem(status) for status in sorted(_statuses(listed))},
            "headers": HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "ticket": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "ticket",
                    "description": "For browsers, from POST /api/v1/stream/tickets; it works once.",
                },
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {str(status): _answer(status, schema, operation) for status, schema in operation.answers.items()},
    }
    if operation.public:
        found["security"] = []
    if operation.ticketed:
        found["security"] = [*CREDENTIALS, {"ticket": []}]
    if operation.scope:
        found["x-crosstie-scope"] = operation.scope
    if operation.parameters:
        found["parameters"] = [
            {
                "name": p.name,
                "in": p.place,
                "required": p.place == "path",
                "description": p.doc,
                "schema": p.schema,
                # several values go into one parameter, parted by commas
                **({"style": "form", "explode": False} if p.schema.get("type") == "array" else {}),
            }
            for p in operation.parameters
        ]
    if operation.body is not None:
        schema = {name: value for name, value in operation.body.items() if name != "x-optional"}
        optional = "x-optional" in operation.body or not operation.body.get("required", "$ref" in operation.body)
        content = {media: {"schema": schema} for media in (operation.media, *operation.further)}
        found["requestBody"] = {"required": not optional, "content": content}
    for status in _refusals(operation):
        found["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return found


def _refusals(operation: Operation) -> tuple[int, ...]:
    """What an operation may answer beside its own: any may meet a database that is away."""
    return (*operation.problems, *(() if operation.public and not operation.problems else (400,)), 431, 503)


def _statuses(operations: Iterable[Operation]) -> set[int]:
    return {status for operation in operations for status in _refusals(operation)}


def _problem(status: int) -> dict[str, Any]:
    names = ["X-Request-Id", *FURTHER.get(status, ())]
    return {
        "description": HTTPStatus(status).phrase if status != 413 else "Content Too Large",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _answer(status: int, schema: dict[str, Any] | None, operation: Operation) -> dict[str, Any]:
    given = {parameter.name for parameter in operation.parameters}
    names = ["X-Request-Id"]
    if not operation.public:
        names += ["RateLimit", "RateLimit-Policy"]
    if status == 201:
        names += ["Location"]
    if given & {"If-None-Match", "If-Match"} and status != 204:
        names += ["ETag"]
    if "cursor" in given:
        names += ["Link"]
    if "Idempotency-Key" in given:
        names += ["Idempotent-Replayed"]
    found: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if schema is not None:
        found["content"] = {operation.answer_media: {"schema": schema}}
    return found


def _webhook(event: EventType) -> dict[str, Any]:
    envelope = {"allOf": [{"$ref": "#/components/schemas/Event"}, {"properties": {"data": event.data_schema}}]}
    return {
        "post": {
            "operationId": f"webhooks.{event.name}",
            "summary": event.summary,
            "requestBody": {"content": {"application/json": {"schema": envelope, "example": envelope_example(event)}}},
            "responses": {"2XX": {"description": "Received; anything else is tried again."}},
        }
    }


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_STRING: dict[str, Any] = {"type": "string"}
_PARTIES: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": sorted(SYSTEMS)}}
_NULLABLE: dict[str, Any] = {"type": ["string", "null"]}
_SUBJECT: dict[str, Any] = {
    "type": ["object", "null"],
    "required": ["type", "id"],
    "properties": {
        "type": {"type": "string", "minLength": 1, "maxLength": 128},
        "id": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "additionalProperties": False,
}
_ID: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}
_LINK: dict[str, Any] = {"type": ["string", "null"], "minLength": 1, "maxLength": 128}
_EXAMPLE: dict[str, Any] = {
    "event_id": "order-1042-created",
    "event_type": "pos.order.created",
    "data": {"pos_order_id": "1042", "total": 480.5, "currency": "ZAR"},
}
_PASSED_OVER = {"description": "In a whole envelope; passed over, for the log that keeps the event assigns it."}
_EVENT_IN: dict[str, Any] = _object(
    ["event_id", "event_type", "data"],
    event_id=_ID,
    event_type=_STRING,
    data={"type": "object"},
    timestamp={"type": ["string", "null"], "format": "date-time"},
    subject=_SUBJECT,
    version={"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
    correlation_id=_LINK,
    causation_id=_LINK,
    tenant_id=_LINK,
    sequence=_PASSED_OVER,
    actor=_PASSED_OVER,
) | {"additionalProperties": False, "examples": [_EXAMPLE]}
_FAULT = _object(["pointer", "code", "message"], pointer=_STRING, code=_STRING, message=_STRING)
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}

FURTHER = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    409: ("Retry-After",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}
HEADERS: dict[str, dict[str, Any]] = {
    name: {"description": doc, "schema": {"type": "string"}}
    for name, doc in {
        "Allow": "The methods that are allowed here.",
        "ETag": "The strong tag of the record's present form.",
        "Idempotent-Replayed": "`true` where the answer is the stored one of an earlier request.",
        "Link": "The address of the next page, where there is one (rel=next).",
        "Location": "Where the new record is.",
        "RateLimit": "What is left of the quota, and seconds until it is whole again.",
        "RateLimit-Policy": "The quota, and the window in seconds that it is for.",
        "Retry-After": "Seconds to wait before another try.",
        "WWW-Authenticate": "How to authenticate.",
        "X-Request-Id": "The request's id: yours, or one that was made.",
    }.items()
}
FIXED: dict[str, dict[str, Any]] = {
    "Problem": _object(
        ["type", "title", "status", "detail", "code", "request_id"],
        type={"type": "string", "format": "uri"},
        title=_STRING,
        status={"type": "integer"},
        detail=_STRING,
        code=_STRING,
        request_id=_STRING,
        errors={"type": "array", "items": _FAULT},
    ),
    "Event": _object(
        ["event_id", "event_type", "tenant_id", "timestamp", "data"],
        event_id=_ID,
        event_type=_STRING,
        tenant_id={"type": "string", "format": "uuid"},
        timestamp={"type": "string", "format": "date-time"},
        data={"type": "object"},
        version={"type": "integer"},
        subject=_SUBJECT,
        sequence={"type": ["integer", "null"]},
        actor=_object(["type", "id"], type=_STRING, id=_NULLABLE),
        correlation_id=_NULLABLE,
        causation_id=_NULLABLE,
    ),
    "EventIn": _EVENT_IN,
    "EventAccepted": _object(["event_id"], event_id=_STRING, warnings={"type": "array", "items": _FAULT}),
    "EventBatch": _object(
        ["events"], events={"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "object"}}
    )
    | {"additionalProperties": False, "examples": [{"events": [_EXAMPLE]}]},
    "EventBatchResult": _object(
        ["accepted", "duplicates", "rejected"],
        accepted=_COUNT,
        duplicates=_COUNT,
        rejected={"type": "array", "items": _object(["index", "problem"], index=_COUNT, problem=_PROBLEM)},
    ),
    "EventPage": _object(
        ["data", "has_more", "next_cursor"],
        data={"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
        has_more={"type": "boolean"},
        next_cursor=_NULLABLE,
    ),
    "CatalogueEntry": _object(
        [
            "name",
            "version",
            "direction",
            "summary",
            "producers",
            "consumers",
            "data_schema",
            "example",
            "since",
            "deprecated",
        ],
        name=_STRING,
        version={"type": "integer"},
        direction={"type": "string", "enum": ["out", "in", "both"]},
        summary=_STRING,
        producers=_PARTIES,
        consumers=_PARTIES,
        data_schema={"type": "object"},
        example={"type": "object"},
        since=_STRING,
        deprecated={"type": "boolean"},
    ),
    "CataloguePage": _object(
        ["data", "has_more", "next_cursor"],
        data={"type": "array", "items": {"$ref": "#/components/schemas/CatalogueEntry"}},
        has_more={"type": "boolean"},
        next_cursor=_NULLABLE,
    ),
}
