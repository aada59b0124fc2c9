"""Kinds of value: how each looks in the database, on the wire, in a schema and in a query string.

A kind decodes what callers send (collecting faults, never raising), encodes what the database returns, and says
whether lists may be filtered and sorted by it. Under row-level security only leakproof operators reach an index;
therefore only uuid, text, timestamptz, date, bigint and boolean are filterable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import available_timezones

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from crosstie.errors import Fault
from crosstie.kit import clock, ids, money

Faults = list[Fault]
ZONES = frozenset(available_timezones())
LARGEST = 2**63 - 1


#: what is asked of a format: that it could be one, for only its use can tell
FORMATS = {
    "email": re.compile(r"[^@\s<>()\[\],;:\\\"]+@[^@\s<>()\[\],;:\\\".]+(\.[^@\s<>()\[\],;:\\\".]+)*"),
    "uri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+"),
}


def _matches(pattern: str, value: str) -> bool:
    """As JSON Schema has it: `$` is the end alone, digits are ASCII."""
    return re.search(pattern.replace("$", r"\Z") if pattern.endswith("$") else pattern, value, re.ASCII) is not None


def refuse(faults: Faults, pointer: str, code: str, message: str) -> None:
    """Note one fault; what the caller gets back in its place is None."""
    faults.append(Fault(pointer, code, message))


class Kind:
    """One kind of value. Subclasses are frozen data."""

    filterable: ClassVar[bool] = False
    ordered: ClassVar[bool] = False  # knows gte, lt …
    #: the wire's value of a database value; None where they are the same
    encode: ClassVar[Any] = None

    def column(self) -> sa.types.TypeEngine[Any]:
        """The column type."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the value on the wire."""
        raise NotImplementedError

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        """The database's value for what came in; faults are added to the list."""
        raise NotImplementedError

    def parse(self, text: str, pointer: str, faults: Faults) -> Any:
        """The same from a query string."""
        return self.decode(text, pointer, faults)

    def asked(self) -> dict[str, Any]:
        """JSON Schema of the value in a query string."""
        return self.schema()

    def wire(self, value: Any) -> Any:
        """A decoded value in the form of the wire, for values that are kept inside JSON columns."""
        return self.encode(value) if self.encode and value is not None else value

    def takes(self, value: Any) -> bool:
        """Whether a value on the wire is one of this kind."""
        faults: Faults = []
        self.decode(value, "", faults)
        return not faults


@dataclass(frozen=True)
class Text(Kind):
    """A string of at most `max` characters."""

    max: int = 200
    min: int = 0
    pattern: str | None = None
    format: str | None = None
    filterable = True

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Text()

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "string", "maxLength": self.max}
        if self.min:
            found["minLength"] = self.min
        if self.pattern:
            found["pattern"] = self.pattern
        if self.format:
            found["format"] = self.format
        return found

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return refuse(faults, pointer, "type", "must be a string")
        if not self.min <= len(value) <= self.max:
            return refuse(faults, pointer, "length", f"must have {self.min} to {self.max} characters")
        if self.pattern and not _matches(self.pattern, value):
            return refuse(faults, pointer, "pattern", f"must match {self.pattern}")
        if self.format in FORMATS and not FORMATS[self.format].fullmatch(value):
            return refuse(faults, pointer, "format", f"must have the format {self.format}")
        return value


@dataclass(frozen=True)
class Choice(Kind):
    """One of a fixed set of words; the words are permanent."""

    values: tuple[str, ...]
    filterable = True

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Text()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.values)}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if value not in self.values:
            return refuse(faults, pointer, "choice", f"must be one of {', '.join(self.values)}")
        return value


@dataclass(frozen=True)
class Zone(Kind):
    """An IANA time zone such as Africa/Johannesburg."""

    filterable = True

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Text()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 64, "examples": ["Africa/Johannesburg"]}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not isinstance(value, str) or value not in ZONES:
            return refuse(faults, pointer, "time_zone", "must be an IANA time zone, such as Africa/Johannesburg")
        return value


@dataclass(frozen=True)
class Integer(Kind):
    """A whole number."""

    min: int = -LARGEST
    max: int = LARGEST
    filterable = True
    ordered = True

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.BigInteger()

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.min, "maximum": self.max}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)  # JSON Schema counts 3.0 as an integer
        if not isinstance(value, int) or isinstance(value, bool):
            return refuse(faults, pointer, "type", "must be a whole number")
        if not self.min <= value <= self.max:
            return refuse(faults, pointer, "range", f"must lie between {self.min} and {self.max}")
        return value

    def parse(self, text: str, pointer: str, faults: Faults) -> Any:
        if not re.fullmatch(r"-?\d{1,19}", text, re.ASCII):
            return refuse(faults, pointer, "type", "must be a whole number")
        return self.decode(int(text), pointer, faults)


