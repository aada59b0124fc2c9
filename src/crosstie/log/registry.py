"""Event types that a tenant registers for itself, beside those of the catalogue."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.orm import Mapped

from crosstie.db import session
from crosstie.declare.event import EventType
from crosstie.declare.field import choice, data, flag, integer, text
from crosstie.declare.resource import Events, Resource
from crosstie.declare.row import Record
from crosstie.errors import Conflict, Fault, Invalid
from crosstie.kit import json
from crosstie.kit import text as words
from crosstie.log.schema import validator
from crosstie.log.unit import Unit

NAME = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"
#: bytes of one schema, and sub-schemas that one check may visit once all references are followed
SIZE, VISITS = 65_536, 5_000
#: seconds that a process may know a tenant's types without looking again, and types of one tenant
TTL, MOST = 3.0, 1_000
TENANTS = 5_000


class RegisteredType(Record):
    """A type of event that the tenant's own systems send."""

    __tablename__ = "event_types"

    name: Mapped[str] = text(200, min=3, pattern=NAME, doc="Dotted name, such as `acme.meter.read`; permanent.")
    version: Mapped[int] = integer(min=1, max=2**31 - 1, doc="Raised with every change of the schema.", default=1)
    direction: Mapped[str] = choice("in", "both", doc="Whether it only comes in.", default="in")
    summary: Mapped[str] = text(500, min=1, doc="What happened, in a sentence.")
    data_schema: Mapped[dict[str, Any]] = data(doc="JSON Schema of `data`.", keys=200)
    example: Mapped[dict[str, Any] | None] = data(doc="A whole envelope as an example.", nullable=True)
    deprecated: Mapped[bool] = flag(doc="Whether it should no longer be sent.")


async def _rule(unit: Unit, before: RegisteredType | None, values: dict[str, Any]) -> None:
    if "name" in values:
        _check_name(unit, values["name"])
    if "data_schema" not in values:
        return
    check = _check_schema(values["data_schema"])
    example = (values.get("example") or {}).get("data")
    if example is not None and not check.is_valid(example):
        raise Invalid(
            "The example breaks the schema.", errors=[Fault("/example/data", "schema", "breaks the type's schema")]
        )


def _check_name(unit: Unit, name: str) -> None:
    catalogue = unit.log.catalogue.events
    if name in catalogue:
        raise Conflict(f"{name} is a type of the catalogue.")
    own = {known.split(".", 1)[0] for known, declared in catalogue.items() if not declared.open}
    head = name.split(".", 1)[0]
    if head in own:
        fault = Fault("/name", "reserved", f"names that begin with {head}. are Crosstie's own")
        raise Invalid("The name is reserved.", errors=[fault])


def _check_schema(schema: dict[str, Any]) -> Any:
    try:
        if len(json.dumps(schema)) > SIZE:
            raise ValueError(f"has more than {SIZE} bytes")
        if sum(1 for _ in islice(_visits(schema, schema, ()), VISITS + 1)) > VISITS:
            raise ValueError(f"leads to more than {VISITS} sub-schemas")
        return validator(schema)
    except ValueError as error:
        reason = str(error).splitlines()[0][:300]
        raise Invalid("The JSON Schema cannot be used.", errors=[Fault("/data_schema", "schema", reason)]) from None


def _visits(root: Any, node: Any, path: tuple[str, ...]) -> Iterator[None]:
    """One step per sub-schema that a check could visit. Raises ValueError for a reference that cannot be bounded."""
    yield
    if isinstance(node, list):
        for entry in node:
            yield from _visits(root, entry, path)
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        if name in ("$dynamicRef", "$recursiveRef", "$id", "id") and isinstance(value, str):
            raise ValueError(f"{name} is not supported")
        if name == "$ref" and isinstance(value, str):
            if value in path:
                raise ValueError(f"refers to itself through {value}")
            yield from _visits(root, _target(root, value), (*path, value))
        elif name not in ("$defs", "definitions"):
            yield from _visits(root, value, path)


