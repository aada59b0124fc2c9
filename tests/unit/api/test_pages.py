"""Cursors: they come back as they went, belong to one list, and nobody else can make one."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from crosstie.api import pages
from crosstie.api.filters import Condition, Query, parse
from crosstie.catalog import catalogue
from crosstie.errors import InvalidCursor, UnknownParameter

CLIENTS = catalogue().resources["clients"]
KEY = b"k" * 32
MOMENTS = some.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=some.just(UTC))  # noqa: DTZ001


def cursor_of(query: Query, row: dict[str, Any], key: bytes = KEY) -> str:
    return pages.write(CLIENTS, query, row, key)


@given(id=some.uuids(), at=MOMENTS)
def test_a_moment_comes_back(id: UUID, at: datetime) -> None:
    query = Query()
    query.cursor = cursor_of(query, {"id": id, "created_at": at})
    assert pages.read(CLIENTS, query, KEY) == (at, id)


@given(id=some.uuids(), name=some.text(max_size=200))
def test_a_text_comes_back(id: UUID, name: str) -> None:
    query = Query(sort="name", descending=False)
    query.cursor = cursor_of(query, {"id": id, "name": name})
    assert pages.read(CLIENTS, query, KEY) == (name, id)


@given(id=some.uuids(), name=some.text(max_size=50), place=some.integers(0), flip=some.integers(1, 255))
def test_one_changed_byte_is_refused(id: UUID, name: str, place: int, flip: int) -> None:
    query = Query(sort="name")
    whole = cursor_of(query, {"id": id, "name": name})
    packed = bytearray(base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4)))
    packed[place % len(packed)] ^= flip
    query.cursor = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    with pytest.raises(InvalidCursor):
        pages.read(CLIENTS, query, KEY)


@given(some.text(max_size=300))
def test_no_text_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        pages.read(CLIENTS, Query(cursor=text), KEY)


@pytest.mark.parametrize(
    "other",
    [
        Query(sort="name"),
        Query(descending=False),
        Query(words=["x"]),
        Query(conditions=[Condition("kind", "eq", "firm")]),
    ],
)
def test_a_cursor_belongs_to_its_query_and_installation(other: Query) -> None:
    row = {"id": UUID(int=7), "created_at": datetime(2026, 3, 1, tzinfo=UTC), "name": "x"}
    whole = cursor_of(Query(), row)
    other.cursor = whole
    with pytest.raises(InvalidCursor):
        pages.read(CLIENTS, other, KEY)
    with pytest.raises(InvalidCursor):
        pages.read(CLIENTS, Query(cursor=whole), b"j" * 32)


@given(
    some.lists(some.tuples(some.sampled_from(("limit", "sort", "q", "kind", "fields", "x")), some.text(max_size=40)))
)
def test_parameters_never_raise_anything_but_a_refusal(pairs: list[tuple[str, str]]) -> None:
    with suppress(UnknownParameter):
        assert 1 <= parse(CLIENTS, pairs).limit <= 200
