"""Pulses: what became of the calls to each integration, counted in memory and written every few seconds.

Health, alerts and quantiles follow from them. A process that is killed takes at most one pulse with it; the attempts
themselves are in the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import JSONB

from crosstie.db import session
from crosstie.db.engine import TROUBLE
from crosstie.declare.row import Row
from crosstie.kit import ids
from crosstie.log.call import Asked
from crosstie.log.sink import Result, Route
from crosstie.watch import sketch

#: seconds between two writes: as much may be missing after a crash
EVERY = 5.0
#: milliseconds from which a call counts as slow, beside those that ran into their time limit
SLOW = 10_000
#: the kinds of sinks that lead to another system, and what they are as an integration
KINDS = {"webhook": "webhook_endpoint", "broker": "broker"}

logger = structlog.get_logger()
MOMENT = sa.DateTime(timezone=True)

pulses = sa.Table(
    "pulses",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("integration_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("ok", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("slow", sa.Integer, nullable=False),
    sa.Column("streak", sa.Integer, nullable=False, comment="Failures after the last success."),
    sa.Column("ok_at", MOMENT),
    sa.Column("failed_at", MOMENT),
    sa.Column("error", sa.Text),
    sa.Column("spread", JSONB, nullable=False, comment="Calls by bucket of their duration."),
    sa.Index("ix_pulses_at", "tenant_id", "at"),
    info={"reach": "batch", "app": "SELECT", "batch": "SELECT, INSERT"},
)
WRITE = """
INSERT INTO pulses (tenant_id, id, integration_id, kind, name, ok, failed, slow, streak, ok_at, failed_at, error,
    spread)
  SELECT t, i, g, k, n, o, f, s, r, to_timestamp(good), to_timestamp(bad), e, d
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[], $8::int[],
      $9::int[], $10::float8[], $11::float8[], $12::text[], $13::jsonb[])
      AS p (t, i, g, k, n, o, f, s, r, good, bad, e, d)
"""


@dataclass(slots=True)
class Pulse:
    """The calls to one integration since the last write."""

    kind: str
    name: str
    ok: int = 0
    failed: int = 0
    slow: int = 0
    streak: int = 0
    #: when a call last went well, and failed: seconds since the epoch
    ok_at: float | None = None
    failed_at: float | None = None
    error: str | None = None
    spread: dict[int, int] = field(default_factory=dict)

    def note(self, milliseconds: float, error: str | None) -> None:
        """One more call that is over, well where there is no `error`."""
        at = time.time()
        if error is None:
            self.ok, self.streak, self.ok_at = self.ok + 1, 0, at
        else:
            self.failed, self.streak, self.failed_at, self.error = self.failed + 1, self.streak + 1, at, error
        self.slow += milliseconds >= SLOW or error == "timeout"
        bucket = sketch.bucket(milliseconds)
        self.spread[bucket] = self.spread.get(bucket, 0) + 1

    def follow(self, later: Pulse) -> None:
        """Add what came after it."""
        self.streak = later.streak + (0 if later.ok else self.streak)
        self.ok, self.failed, self.slow = self.ok + later.ok, self.failed + later.failed, self.slow + later.slow
        self.ok_at, self.failed_at = later.ok_at or self.ok_at, later.failed_at or self.failed_at
        self.error = later.error or self.error
        for bucket, count in later.spread.items():
            self.spread[bucket] = self.spread.get(bucket, 0) + count


Key = tuple[UUID, UUID]


class Pulses:
    """Counts the calls of one process: whoever calls another system tells `call`, the worker `attempted`."""

    def __init__(self, pool: asyncpg.Pool, route: Callable[[UUID], Route | None], every: float = EVERY) -> None:
        self._pool = pool
        self._route = route
        self._every = every
        self._open: dict[Key, Pulse] = {}

    def attempted(self, result: Result) -> None:
        """A recorded attempt of a delivery."""
        lease, outcome = result.lease, result.outcome
        kind = KINDS.get(lease.sink)
        if kind is None:
            return
        error = None if outcome.ok else outcome.error_code or "failed"
        route = self._route(lease.endpoint_id)
        name = route.name if route else ""
        self.call(lease.tenant_id, lease.endpoint_id, kind, name, outcome.duration_ms, error)

    def call(self, tenant_id: UUID, id: UUID, kind: str, name: str, milliseconds: float, error: str | None) -> None:
        """A call of a tenant to an integration that is over."""
        pulse = self._open.get((tenant_id, id))
        if pulse is None:
            pulse = self._open[(tenant_id, id)] = Pulse(kind, name)
        pulse.note(milliseconds, error)

    def asked(self, asked: Asked) -> None:
        """A request to a remote service; where it was left in peace, there was none."""
        if asked.number:
            service, error = asked.operation.partition(".")[0], None if asked.ok else asked.outcome
            self.call(asked.tenant_id, asked.provider_id, "service", service, asked.seconds * 1000, error)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted since the last time; it is kept where the database is away."""
        taken, self._open = self._open, {}
        if not taken:
            return
        each = list(taken.values())
        try:
            async with session.of_tenants(self._pool, {tenant for tenant, _ in taken}) as connection:
                await connection.execute(
                    WRITE,
                    [tenant for tenant, _ in taken],
                    [ids.uuid7() for _ in taken],
                    [id for _, id in taken],
                    *([getattr(pulse, name) for pulse in each] for name in NAMES),
                    [{str(number): count for number, count in pulse.spread.items()} for pulse in each],
                )
        except (*TROUBLE, TimeoutError) as error:
            logger.warning("pulse.failed", error=repr(error))
            for key, later in self._open.items():
                if key in taken:
                    taken[key].follow(later)
                else:
                    taken[key] = later
            self._open = taken


NAMES = ("kind", "name", "ok", "failed", "slow", "streak", "ok_at", "failed_at", "error")
