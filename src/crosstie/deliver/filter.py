"""Filters of endpoints: tests of an event's data, declared as JSON.

    {"status": "approved", "priority": ["high", "urgent"], "total.amount": {"gte": "1000"}}

A key is a field, with dots into objects. A value must be equal, a list holds what it may be, an object names operators:
`eq ne gt gte lt lte exists prefix`. Every key must hold. Numbers and decimal strings compare as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Test = Callable[[Any], bool]
MISSING = object()
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "exists", "prefix")


def faults(wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a filter: (key, message)."""
    found = []
    for key, value in wanted.items():
        if not key or any(not part for part in key.split(".")):
            found.append((key, "must be a field, with dots into objects"))
        elif isinstance(value, dict):
            unknown = [name for name in value if name not in OPERATORS]
            if unknown or not value:
                found.append((key, f"must name operators out of {', '.join(OPERATORS)}"))
        elif isinstance(value, list) and (not value or any(isinstance(each, dict | list) for each in value)):
            found.append((key, "must be a list of plain values"))
    return found


def compiled(wanted: Mapping[str, Any]) -> Test:
    """The test that a filter stands for."""
    tests = [(key.split("."), _value(value)) for key, value in wanted.items()]
    return lambda data: all(test(_at(data, path)) for path, test in tests)


def _at(data: Any, path: list[str]) -> Any:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return MISSING
        data = data[part]
    return data


def _value(wanted: Any) -> Test:
    if isinstance(wanted, dict):
        tests = [_operator(name, value) for name, value in wanted.items()]
        return lambda found: all(test(found) for test in tests)
    if isinstance(wanted, list):
        return lambda found: any(_same(found, each) for each in wanted)
    return lambda found: _same(found, wanted)


def _operator(name: str, wanted: Any) -> Test:
    if name == "exists":
        return lambda found: (found is not MISSING and found is not None) is bool(wanted)
    if name == "prefix":
        return lambda found: isinstance(found, str) and found.startswith(str(wanted))
    if name == "eq":
        return lambda found: _same(found, wanted)
    if name == "ne":
        return lambda found: not _same(found, wanted)
    return lambda found: _compared(name, found, wanted)


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _compared(name: str, found: Any, wanted: Any) -> bool:
    left, right = _number(found), _number(wanted)
    if left is None or right is None:
        if not (isinstance(found, str) and isinstance(wanted, str)):
            return False
        left, right = found, wanted  # type: ignore[assignment]  # times of RFC 3339 in UTC compare as text
    return bool({"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[name])  # type: ignore[operator]


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
