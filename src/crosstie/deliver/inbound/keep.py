"""Keeping requests: rows written in natural batches, one statement each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from crosstie.db.seat import Seat
from crosstie.deliver.inbound.directory import Source
from crosstie.deliver.inbound.knock import Knock, clean
from crosstie.kit import ids, mask, text
from crosstie.log.batch import Batcher

#: hears of a request: its dialect, and what became of it
Observe = Callable[[str, str], None]
#: bytes kept of the body of a request that proved nothing
UNPROVED = 65_536
PAGE = 4096
KEEP = (
    "INSERT INTO inbound_requests (tenant_id, id, source_id, received_at, status, reason, detail, event_id,"
    " provider_event_id, provider_event_type, verified, ip, headers, body, size, attempts, due_at)"
    " SELECT tenant_id, id, source_id, received_at, status, reason, detail, event_id, provider_event_id,"
    " provider_event_type, verified, ip, headers, body, size, 1, CASE WHEN status = 'pending' THEN now() END"
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],"
    " $8::text[], $9::text[], $10::text[], $11::bool[], $12::text[], $13::jsonb[], $14::bytea[], $15::bigint[])"
    " AS g (tenant_id, id, source_id, received_at, status, reason, detail, event_id, provider_event_id,"
    " provider_event_type, verified, ip, headers, body, size)"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `reason` is a word, `detail` a sentence."""

    status: str
    reason: str | None = None
    detail: str | None = None
    event_id: str | None = None
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """A request and what became of it."""

    id: UUID
    source: Source
    knock: Knock
    outcome: Outcome

    @property
    def size(self) -> int:
        """What it takes of a batch's room."""
        return 1 + len(self.knock.body) // PAGE


class Keeper:
    """Writes what is kept. One per process."""

    def __init__(self, seat: Seat, observe: Observe) -> None:
        self._seat = seat
        self.observe = observe
        self._batches: Batcher[Kept, None] = Batcher(self._flush, most=1000, abreast=1, size=lambda kept: kept.size)

    async def keep(self, source: Source, knock: Knock, outcome: Outcome, id: UUID | None = None) -> None:
        """Return once it is committed."""
        await self._batches.put(Kept(id or ids.uuid7(), source, knock, outcome))
        self.observe(source.dialect.name, outcome.status)

    async def _flush(self, batch: list[Kept]) -> Sequence[BaseException | None]:
        try:
            await self._insert(batch)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            if len(batch) == 1:
                return [error]
            return [(await self._flush([each]))[0] for each in batch]
        return [None] * len(batch)

    async def _insert(self, batch: list[Kept]) -> None:
        said = [each.source.said(each.knock) for each in batch]
        await self._seat.fetch(
            frozenset(each.source.tenant_id for each in batch),
            KEEP,
            [each.source.tenant_id for each in batch],
            [each.id for each in batch],
            [each.source.id for each in batch],
            [each.knock.at for each in batch],
            [each.outcome.status for each in batch],
            [each.outcome.reason for each in batch],
            [each.outcome.detail for each in batch],
            [each.outcome.event_id for each in batch],
            [id for id, _ in said],
            [type for _, type in said],
            [each.outcome.verified for each in batch],
            [each.knock.ip for each in batch],
            [headers(each.source, each.knock) for each in batch],
            [each.knock.body if each.outcome.verified else text.truncate(each.knock.body, UNPROVED) for each in batch],
            [len(each.knock.body) for each in batch],
        )


def headers(source: Source, knock: Knock) -> dict[str, str]:
    """Headers as they are kept: without what is a credential by its name, or by the source's options."""
    own = str(source.options.get("header", "")).lower() if source.dialect.name == "api_key" else ""
    return {
        name: mask.MASK if name == own or mask.secret(name) else clean(value) for name, value in knock.headers.items()
    }
