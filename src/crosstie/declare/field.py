"""Fields: a kind of value with its name, meaning and rules; and the functions that declare one as a column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal

from sqlalchemy.orm import InstrumentedAttribute, MappedColumn, mapped_column

from crosstie.declare import kind as kinds
from crosstie.errors import DeclarationError


class Missing(Enum):
    """The sign that a field has no default and must be sent."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Default = Any | Callable[[], Any] | Literal[Missing.MISSING]


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `personal` can be blanked later; `write_only` comes in and is never shown."""

    kind: kinds.Kind
    name: str = ""
    doc: str = ""
    nullable: bool = False
    default: Default = MISSING
    personal: bool = False
    write_only: bool = False

    @property
    def required(self) -> bool:
        """Whether a creation must send it."""
        return self.default is MISSING and not self.nullable

    def initial(self) -> Any:
        """The value where none was sent."""
        if self.default is MISSING:
            return None
        return self.default() if callable(self.default) else self.default

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the field on the wire."""
        found = self.kind.schema()
        if self.nullable:
            found = {"anyOf": [found, {"type": "null"}]}
        if self.doc:
            found["description"] = self.doc
        if self.write_only:
            found["writeOnly"] = True
        if self.default is not MISSING and not callable(self.default) and self.default is not None:
            found["default"] = self.default
        return found


def column(field: Field, **options: Any) -> MappedColumn[Any]:
    """A column that keeps the field."""
    return mapped_column(field.kind.column(), nullable=field.nullable, info={"field": field}, **options)


def described(attribute: InstrumentedAttribute[Any] | Field) -> Field:
    """The field behind a column of a row class, with its name."""
    if isinstance(attribute, Field):
        return attribute
    declared = attribute.info.get("field")
    if not isinstance(declared, Field):
        raise DeclarationError(f"{attribute} is not a declared field: declare it with a function of declare.field")
    return replace(declared, name=attribute.key)


def text(
    max: int = 200,
    *,
    doc: str,
    min: int = 0,
    pattern: str | None = None,
    format: str | None = None,
    nullable: bool = False,
    default: Default = MISSING,
    personal: bool = False,
) -> MappedColumn[Any]:
    """A string column."""
    kind = kinds.Text(max, min, pattern, format)
    return column(Field(kind, doc=doc, nullable=nullable, default=default, personal=personal))


def choice(*values: str, doc: str, default: Default = MISSING, nullable: bool = False) -> MappedColumn[Any]:
    """A column that holds one of the words."""
    return column(Field(kinds.Choice(values), doc=doc, default=default, nullable=nullable))


def state(*values: str, doc: str) -> MappedColumn[Any]:
    """The column of a state machine: set by moves alone; the first word is where a record starts."""
    return column(Field(kinds.Choice(values), doc=doc, default=values[0]))


def integer(
    *, doc: str, min: int = 0, max: int = kinds.LARGEST, default: Default = MISSING, nullable: bool = False
) -> MappedColumn[Any]:
    """A whole number."""
    return column(Field(kinds.Integer(min, max), doc=doc, default=default, nullable=nullable))


def number(
    *,
    doc: str,
    places: int = 4,
    min: Decimal | None = None,
    max: Decimal | None = None,
    nullable: bool = False,
    personal: bool = False,
) -> MappedColumn[Any]:
    """An exact decimal, a string on the wire."""
    return column(Field(kinds.Number(places, min, max), doc=doc, nullable=nullable, personal=personal))


def flag(*, doc: str, default: bool = False) -> MappedColumn[Any]:
    """True or false."""
    return column(Field(kinds.Flag(), doc=doc, default=default))


def moment(
    *, doc: str, nullable: bool = False, default: Default = MISSING, personal: bool = False
) -> MappedColumn[Any]:
    """A point in time."""
    return column(Field(kinds.Moment(), doc=doc, nullable=nullable, default=default, personal=personal))


def day(*, doc: str, nullable: bool = False, default: Default = MISSING) -> MappedColumn[Any]:
    """A calendar day."""
    return column(Field(kinds.Day(), doc=doc, nullable=nullable, default=default))


def zone(*, doc: str, default: Default = MISSING) -> MappedColumn[Any]:
    """An IANA time zone."""
    return column(Field(kinds.Zone(), doc=doc, default=default))


def ref(of: str, *, doc: str, nullable: bool = False) -> MappedColumn[Any]:
    """The id of a record of another noun of the same tenant; a composite foreign key keeps it true."""
    return column(Field(kinds.Id(of), doc=doc, nullable=nullable))


def identifier(*, doc: str, nullable: bool = False) -> MappedColumn[Any]:
    """A UUID that refers to nothing that a foreign key could keep."""
    return column(Field(kinds.Id(), doc=doc, nullable=nullable))


def money(*, doc: str, beside: str = "currency", nullable: bool = False) -> MappedColumn[Any]:
    """An amount in minor units; the text column `beside` keeps its currency."""
    return column(Field(kinds.Money(beside), doc=doc, nullable=nullable))


def data(*, doc: str, keys: int = 50, nullable: bool = False, personal: bool = False) -> MappedColumn[Any]:
    """A JSON object of the caller's own."""
    default = MISSING if nullable else dict
    return column(Field(kinds.Data(keys), doc=doc, nullable=nullable, default=default, personal=personal))


def many(
    of: kinds.Kind, *, doc: str, max: int = 100, min: int = 0, default: Default = None, personal: bool = False
) -> MappedColumn[Any]:
    """A list of values of one kind, kept inside the row. One that may be empty is so where nothing was sent."""
    usual = default if default is not None else MISSING if min else list
    return column(Field(kinds.Many(of, max, min), doc=doc, default=usual, personal=personal))
