"""One call of a counterpart, read and checked against the declared contract."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs
from starlette.requests import Request

from crosstie.contracts.services import Operation
from crosstie.kit import json

FAULTS = 20


class Bad(Exception):
    """A call that breaks the contract."""

    def __init__(self, status: int, code: str, words: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(words)
        self.status, self.code, self.words, self.errors = status, code, words, errors or []


class Reader:
    """Reads the calls of one operation."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @cached_property
    def _check(self) -> Any:
        body = self.operation.request.schema if self.operation.request else {"properties": {}, "required": []}
        return jsonschema_rs.validator_for({
            "type": "object",
            "properties": {ask.name: ask.schema for ask in self.operation.asks} | body["properties"],
            "required": [*self.operation.placeholders, *body["required"]],
            "additionalProperties": False,
        })  # fmt: skip

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """The values of path, query and body by name. Raises Bad."""
        given = self._query(request)
        if self.operation.request is not None:
            given |= _document(request, body)
        faults = [
            {"pointer": json.pointer(each.instance_path), "code": "schema", "message": each.message[:300]}
            for each in self._check.iter_errors(given)
        ]
        if faults:
            raise Bad(422, "invalid", "The call breaks the contract.", faults[:FAULTS])
        return given

    def _query(self, request: Request) -> dict[str, Any]:
        given: dict[str, Any] = {name: request.path_params[name] for name in self.operation.placeholders}
        known = {ask.name: ask.schema for ask in self.operation.queries}
        for name, text in request.query_params.items():
            if name not in known:
                raise Bad(400, "unknown_parameter", f"There is no parameter {name}.")
            given[name] = int(text) if known[name].get("type") == "integer" and text.isdigit() else text
        return given


def _document(request: Request, body: bytes) -> Mapping[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Bad(415, "unsupported_media_type", "The body must be application/json.")
    try:
        found = json.loads(body)
    except json.BadJson as error:
        raise Bad(400, "bad_json", error.message) from None
    if not isinstance(found, dict):
        raise Bad(422, "invalid", "The body must be an object.")
    return found
