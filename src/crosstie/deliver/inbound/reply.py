"""Answers that a provider gives later: each question has an address of its own, signed, told to nobody but him."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from uuid import UUID

import asyncpg

from crosstie.access import link
from crosstie.db import session
from crosstie.errors import LinkExpired, NotFound
from crosstie.kit import clock
from crosstie.log.unit import Cipher

PURPOSE = "inbound answers"
#: how long an answer may take, and bytes of it that are kept
GOOD, LARGEST = timedelta(days=2), 65_536
#: what M-Pesa wants in no address
WORDS = ("mpesa", "m-pesa", "safaricom", "sql", "query", "exe", "cmd")
#: one answer to each question, the newest first; a look that is under way may not have written its question down yet
TAKE = (
    "UPDATE inbound_requests SET answer = $4, answered = $3::bigint,"
    " due_at = CASE WHEN (asked ->> 'number')::bigint = $3::bigint THEN least(due_at, now()) ELSE due_at END"
    " WHERE tenant_id = $1::uuid AND id = $2::uuid AND status = 'pending' AND coalesce(answered, 0) < $3::bigint"
    " AND coalesce((asked ->> 'number')::bigint, 0) <= $3::bigint"
)


class Replies:
    """Makes such addresses, and takes what comes there. One per process."""

    def __init__(self, pool: asyncpg.Pool, cipher: Cipher, address: str) -> None:
        self._pool = pool
        self._cipher = cipher
        self._address = address

    def address(self, tenant_id: UUID, id: UUID, number: int) -> str:
        """Where the answer to the question of one look at a request is to come."""
        until = clock.now() + GOOD
        for seconds in count():
            about = {"r": id.hex, "n": number}
            token = link.make(self._cipher, PURPOSE, tenant_id, about, until + timedelta(seconds=seconds))
            if not any(word in token.lower() for word in WORDS):
                break
        return f"{self._address}/hooks/{token}"

    async def take(self, token: str, body: bytes) -> None:
        """Keep an answer. Raises NotFound where the address is none of ours; one that is too late is let go."""
        try:
            claim = link.read(self._cipher, PURPOSE, token, clock.now())
        except LinkExpired:
            raise NotFound("There is nothing at this address.") from None
        values = claim.tenant_id, UUID(hex=claim.about["r"]), claim.about["n"], body[:LARGEST]
        async with session.of_tenants(self._pool, {claim.tenant_id}) as connection:
            await connection.execute(TAKE, *values)
