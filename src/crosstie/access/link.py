"""Signed addresses: a purpose, a tenant, what it is about, until when. Nothing is stored; nothing in it is secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.link import Claim
from crosstie.declare.row import Row
from crosstie.errors import LinkExpired
from crosstie.kit import clock
from crosstie.log.unit import Cipher


def make(
    cipher: Cipher, purpose: str, tenant_id: UUID, about: Mapping[str, Any], until: datetime, holder: str | None = None
) -> str:
    """A token for one purpose, good until a moment (to the second, rounded down)."""
    return str(_signer(cipher, purpose).dumps([tenant_id.hex, about, holder, int(until.timestamp())]))


def read(cipher: Cipher, purpose: str, token: str, now: datetime) -> Claim:
    """What a token says. Raises LinkExpired, the same for one that is over, altered or made for something else."""
    try:
        tenant, about, holder, until = _signer(cipher, purpose).loads(token)
    except BadData:
        raise LinkExpired("The link has expired or was altered: ask for a new one.") from None
    if now.timestamp() >= until:
        raise LinkExpired("The link has expired or was altered: ask for a new one.")
    return Claim(UUID(hex=tenant), about, holder)


def _signer(cipher: Cipher, purpose: str) -> URLSafeSerializer:
    key = cipher.derive(f"link {purpose}")
    return URLSafeSerializer(key, salt=purpose, signer_kwargs={"key_derivation": "hmac", "digest_method": sha256})


#: how long the address of a file works: long enough to fetch it, too short to pass it on
FILE = timedelta(minutes=15)
FILES = "files"


def file(cipher: Cipher, address: str, noun: str, row: Row) -> dict[str, Any]:
    """The further fields of a record with a file: an address for its bytes, and when that ends."""
    until = (clock.now() + FILE).replace(microsecond=0)
    token = make(cipher, FILES, row.tenant_id, {"noun": noun, "id": str(row.id)}, until)
    return {"url": f"{address}/media/{token}", "url_expires_at": until}


FILE_FIELDS = (
    Field(kinds.Text(2000, format="uri"), name="url", doc="Where the bytes are, for a quarter of an hour."),
    Field(kinds.Moment(), name="url_expires_at", doc="When that address ends."),
)
