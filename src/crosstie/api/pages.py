"""Pages of a list: a keyset walk along (sort column, id), stable while rows are added; cursors are opaque."""

from __future__ import annotations

import base64
from datetime import date
from hashlib import blake2b
from hmac import compare_digest
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from starlette.datastructures import URL

from crosstie.api.filters import Query
from crosstie.db.statement import Statement, compiled
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record, Row
from crosstie.errors import InvalidCursor

SEAL = 12
_statements: dict[tuple[Any, ...], Statement] = {}


def statement(resource: Resource, query: Query, key: bytes) -> tuple[Statement, dict[str, Any]]:
    """The statement of a page and its values. One statement per shape of query is compiled, once."""
    values: dict[str, Any] = {"most": query.limit + 1, "noun": resource.name}
    for number, condition in enumerate(query.conditions):
        if condition.operator == "in":
            values |= {f"v{number}_{n}": value for n, value in enumerate(condition.value)}
        else:
            values[f"v{number}"] = condition.value
    for number, word in enumerate(query.words):
        values |= {f"from{number}": word, f"until{number}": word[:-1] + chr(ord(word[-1]) + 1)}
    if query.cursor:
        values["after"], values["after_id"] = read(resource, query, key)
    shape = (
        resource.name,
        tuple((c.column, c.operator, len(c.value) if c.operator == "in" else 0) for c in query.conditions),
        len(query.words),
        query.sort,
        query.descending,
        bool(query.cursor),
        values.get("after") is None,
    )
    if shape not in _statements:
        if len(_statements) > 5000:
            _statements.clear()
        _statements[shape] = compiled(_select(resource, query, null=values.get("after") is None))
    return _statements[shape], values


def _select(resource: Resource, query: Query, *, null: bool) -> sa.Select[Any]:
    table = resource.row.__table__
    select = sa.select(table)
    for number, condition in enumerate(query.conditions):
        column = table.c[condition.column]
        if condition.operator == "in":
            named = [sa.bindparam(f"v{number}_{n}", type_=column.type) for n in range(len(condition.value))]
            select = select.where(sa.or_(*(column == each for each in named)))
            continue
        value = sa.bindparam(f"v{number}", type_=column.type)
        compared = {
            "eq": column == value,
            "gte": column >= value,
            "lte": column <= value,
            "gt": column > value,
            "lt": column < value,
        }
        select = select.where(compared[condition.operator])
    tokens = Row.metadata.tables["search_tokens"]
    for number in range(len(query.words)):
        found = sa.select(tokens.c.row_id).where(
            tokens.c.noun == sa.bindparam("noun", type_=sa.Text()),
            tokens.c.token >= sa.bindparam(f"from{number}", type_=sa.Text()),
            tokens.c.token < sa.bindparam(f"until{number}", type_=sa.Text()),
        )
        select = select.where(table.c.id.in_(found))
    return _walk(resource, select, query, null=null)


def _walk(resource: Resource, select: sa.Select[Any], query: Query, *, null: bool) -> sa.Select[Any]:
    table = resource.row.__table__
    column = _column(resource, query)
    keys = [column] if column is table.c.id else [column, table.c.id]
    if query.cursor:
        select = select.where(_behind(table, column, query, null=null))
    order = [key.desc() if query.descending else key.asc() for key in keys]
    return select.order_by(*order).limit(sa.bindparam("most", type_=sa.BigInteger()))


def _behind(table: Any, column: Any, query: Query, *, null: bool) -> Any:
    """What comes after the cursor. PostgreSQL puts nulls last when rising, first when falling."""
    after_id = sa.bindparam("after_id", type_=sa.Uuid())
    further = table.c.id < after_id if query.descending else table.c.id > after_id
    if column is table.c.id:
        return further
    if null:
        rest = sa.and_(column.is_(None), further)
        return sa.or_(rest, column.is_not(None)) if query.descending else rest
    left = sa.tuple_(column, table.c.id)
    right = sa.tuple_(sa.bindparam("after", type_=column.type), after_id)
    if query.descending:
        return left < right
    return sa.or_(left > right, column.is_(None)) if column.nullable else left > right


def _column(resource: Resource, query: Query) -> Any:
    table = resource.row.__table__
    if query.sort == "created_at" and not issubclass(resource.row, Record):
        return table.c.id  # ids are UUIDv7: their order is the order of time
    return table.c[query.sort]


def write(resource: Resource, query: Query, row: Any, key: bytes) -> str:
    """The cursor after a row, sealed with the installation's key: nobody else can make one."""
    packed = msgspec.msgpack.encode([row[_column(resource, query).key], str(row["id"])])
    return base64.urlsafe_b64encode(_seal(resource, query, packed, key) + packed).decode().rstrip("=")


def read(resource: Resource, query: Query, key: bytes) -> tuple[Any, UUID]:
    """The position of a cursor. Raises InvalidCursor where it belongs to another list."""
    try:
        whole = base64.urlsafe_b64decode((query.cursor or "") + "=" * (-len(query.cursor or "") % 4))
    except ValueError:
        whole = b""
    packed = whole[SEAL:]
    if not compare_digest(whole[:SEAL], _seal(resource, query, packed, key)):
        raise InvalidCursor("Take the cursor from the page before, and keep filters and sort as they were.")
    value, id = msgspec.msgpack.decode(packed)
    return _typed(_column(resource, query), value), UUID(id)


def _typed(column: Any, value: Any) -> Any:
    wanted = column.type.python_type
    if value is not None and wanted is UUID:
        return UUID(value)
    if isinstance(value, str) and wanted is date:
        return date.fromisoformat(value)
    return value


def _seal(resource: Resource, query: Query, packed: bytes, key: bytes) -> bytes:
    mark = f"{resource.name}{query.mark()}".encode()
    return blake2b(mark + b"\0" + packed, digest_size=SEAL, key=key, person=b"cursor").digest()


def link(address: str, url: URL, cursor: str, name: str = "cursor") -> str:
    """The Link header of the next page (RFC 8288), below the address that callers use."""
    return f'<{address}{url.path}?{url.include_query_params(**{name: cursor}).query}>; rel="next"'
