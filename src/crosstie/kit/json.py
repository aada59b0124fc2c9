"""JSON at the edge: a strict reader for what strangers send, one writer for what leaves.

The reader refuses what parsers disagree about (RFC 8259 §4, §6, §8.2): duplicate names, NaN and infinities, lone
surrogates, numbers nobody can hold. It refuses NUL because PostgreSQL cannot store it, and it is bounded in depth,
in names per object and in the size of numbers, so that no later step meets a value it cannot bear.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import jiter
import msgspec

DEPTH = 64
"""Levels of nesting: `[]` is one level, `[[]]` two."""
NAMES = 10_000
"""Members of one object."""
DIGITS = 34
"""Digits of one number, as many as an IEEE 754 decimal128 holds."""
EXPONENT = 308
"""Largest power of ten of a number, up or down: about the range of an IEEE 754 double."""

_TOO_BIG = 10**DIGITS
_ESCAPED_NUL = b"\\u0000"


class BadJson(ValueError):
    """The text is not JSON (no `pointer`), or well-formed but refused: then `pointer` (RFC 6901) names the place.

    A U+0000 in a name stands as U+FFFD in the pointer, so that a database can keep the answer.
    """

    def __init__(self, message: str, pointer: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer


class _Fault(NamedTuple):
    message: str
    path: list[str | int]
    """From the fault outwards."""


def loads(body: bytes, depth: int = DEPTH) -> Any:
    """Read UTF-8 JSON into dict, list, str, int, Decimal (any number with a fraction or exponent), bool and None.

    `depth` is at most 200, the parser's own limit. Raises `BadJson`.
    """
    try:
        value = jiter.from_json(
            body,
            allow_inf_nan=False,
            cache_mode="keys",  # values may be secrets: they must not stay in a cache of the process
            catch_duplicate_keys=True,
            float_mode="decimal",
        )
    except ValueError as error:
        raise BadJson(_reason(str(error))) from None
    fault = _fault(value, depth, _ESCAPED_NUL in body)
    if fault is not None:
        raise BadJson(fault.message, pointer(reversed(fault.path)).replace("\0", "\ufffd"))
    return value


def _reason(message: str) -> str:
    if message.startswith("Internal error"):
        return "number out of range"
    return message if len(message) <= 200 else f"{message[:80]} … {message[-80:]}"


def _fault(value: Any, depth: int, nul: bool) -> _Fault | None:
    """Find the first value that is well-formed but refused; `nul` says whether strings have to be looked at.

    Every value is walked: that takes less time than a search of the bytes that could show the walk to be needless.
    """
    kind = type(value)
    if kind is dict:
        if depth < 1:
            return _Fault("nested too deeply", [])
        if len(value) > NAMES:
            return _Fault(f"more than {NAMES} names in one object", [])
        members = value.items()
    elif kind is list:
        if depth < 1:
            return _Fault("nested too deeply", [])
        members = enumerate(value)
    else:
        return _leaf(value)
    for name, item in members:
        kind = type(item)
        if kind is str and not nul:
            continue
        fault = _fault(item, depth - 1, nul) if kind is dict or kind is list else _leaf(item)
        if fault is None and nul and "\0" in str(name):
            fault = _Fault("the character U+0000 is not accepted", [])
        if fault is not None:
            fault.path.append(name)
            return fault
    return None


def _leaf(value: Any) -> _Fault | None:
    kind = type(value)
    if kind is str:
        if "\0" in value:
            return _Fault("the character U+0000 is not accepted", [])
    elif kind is int:
        if not -_TOO_BIG < value < _TOO_BIG:
            return _Fault(f"a number has more than {DIGITS} digits", [])
    elif kind is Decimal:
        if abs(value.adjusted()) > EXPONENT:
            return _Fault("number out of range", [])
        if len(value.as_tuple().digits) > DIGITS:
            return _Fault(f"a number has more than {DIGITS} digits", [])
    return None


_encode = msgspec.json.Encoder(decimal_format="number", uuid_format="canonical").encode


def dumps(value: Any) -> bytes:
    """Write compact UTF-8 JSON: Decimal as a number, UUID in its canonical form, datetime (aware, UTC) as RFC 3339 `Z`.

    Raises ValueError for a Decimal that is not finite and for lone surrogates, TypeError for an unknown type.
    """
    body = _encode(value)
    if b"NaN" in body or b"Infinity" in body:
        try:
            jiter.from_json(body, allow_inf_nan=False, cache_mode="none")
        except ValueError:
            raise ValueError("a number that is not finite has no JSON form") from None
    return body


def raw(body: bytes) -> msgspec.Raw:
    """Mark bytes that are JSON already, so that `dumps` puts them into a larger value as they are."""
    return msgspec.Raw(body)


def pointer(parts: Iterable[str | int]) -> str:
    """Build a JSON Pointer (RFC 6901): `["items", 0, "a/b"]` becomes `/items/0/a~1b`, no parts become ``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
