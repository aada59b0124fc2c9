"""Placeholders of templates: each has a type, by which what was sent is judged and written in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.kind import Faults, Kind, refuse
from crosstie.declare.shape import Nested
from crosstie.kit import clock
from crosstie.kit import locale as written_in

NAME = r"^[a-z][a-z0-9_]{0,59}$"


@dataclass(frozen=True)
class Amount(Kind):
    """A number, as services send amounts: a JSON number or a decimal string."""

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if isinstance(value, int | float | Decimal | str) and not isinstance(value, bool):
            try:
                number = Decimal(str(value))
            except ArithmeticError:
                number = Decimal("NaN")
            if number.is_finite() and abs(number) < 10**15:
                return number
        return refuse(faults, pointer, "number", "must be a number or a decimal string")


class Anything(Kind):
    """Whatever JSON holds: a template reaches into it by names."""

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        return value


KINDS: dict[str, Kind] = {
    "text": kinds.Text(5000),
    "number": Amount(),
    "money": kinds.Money(),
    "date": kinds.Day(),
    "time": kinds.Moment(),
    "link": kinds.Text(2000, format="uri"),
    "list": kinds.Many(Anything(), 500),
    "object": kinds.Data(100),
}
PLACEHOLDER = Nested(
    (
        Field(kinds.Text(60, pattern=NAME), name="name", doc="How the template calls it."),
        Field(kinds.Choice(tuple(KINDS)), name="type", doc="What it is.", default="text"),
        Field(kinds.Flag(), name="required", doc="Whether a message must bring it.", default=False),
    )
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One value that a template is filled in with."""

    name: str
    type: str = "text"
    required: bool = False


def judged(placeholders: Iterable[Placeholder], data: Mapping[str, Any], pointer: str, faults: Faults) -> None:
    """Note what is wrong with the values for a template."""
    known = {each.name: each for each in placeholders}
    for name, value in data.items():
        if name not in known:
            refuse(faults, f"{pointer}/{name}", "unknown_field", "the template has no such placeholder")
        elif value is not None:
            KINDS[known[name].type].decode(value, f"{pointer}/{name}", faults)
    for each in known.values():
        if each.required and data.get(each.name) is None:
            refuse(faults, f"{pointer}/{each.name}", "required", "must be sent: the template needs it")


def written(placeholders: Iterable[Placeholder], data: Mapping[str, Any], locale: str, zone: str) -> dict[str, Any]:
    """The values as a reader sees them; null where one was not sent."""
    found: dict[str, Any] = {}
    for each in placeholders:
        raw, faults = data.get(each.name), Faults()
        value = KINDS[each.type].decode(raw, "", faults) if raw is not None else None
        if faults:
            value = None
        form = FORMS.get(each.type)
        found[each.name] = form(value, locale, zone) if form and value is not None else value
    return found


FORMS: dict[str, Callable[[Any, str, str], str]] = {
    "money": lambda value, locale, zone: written_in.money(KINDS["money"].wire(value), locale),
    "time": written_in.moment,
    "date": lambda value, locale, zone: written_in.day(value, locale),
    "number": lambda value, locale, zone: written_in.number(value, locale),
}


def sample(placeholders: Iterable[Placeholder]) -> dict[str, Any]:
    """Values with which a template is tried."""
    samples: dict[str, Any] = {
        "text": "Thandi", "number": 12, "money": {"amount": "1200.00", "currency": "ZAR"}, "date": "2026-03-01",
        "time": clock.format(clock.now()), "link": "https://example.com/", "list": [], "object": {},
    }  # fmt: skip
    return {each.name: samples[each.type] for each in placeholders}
