"""The words in which the operations of services are declared.

What callers send is closed: an unknown field is refused. What services answer is open: fields that are not declared
pass. A part that is not required may be null. Amounts are numbers or decimal strings on the way in, strings in answers.
"""

from __future__ import annotations

from typing import Any

from crosstie.contracts.fact import Part
from crosstie.declare.service import Ask, Form

#: pages of a list
LIMIT = {"type": "integer", "minimum": 1, "maximum": 200}


def own(example: str, name: str = "id") -> Part:
    """The id that the service gave to something."""
    return Part(name, {"type": "string", "minLength": 1, "maxLength": 128}, example, required=True)


def money(name: str, example: str, *, required: bool = False) -> Part:
    """An amount in an answer: a decimal string."""
    return Part(name, {"type": "string", "pattern": r"^-?\d{1,15}(\.\d{1,6})?$"}, example, required)


def one_of(name: str, *values: str, required: bool = False) -> Part:
    """One of these words, of which the first is the example."""
    return Part(name, {"type": "string", "enum": list(values)}, values[0], required)


def rows(name: str, form: Form, *, required: bool = True) -> Part:
    """A list of objects of one form, at least one."""
    schema = {"type": "array", "items": form.schema, "minItems": 1, "maxItems": 1000}
    return Part(name, schema, [form.example], required)


def sent(*parts: Part) -> Form:
    """What a caller sends."""
    return _form(parts, further=False)


def answered(*parts: Part) -> Form:
    """What a service answers."""
    return _form(parts, further=True)


def listed(name: str, *parts: Part) -> Form:
    """What a service answers to a read of many: the entries under this name, and how many there are in all."""
    inner = answered(*parts)
    entries = Part(name, {"type": "array", "items": inner.schema}, [inner.example], required=True)
    return answered(entries, Part("total", {"type": "integer", "minimum": 0}, 1))


def ask(part: Part, doc: str) -> Ask:
    """A value of the path or the query string."""
    return Ask(part.name, part.schema, part.example, doc)


def paged() -> tuple[Ask, ...]:
    """The values that ask for a page."""
    return (
        Ask("limit", LIMIT, 50, "How many at most."),
        Ask("cursor", {"type": "string", "maxLength": 500}, "c2", "Where the page before ended."),
    )


def _form(parts: tuple[Part, ...], *, further: bool) -> Form:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            part.name: part.schema if part.required else {"anyOf": [part.schema, {"type": "null"}]} for part in parts
        },
        "required": [part.name for part in parts if part.required],
        "additionalProperties": further,
    }
    return Form(schema, {part.name: part.example for part in parts})
