"""The words in which the events of outside services are declared.

Their data is open: fields that are not declared pass. Amounts may be numbers, as the services send them, or decimal
strings. Names of types and fields are permanent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from crosstie.declare.event import Direction, EventType


@dataclass(frozen=True, slots=True)
class Part:
    """One field of an event's data with an example."""

    name: str
    schema: dict[str, Any]
    example: Any
    required: bool = False


def id(name: str, *, required: bool = False) -> Part:
    """An id of the service's own: any short string."""
    example = f"{name.removesuffix('_id')}-uuid"
    return Part(name, {"type": "string", "minLength": 1, "maxLength": 128}, example, required)


def words(name: str, example: str, *, required: bool = False) -> Part:
    """A string."""
    return Part(name, {"type": "string", "maxLength": 5000}, example, required)


def amount(name: str, example: float, *, required: bool = False) -> Part:
    """An amount of money or stock: a number or a decimal string."""
    schema = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?\d{1,15}(\.\d{1,6})?$"}]}
    return Part(name, schema, example, required)


def currency(*, required: bool = False) -> Part:
    """The currency of the amounts beside it."""
    return Part("currency", {"type": "string", "pattern": "^[A-Z]{3}$"}, "KES", required)


def count(name: str, example: int, *, required: bool = False) -> Part:
    """A whole number from 0."""
    return Part(name, {"type": "integer", "minimum": 0}, example, required)


def flag(name: str, *, example: bool) -> Part:
    """True or false."""
    return Part(name, {"type": "boolean"}, example)


def moment(name: str, example: str = "2024-12-05T10:30:00Z", *, required: bool = False) -> Part:
    """A point in time, or a day."""
    return Part(name, {"type": "string", "maxLength": 40}, example, required)


def thing(name: str, example: dict[str, Any]) -> Part:
    """An object of the service's own form."""
    return Part(name, {"type": "object"}, example)


def many(name: str, example: Any) -> Part:
    """A list of objects or words."""
    return Part(name, {"type": "array", "maxItems": 10_000}, [example])


def either(event: EventType, *names: tuple[str, ...]) -> EventType:
    """The type with other fields required: those of any one of these lists."""
    schema = {key: value for key, value in event.data_schema.items() if key != "required"}
    return replace(event, data_schema=schema | {"anyOf": [{"required": list(each)} for each in names]})


def fact(
    name: str,
    summary: str,
    *parts: Part,
    producers: tuple[str, ...],
    consumers: tuple[str, ...],
    direction: Direction = "in",
    subject: str,
    personal: tuple[str, ...] = (),
    scope: str | None = None,
) -> EventType:
    """An event type that outside services send. Its subject is named by the first of its fields."""
    schema: dict[str, Any] = {"type": "object", "properties": {part.name: part.schema for part in parts}}
    required = [part.name for part in parts if part.required]
    return EventType(
        name=name,
        summary=summary,
        data_schema=schema | {"required": required} | {"additionalProperties": True},
        example={part.name: part.example for part in parts},
        direction=direction,
        subject=subject,
        subject_field=parts[0].name,
        producers=producers,
        consumers=consumers,
        personal=personal,
        open=True,
        scope=scope,
    )
