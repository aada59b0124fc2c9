"""Operations: every route of the API with what its documentation needs, derived from a noun or written by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from crosstie.log.idempotency import Answer

Schema = dict[str, Any]
Handler = Callable[[Request], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a route."""

    name: str
    schema: Schema
    doc: str
    place: Literal["query", "path", "header"] = "query"


KEY = Parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "Makes a repeat of this request harmless: it gets the stored answer.",
    "header",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `id` is `resource.action`: both SDKs and the command line are derived from it."""

    id: str
    method: str
    path: str
    summary: str
    handler: Handler
    scope: str | None = None
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    #: how the body comes: JSON, or a file with fields
    media: str = "application/json"
    #: other media types of the same body
    further: tuple[str, ...] = ()
    answers: dict[int, Schema | None] = field(default_factory=dict)
    answer_media: str = "application/json"
    problems: tuple[int, ...] = ()
    tag: str = ""
    limit: int = 1 << 20
    #: needs no credential
    public: bool = False
    #: takes a ticket in place of a credential
    ticketed: bool = False
