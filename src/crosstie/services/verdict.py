"""What a remote service's answer means to whoever asked: a document, or a problem in our own words."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from crosstie.declare.service import Operation
from crosstie.errors import (
    Conflict,
    Fault,
    NotFound,
    Problem,
    ServiceFault,
    ServiceRefused,
    ServiceUnavailable,
)
from crosstie.kit import json
from crosstie.log.schema import validator
from crosstie.services.remote import Call, Outcome

#: characters of a service's own words that are handed on
WORDS = 300


def document(call: Call, outcome: Outcome) -> Any:
    """The document of an answer. Raises the Problem that a refusal is, ServiceFault for what fits no contract."""
    response = outcome.response
    assert response is not None
    name = call.service.name
    try:
        found = json.loads(response.body) if response.body.strip() else None
    except json.BadJson:
        found = None
    if response.status >= 400:
        raise _refusal(call, response.status, found)
    if not _validator(call.operation).is_valid(found):
        raise ServiceFault(
            f"{name} answered {call.operation.name} with {response.status}, but not as the contract says."
        )
    return found


def unavailable(service: str, outcome: Outcome) -> ServiceUnavailable:
    """The problem of a service that gave no answer, or was not asked."""
    wait = max(1, math.ceil(outcome.retry_after or 0.0))
    words = f"{service} cannot be reached: {outcome.words}. Try again in {wait} s."
    return ServiceUnavailable(words, headers={"Retry-After": str(wait)})


def drawn(problem: Problem) -> dict[str, Any]:
    """A problem as a call keeps it."""
    found: dict[str, Any] = {"status": problem.status, "code": problem.code, "detail": problem.detail}
    if problem.errors:
        found["errors"] = [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in problem.errors]
    return found


def _refusal(call: Call, status: int, found: Any) -> Problem:
    name = call.service.name
    words = _words(found)
    said = f"{name} refused {call.operation.name} ({status}){': ' + words if words else '.'}"
    if status in (401, 402, 403, 407):
        return ServiceFault(f"{name} does not let this tenant in ({status}){': ' + words if words else '.'}")
    if status in (404, 410):
        return NotFound(said)
    if status == 409:
        return Conflict(said)
    return ServiceRefused(said, errors=_errors(found))


def _words(found: Any) -> str:
    """What a service says in words, in any of the shapes that are about."""
    if not isinstance(found, dict):
        return ""
    for key in ("detail", "message", "error", "title"):
        value = found.get(key)
        value = value.get("message") if isinstance(value, dict) else value
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:WORDS]
    return ""


def _errors(found: Any) -> list[Fault]:
    """The single faults of a problem document."""
    listed = found.get("errors") if isinstance(found, dict) else None
    return [
        Fault(str(each.get("pointer", ""))[:WORDS], str(each.get("code", ""))[:60], str(each["message"])[:WORDS])
        for each in (listed if isinstance(listed, list) else [])[:20]
        if isinstance(each, dict) and "message" in each
    ]


@cache
def _validator(operation: Operation) -> Any:
    return validator(operation.answer.schema)
