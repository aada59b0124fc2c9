"""Audiences: who is told of an event. Ids in events may be ours or those of the system that keeps the people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crosstie.db.statement import Statement
from crosstie.errors import NotFound
from crosstie.kit import ids
from crosstie.log.unit import Unit

#: role:owner · user:approver_id · email:contact.email · phone:customer.phone · client:customer_id
AUDIENCE = r"^(role|user|email|phone|client):[A-Za-z0-9_.-]{1,100}$"
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
#: people that one event tells
MOST = 1000


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message is for: a user, or addresses by channel."""

    user_id: UUID | None = None
    client_id: UUID | None = None
    addresses: tuple[tuple[str, str], ...] = ()


_USERS = Statement(
    "SELECT id, email, phone FROM users WHERE status = 'active' AND (id = ANY ($1::uuid[])"
    " OR subject = ANY ($2::text[]) OR email = ANY ($2::text[])) ORDER BY id LIMIT 1000",
    ["ids", "words"],
)
_ROLE = Statement(
    "SELECT id, email, phone FROM users WHERE status = 'active'"
    " AND (role = $1::text OR further_roles @> to_jsonb($1::text)) ORDER BY id LIMIT 1000",
    ["role"],
)


async def users(unit: Unit, named: Sequence[str]) -> list[Recipient]:
    """The active users whom these ids, ids at their issuer, or addresses name."""
    words = [each.lower() if "@" in each else each for each in named]
    rows = await unit.fetch(_USERS, ids=[id for id in map(_id, words) if id is not None], words=words)
    return [_user(dict(row)) for row in rows]


async def told(unit: Unit, audience: Sequence[str], data: Mapping[str, Any], subject: str | None) -> list[Recipient]:
    """Everybody whom an audience names, each once."""
    found: dict[Any, Recipient] = {}
    for each in audience:
        kind, _, word = each.partition(":")
        for recipient in await _one(unit, kind, word, data, subject):
            found.setdefault(recipient.user_id or recipient.addresses, recipient)
    return list(found.values())[:MOST]


async def _one(unit: Unit, kind: str, word: str, data: Mapping[str, Any], subject: str | None) -> list[Recipient]:
    if kind == "role":
        return [_user(dict(row)) for row in await unit.fetch(_ROLE, role=word)]
    if kind == "user":
        return await users(unit, [subject] if word == "subject" and subject else list(values(data, word)))
    if kind == "client":
        return [client for named in values(data, word) if (client := await _client(unit, named)) is not None]
    channel = {"email": ("email",), "phone": ("sms", "whatsapp")}[kind]
    return [
        Recipient(addresses=tuple((each, value) for each in channel))
        for value in values(data, word)
        if kind == "phone" or EMAIL.fullmatch(value)
    ]


def values(data: Any, path: str) -> Iterator[str]:
    """The texts at a path such as employees.email; a list on the way is walked."""
    if isinstance(data, list):
        for each in data[:MOST]:
            yield from values(each, path)
    elif not path:
        if isinstance(data, str) and data.strip():
            yield data.strip()
    elif isinstance(data, Mapping):
        name, _, rest = path.partition(".")
        yield from values(data.get(name), rest)


async def _client(unit: Unit, named: str) -> Recipient | None:
    """A client of the firm, by its id."""
    resource = unit.log.catalogue.singulars.get("client")
    id = _id(named)
    if resource is None or id is None:
        return None
    try:
        row = (await unit.get(resource.row, id)).__dict__
    except NotFound:
        return None
    ways = (("email", row.get("email")), ("sms", row.get("phone")), ("whatsapp", row.get("phone")))
    return Recipient(None, id, tuple((channel, value) for channel, value in ways if value))


def _user(row: Mapping[str, Any]) -> Recipient:
    ways = (("email", row["email"]), ("sms", row["phone"]), ("whatsapp", row["phone"]), ("in_app", str(row["id"])))
    return Recipient(row["id"], None, tuple((channel, value) for channel, value in ways if value))


def _id(word: str) -> UUID | None:
    try:
        return ids.parse(word)
    except ValueError:
        return None
