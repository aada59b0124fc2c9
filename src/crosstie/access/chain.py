"""The chain of the audit log: bytes and digests. Pure; docs/reference/audit-format.md describes it for other readers.

content  = SHA-256 of the entry's fields; of its personal parts only salted digests go in, so that they can be blanked
hash     = SHA-256(previous hash, position, content)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

VERSION = b"crosstie-audit-1"
SALT = 16
#: bytes of a content digest that a checkpoint carries for each entry, to say which one was changed
MARK = 4
NOTHING = b"\xff\xff\xff\xff"
#: what an entry says did, that tells of a row which somebody else put among those to be sealed
REFUSAL = "audit-entries.refuse"


def genesis(tenant_id: UUID) -> bytes:
    """What stands for the hash before a tenant's first entry."""
    return sha256(VERSION + tenant_id.bytes).digest()


def salted(salt: bytes, value: str) -> bytes:
    """The digest of a personal part. Without the salt nobody can tell whether a guess was right."""
    return sha256(salt + value.encode()).digest()


def content(entry: Mapping[str, Any]) -> bytes:
    """The digest of what an entry says. Fields are as the columns hold them; JSON is the stored text, byte by byte."""
    parts = (
        entry["tenant_id"].bytes,
        entry["id"].bytes,
        moment(entry["at"]).encode(),
        *(_text(entry[name]) for name in ("actor_type", "actor_id", "action", "target_type", "target_id", "outcome")),
        *(_text(entry[name]) for name in ("request_id", "before", "after")),
        entry["ip_digest"],
        entry["personal_digest"],
    )
    return sha256(VERSION + b"".join(map(_part, parts))).digest()


def link(previous: bytes, position: int, content: bytes) -> bytes:
    """The hash of an entry in its place."""
    return sha256(VERSION + previous + position.to_bytes(8, "big", signed=True) + content).digest()


def erases(entry: Mapping[str, Any]) -> bool:
    """Whether an entry tells of an erasure, and so accounts for blank parts of those before it about its target."""
    return bool(entry["action"].endswith(".erase") and entry["outcome"] == "done" and entry["target_id"])


def moment(at: datetime) -> str:
    """A time, always with six decimals."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _text(value: str | None) -> bytes | None:
    return value.encode() if value is not None else None


def _part(value: bytes | None) -> bytes:
    """A part after its length in four bytes; what is null has no length."""
    return NOTHING if value is None else len(value).to_bytes(4, "big") + value