def _target(root: Any, reference: str) -> Any:
    """What a reference inside the schema points at."""
    match = re.fullmatch(r"#/(\$defs|definitions)/([A-Za-z0-9_-]{1,100})", reference)
    named = root.get(match[1]) if match else None
    found = named.get(match[2]) if match and isinstance(named, dict) else None
    if found is None:
        raise ValueError(f"{reference[:100]} is not a reference of the form #/$defs/name")
    return found


EVENT_TYPES = Resource(
    row=RegisteredType,
    name="event-types",
    read=(
        RegisteredType.id,
        RegisteredType.name,
        RegisteredType.version,
        RegisteredType.direction,
        RegisteredType.summary,
        RegisteredType.data_schema,
        RegisteredType.example,
        RegisteredType.deprecated,
        RegisteredType.created_at,
        RegisteredType.updated_at,
    ),
    write=(RegisteredType.summary, RegisteredType.example, RegisteredType.deprecated),
    once=(RegisteredType.name, RegisteredType.version, RegisteredType.direction, RegisteredType.data_schema),
    unique=((RegisteredType.name, RegisteredType.version),),
    verbs=frozenset(("create", "retrieve", "update")),
    events=Events(deleted=None),
    rule=_rule,
    most=MOST,
)


def declared(row: asyncpg.Record) -> EventType:
    """A registered type in the form of the catalogue's."""
    example = row["example"] or {}
    return EventType(
        name=row["name"],
        summary=row["summary"],
        data_schema=row["data_schema"],
        example=example.get("data") or {},
        version=row["version"],
        direction=row["direction"],
        producers=("partners",),
        since=row["created_at"].date().isoformat(),
        deprecated=row["deprecated"],
        open=True,
    )


class Registry:
    """What a process knows of the tenants' own types."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: dict[UUID, tuple[float, list[EventType]]] = {}

    async def types(self, tenant_id: UUID) -> list[EventType]:
        """The types of a tenant, straight from the table, by name and version."""
        async with session.of_tenant(self._pool, tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT * FROM event_types WHERE tenant_id = $1 ORDER BY name, version LIMIT $2", tenant_id, MOST
            )
        found = [declared(row) for row in rows]
        if len(self._known) >= TENANTS:
            self._known.clear()
        self._known[tenant_id] = (time.monotonic() + TTL, found)
        return found

    async def find(self, tenant_id: UUID, name: str, version: int | None) -> EventType | None:
        """A type by name: this version, or the newest. One that is not known is looked for at once."""
        until, known = self._known.get(tenant_id, (0.0, []))
        found = _pick(known, name, version)
        if found is None or until < time.monotonic():
            found = _pick(await self.types(tenant_id), name, version)
        return found


async def matches(unit: Unit, wanted: Callable[[str], bool]) -> bool:
    """Whether any of the tenant's own types is wanted."""
    return any(map(wanted, await _own(unit)))


async def named(unit: Unit, patterns: Iterable[str]) -> list[str]:
    """The types that patterns name, the tenant's own among them."""
    return list(filter(words.matcher(patterns), await _known(unit)))


async def check(unit: Unit, patterns: Iterable[str]) -> None:
    """Raise Invalid for the first of the given `event_types` that cannot be read or names no type."""
    known = await _known(unit)
    for number, pattern in enumerate(patterns):
        pointer = f"/event_types/{number}"
        try:
            wants = words.matcher([pattern])
        except ValueError as error:
            raise Invalid("A pattern cannot be read.", errors=[Fault(pointer, "pattern", str(error))]) from None
        if not any(map(wants, known)):
            fault = Fault(pointer, "unknown", "matches no event type")
            raise Invalid(f"No event type matches {pattern}.", errors=[fault])


async def _known(unit: Unit) -> list[str]:
    return [*unit.log.catalogue.events, *await _own(unit)]


async def _own(unit: Unit) -> list[str]:
    rows = await unit.connection.fetch("SELECT DISTINCT name FROM event_types WHERE tenant_id = $1", unit.tenant_id)
    return [row["name"] for row in rows]


def _pick(known: list[EventType], name: str, version: int | None) -> EventType | None:
    return next((t for t in reversed(known) if t.name == name and version in (None, t.version)), None)
