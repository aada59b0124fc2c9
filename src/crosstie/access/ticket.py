"""Tickets: a browser cannot send headers with a WebSocket or an EventSource, so it gets a way in that works once.

A ticket is the caller's credential, sealed, with an end a minute away. What it may do is what the credential may do
then and from then on. Nothing is stored but that a ticket was used.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa

from crosstie.access.token import CHALLENGE
from crosstie.db import session
from crosstie.declare.row import Row
from crosstie.errors import Unauthorized
from crosstie.kit import clock, crypto, ids
from crosstie.log.unit import Cipher

#: how long a ticket works
LIFE = timedelta(seconds=60)
#: characters of one that are looked at
MOST = 16_384

stream_tickets = sa.Table(
    "stream_tickets",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    info={"app": "SELECT, INSERT, DELETE"},
)
USE = """
WITH gone AS (DELETE FROM stream_tickets WHERE until < $4)
INSERT INTO stream_tickets (tenant_id, id, until) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true
"""


class Shown(NamedTuple):
    """A credential as it was shown: the token, the address it came from, the tenant it hinted at."""

    token: str | None
    ip: str | None
    hint: str | None = None


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed."""

    id: UUID
    tenant_id: UUID
    until: datetime
    token: str
    hint: str | None


class Tickets:
    """Makes and takes tickets."""

    def __init__(self, pool: asyncpg.Pool, cipher: Cipher) -> None:
        self._pool = pool
        self._key = cipher.derive("stream tickets")
        self._id = crypto.identify(self._key)
        self._place = crypto.Place(ids.FIRST, "stream_tickets", "ticket", ids.FIRST)

    def make(self, shown: Shown, tenant_id: UUID) -> tuple[str, datetime]:
        """A ticket for a credential that holds, and when it ends."""
        assert shown.token is not None
        until = (clock.now() + LIFE).replace(microsecond=0)
        content = Content(ids.uuid7(), tenant_id, until, shown.token, shown.hint)
        sealed = crypto.seal(self._key, self._id, msgspec.json.encode(content), self._place)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("="), until

    async def use(self, ticket: str, ip: str | None) -> Shown:
        """The credential behind a ticket, which is used up. Raises Unauthorized, the same whatever is wrong."""
        content = self._open(ticket)
        now = clock.now()
        if content is not None and now < content.until:
            async with session.of_tenant(self._pool, content.tenant_id) as connection:
                if await connection.fetchval(USE, content.tenant_id, content.id, content.until, now):
                    return Shown(content.token, ip, content.hint)
        raise Unauthorized("The ticket is not valid: it works once, for a minute.", headers=CHALLENGE)

    def _open(self, ticket: str) -> Content | None:
        if len(ticket) > MOST:
            return None
        try:
            sealed = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
            return msgspec.json.decode(crypto.open(self._find, sealed, self._place), type=Content)
        except ValueError:  # no base64, nothing of ours
            return None

    def _find(self, id: UUID) -> bytes:
        if id != self._id:
            raise LookupError
        return self._key
