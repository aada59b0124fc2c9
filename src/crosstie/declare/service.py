"""Services: a contract declared once, which a module of Crosstie or a remote service provides. Data, no I/O.

An operation has its mission's path. Callers name it `treasury.create_invoice` and give one flat mapping: values of the
path and the query string and fields of the body under their names, which are therefore distinct.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crosstie.errors import DeclarationError

Schema = dict[str, Any]
#: async (unit, given) -> the answer's document; refuses by raising a Problem. It runs in a Unit of its own.
Implementation = Callable[..., Awaitable[Any]]

_SERVICE = re.compile(r"[a-z][a-z0-9]*")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_PATH = re.compile(r"(?:/(?:[a-z0-9]+(?:-[a-z0-9]+)*|\{[a-z][a-z0-9_]*\}))+")
_PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Form:
    """A document: its JSON Schema, and an example that fits."""

    schema: Schema
    example: Any


@dataclass(frozen=True, slots=True)
class Ask:
    """A value of the path, where that has such a placeholder, else of the query string, where it may be left out."""

    name: str
    schema: Schema
    example: Any
    doc: str


@dataclass(frozen=True, slots=True)
class Cached:
    """A remote answer is used again for so many seconds, or until one of these events came in."""

    seconds: float
    until: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stale:
    """While the service is away its last answer is given, marked with its age, up to an age of so many seconds."""

    seconds: float = 86_400


@dataclass(frozen=True, slots=True)
class Queued:
    """While the service is away, the change is taken on all the same: 202, and the worker sends it when it can."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One call of a service. `path` begins below /api/v1/<service>; all but GET change something.

    `found_by` names the read of the same service that finds what an earlier call made, from values that both share: so
    an outcome that nobody heard of is looked up before anything is sent again.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    doc: str
    answer: Form
    request: Form | None = None
    asks: tuple[Ask, ...] = ()
    #: of a success
    status: int = 200
    fallback: Stale | Queued | None = None
    cached: Cached | None = None
    found_by: str | None = None
    #: fields of the body that list files: a record of the tenant by its id, under a name such as `document_id`
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for reason in self._faults():
            raise DeclarationError(f"operation {self.name}: {reason}")

    @property
    def mutates(self) -> bool:
        """Whether it changes anything at the service: then it carries an idempotency key."""
        return self.method != "GET"

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names of the values in the path."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @property
    def queries(self) -> tuple[Ask, ...]:
        """The values of the query string."""
        return tuple(ask for ask in self.asks if ask.name not in self.placeholders)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields of the body."""
        return tuple(self.request.schema["properties"]) if self.request else ()

    @property
    def example(self) -> dict[str, Any]:
        """What a caller might give."""
        body = self.request.example if self.request else {}
        return {ask.name: ask.example for ask in self.asks} | body

    def _faults(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield "its name must be snake_case, such as create_invoice."
        if not _PATH.fullmatch(self.path):
            yield f"{self.path} is no path below the service, such as /items/{{id}}/stock."
        names = [ask.name for ask in self.asks]
        for name in self.placeholders:
            if name not in names:
                yield f"{{{name}}} in its path is not described: add an Ask."
        if self.request and self.request.schema.get("type") != "object":
            yield "the body must be an object."
        names += self.fields
        for name in names:
            if names.count(name) > 1:
                yield f"{name} stands for two values: path, query and body share one set of names."
        yield from self._promises()

    def _promises(self) -> Iterator[str]:
        if self.mutates:
            if self.cached or isinstance(self.fallback, Stale):
                yield "a change is never cached, and no earlier answer stands in for it: take cached and Stale out."
        else:
            if self.request:
                yield "a read has no body: use asks."
            if self.found_by or isinstance(self.fallback, Queued):
                yield "a read leaves nothing to find or to send later: take found_by and Queued out."
            if isinstance(self.fallback, Stale) and not self.cached:
                yield "an old answer can stand in only where answers are kept: declare cached."
        if not 200 <= self.status < 300:
            yield f"{self.status} is no success."


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """One contract: all that a caller needs to know."""

    name: str
    doc: str
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        for reason in self._faults():
            raise DeclarationError(f"service {self.name}: {reason}")

    def operation(self, name: str) -> Operation:
        """An operation by its name. Raises KeyError."""
        for each in self.operations:
            if each.name == name:
                return each
        raise KeyError(f"{self.name}.{name}")

    def path(self, operation: Operation) -> str:
        """The whole path of an operation, here and at a remote service."""
        return f"/api/v1/{self.name}{operation.path}"

    def _faults(self) -> Iterator[str]:
        if not _SERVICE.fullmatch(self.name):
            yield "its name must be one word in lower case."
        names = [each.name for each in self.operations]
        routes = [(each.method, _PLACEHOLDER.sub("{}", each.path)) for each in self.operations]
        for each in self.operations:
            if names.count(each.name) > 1:
                yield f"two operations are named {each.name}."
            if routes.count((each.method, _PLACEHOLDER.sub("{}", each.path))) > 1:
                yield f"{each.method} {each.path} stands for two operations."
            if each.found_by:
                yield from self._finding(each, each.found_by)

    def _finding(self, each: Operation, name: str) -> Iterator[str]:
        found = next((other for other in self.operations if other.name == name), None)
        if found is None or found.mutates:
            yield f"{each.name} is found by {name}, which is none of its reads."
            return
        if found.answer is not each.answer:
            yield f"{each.name} is found by {name}, which must answer in the same form."
        for ask in found.placeholders:
            if ask not in each.fields and ask not in each.placeholders:
                yield f"{each.name} is found by {name}, which needs {ask}: a call of it does not hold that."


@dataclass(frozen=True, slots=True)
class Provider:
    """A module's own implementation of a service: a function per operation. What it leaves out, it does not offer."""

    service: str
    operations: Mapping[str, Implementation]
