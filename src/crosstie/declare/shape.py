"""Shapes: an ordered set of fields, and the way of a document through it in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from crosstie.declare.field import MISSING, Field
from crosstie.declare.kind import Faults, Kind, Money, refuse
from crosstie.errors import DeclarationError, Fault, Invalid
from crosstie.kit import json, money


class Shape:
    """Fields in the order in which they appear on the wire."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = {field.name: field for field in fields}
        self.required = [f.name for f in self.fields.values() if f.required]
        self.defaults = [f for f in self.fields.values() if not f.required and f.default is not MISSING]
        self._plan = [(f.name, f.kind.encode, f.kind) for f in self.fields.values()]

    def decode(self, document: Any, *, partial: bool = False) -> dict[str, Any]:
        """Database values by name; with `partial` only what was sent. Raises Invalid with every fault found."""
        faults: Faults = []
        values = self.read(document, "", faults, partial=partial)
        if faults:
            raise Invalid("The body breaks its schema.", errors=faults)
        return values

    def read(self, document: Any, pointer: str, faults: Faults, *, partial: bool = False) -> dict[str, Any]:
        """As `decode`, for a document inside another: faults are added to the list."""
        values: dict[str, Any] = {}
        if not isinstance(document, dict):
            refuse(faults, pointer, "type", "must be an object")
            return values
        for name, value in document.items():
            self._field(values, name, value, pointer, faults)
        if not partial:
            for name in self.required:
                if name not in document:
                    refuse(faults, f"{pointer}/{name}", "required", "must be sent")
            for field in self.defaults:
                if field.name not in document:
                    values[field.name] = field.initial()
        return values

    def _field(self, values: dict[str, Any], name: str, value: Any, pointer: str, faults: Faults) -> None:
        field = self.fields.get(name)
        if field is None:
            refuse(faults, pointer + json.pointer([name]), "unknown_field", "there is no such field")
            return
        if value is None:
            if not field.nullable:
                refuse(faults, f"{pointer}/{name}", "null", "must not be null")
            values[name] = None
            return
        found = field.kind.decode(value, f"{pointer}/{name}", faults)
        if type(field.kind) is Money and found:
            self._amount(values, field, found, pointer, faults)
        elif values.setdefault(name, found) != found:  # an amount before it has said which currency it is
            refuse(faults, f"{pointer}/{name}", "currency", "all amounts of a record share one currency")

    def _amount(
        self, values: dict[str, Any], field: Field, amount: tuple[int, str], pointer: str, faults: Faults
    ) -> None:
        """All amounts of one row share its currency."""
        minor, currency = amount
        beside = field.kind.beside  # type: ignore[attr-defined]  # only called for Money
        if values.setdefault(beside, currency) != currency:
            refuse(faults, f"{pointer}/{field.name}/currency", "currency", "all amounts of a record share one currency")
        values[field.name] = minor

    def encode(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The document of a row, in the order of the fields. Values keep their Python types; kit.json writes them."""
        found = {}
        for name, _, kind in self._plan:
            value = row.get(name)
            if value is not None and type(kind) is Money:
                currency = row[kind.beside]
                value = {"amount": money.format(value, currency), "currency": currency}
            elif value is not None and kind.encode is not None and kind.encode is not str:
                value = kind.encode(value)
            found[name] = value
        return found

    def schema(self, *, partial: bool = False, output: bool = False) -> dict[str, Any]:
        """JSON Schema of a document; in an output every field is present."""
        required = list(self.fields) if output else [] if partial else self.required
        found: dict[str, Any] = {
            "type": "object",
            "properties": {field.name: field.schema() for field in self.fields.values()},
            "additionalProperties": False,
        }
        return found | ({"required": required} if required else {})

    @cached_property
    def personal(self) -> tuple[str, ...]:
        """The names of the fields that can be blanked."""
        return tuple(f.name for f in self.fields.values() if f.personal)


@dataclass(frozen=True)
class Nested(Kind):
    """An object inside a document, kept inside a JSON column in the form of the wire."""

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        if any(not f.name for f in self.fields):
            raise DeclarationError("every field of a nested object needs a name: Field(kind, name=…)")
        object.__setattr__(self, "shape", Shape(self.fields))

    shape: Shape = None  # type: ignore[assignment]  # set above; a field only so that types see it

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.dialects.postgresql.JSONB()

    def schema(self) -> dict[str, Any]:
        return self.shape.schema()

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        before = len(faults)
        found = self.shape.read(value, pointer, faults)
        if len(faults) > before:
            return None
        return {
            name: (
                {"amount": money.format(found[name], found[f.kind.beside]), "currency": found[f.kind.beside]}
                if isinstance(f.kind, Money) and found.get(name) is not None
                else f.kind.wire(found.get(name))
            )
            for name, f in self.shape.fields.items()
        }


def fault(pointer: str, code: str, message: str) -> Invalid:
    """An input that breaks one rule."""
    return Invalid(message[:1].upper() + message[1:] + ".", errors=[Fault(pointer, code, message)])