@dataclass(frozen=True)
class Number(Kind):
    """A decimal number as a string ("1.5"), kept exactly; not filterable."""

    places: int = 4
    min: Decimal | None = None
    max: Decimal | None = None

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Numeric(20, self.places)

    def schema(self) -> dict[str, Any]:
        sign = "-?" if self.min is None or self.min < 0 else ""
        return {"type": ["string", "number"], "pattern": rf"^{sign}\d{{1,12}}(\.\d{{1,{self.places}}})?$"}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            return refuse(faults, pointer, "type", "must be a decimal number as a string")
        if not re.fullmatch(rf"-?\d{{1,12}}(\.\d{{1,{self.places}}})?", str(value), re.ASCII):
            return refuse(faults, pointer, "number", f"must be a number with at most {self.places} decimals")
        number = Decimal(str(value))
        if self.min is not None and number < self.min:
            return refuse(faults, pointer, "range", f"must be at least {self.min}")
        if self.max is not None and number > self.max:
            return refuse(faults, pointer, "range", f"must be at most {self.max}")
        return number

    @staticmethod
    def encode(value: Any) -> Any:
        return format((value + 0).normalize(), "f")  # one form, whether it was just sent or read from a column


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    filterable = True

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Boolean()

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        return value if isinstance(value, bool) else refuse(faults, pointer, "type", "must be true or false")

    def parse(self, text: str, pointer: str, faults: Faults) -> Any:
        return self.decode({"true": True, "false": False}.get(text, text), pointer, faults)


@dataclass(frozen=True)
class Moment(Kind):
    """A point in time: RFC 3339 with an offset; kept and sent in UTC."""

    filterable = True
    ordered = True
    encode = staticmethod(clock.format)

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.DateTime(timezone=True)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        try:
            return clock.parse(value)
        except (TypeError, ValueError):
            return refuse(faults, pointer, "date_time", "must be a time of RFC 3339, such as 2026-03-01T08:00:00Z")


@dataclass(frozen=True)
class Day(Kind):
    """A calendar day, such as 2026-03-01."""

    filterable = True
    ordered = True
    encode = staticmethod(date.isoformat)

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Date()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        return refuse(faults, pointer, "date", "must be a day, such as 2026-03-01")


@dataclass(frozen=True)
class Id(Kind):
    """A UUID; with `of`, the id of another noun's record."""

    of: str | None = None
    filterable = True
    encode = str

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.Uuid()

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "string", "format": "uuid"}
        return found | ({"x-crosstie-ref": self.of} if self.of else {})

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        try:
            return ids.parse(value)
        except (TypeError, ValueError):
            return refuse(faults, pointer, "uuid", "must be a UUID")


@dataclass(frozen=True)
class Money(Kind):
    """An amount in a currency; `beside` names the text column that keeps the currency of the row.

    The column keeps minor units; the wire has {"amount": "1200.00", "currency": "ZAR"}.
    """

    beside: str = "currency"
    filterable = True
    ordered = True

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.BigInteger()

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["amount", "currency"],
            "additionalProperties": False,
            "properties": {
                "amount": {"type": "string", "pattern": r"^-?\d{1,15}(\.\d{1,4})?$"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
            "examples": [{"amount": "1200.00", "currency": "ZAR"}],
        }

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        """(minor units, currency)."""
        whole = isinstance(value, dict) and value.keys() == {"amount", "currency"}
        if not whole or not all(isinstance(part, str) for part in value.values()):
            return refuse(faults, pointer, "money", 'must be {"amount": "1200.00", "currency": "ZAR"}, two strings')
        try:
            return money.parse(value["amount"], value["currency"]), value["currency"]
        except ValueError as error:
            return refuse(faults, pointer, "money", str(error))

    def parse(self, text: str, pointer: str, faults: Faults) -> Any:
        """In a query string: minor units."""
        return Integer().parse(text, pointer, faults)

    def asked(self) -> dict[str, Any]:
        return Integer().schema()

    def wire(self, value: Any) -> Any:
        return value and {"amount": money.format(*value), "currency": value[1]}


@dataclass(frozen=True)
class Data(Kind):
    """Free JSON of an object with at most `keys` keys, for example metadata."""

    keys: int = 50

    def column(self) -> sa.types.TypeEngine[Any]:
        return JSONB()

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "maxProperties": self.keys}

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return refuse(faults, pointer, "type", "must be an object")
        if len(value) > self.keys:
            return refuse(faults, pointer, "length", f"must have at most {self.keys} keys")
        return value


@dataclass(frozen=True)
class Many(Kind):
    """A list of at most `max` values of one kind."""

    of: Kind
    max: int = 100
    min: int = 0
    distinct: bool = field(default=False)

    def column(self) -> sa.types.TypeEngine[Any]:
        return JSONB()

    def schema(self) -> dict[str, Any]:
        found = {"type": "array", "items": self.of.schema(), "maxItems": self.max}
        if self.min:
            found["minItems"] = self.min
        return found | ({"uniqueItems": True} if self.distinct else {})

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not isinstance(value, list):
            return refuse(faults, pointer, "type", "must be a list")
        if not self.min <= len(value) <= self.max:
            return refuse(faults, pointer, "length", f"must have {self.min} to {self.max} entries")
        found = [self.of.wire(self.of.decode(entry, f"{pointer}/{n}", faults)) for n, entry in enumerate(value)]
        if self.distinct and len({repr(entry) for entry in found}) < len(found):
            return refuse(faults, pointer, "distinct", "must not repeat an entry")
        return found
