"""The schemas of event data as compiled checks, each compiled once in a process."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec

from crosstie.declare.event import EventType

#: registered types come anew with every look at the table
KEPT = 2_000
_compiled: dict[int, tuple[EventType, Any]] = {}


def validator(schema: dict[str, Any]) -> Any:
    """The compiled check of a schema: nothing is fetched, patterns run in linear time. Raises ValueError."""
    return jsonschema_rs.validator_for(
        schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def check(declared: EventType) -> Any:
    """The compiled check of a type's data."""
    _, found = _compiled.get(id(declared), (None, None))
    if found is None:
        found = validator(declared.data_schema)
        if len(_compiled) > KEPT:
            _compiled.clear()
        _compiled[id(declared)] = (declared, found)  # holding the type keeps its id its own
    return found


def hold(declared: EventType, data: bytes) -> None:
    """Refuse an event of our own that breaks its type's schema: whoever hears of it relies on that. It is our fault."""
    test = check(declared)
    found = msgspec.json.decode(data)
    if not test.is_valid(found):
        raise RuntimeError(f"{declared.name} breaks its schema: {next(test.iter_errors(found)).message[:300]}")
