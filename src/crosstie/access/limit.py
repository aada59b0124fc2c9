"""How many requests a credential may make: counted per installation, in small leased blocks.

A window of a minute has a quota. A process draws blocks of it from one row per credential and counts inside its block
in memory; a new block is drawn while the old one is half used, so that a request hardly ever waits for the database.
The first block of a window is taken on credit; so a process may overdraw a quota by one block at most.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from crosstie.db import session
from crosstie.declare.row import Row
from crosstie.errors import TooManyRequests
from crosstie.log.event import Actor

WINDOW = 60
#: blocks of a quota: what one draw takes is this part of it
BLOCKS = 20
KNOWN = 20_000

logger = structlog.get_logger()

quotas = sa.Table(
    "quotas",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("policy", sa.Text, primary_key=True),
    sa.Column("window", sa.BigInteger, nullable=False, comment="The minute that is counted."),
    sa.Column("taken", sa.BigInteger, nullable=False),
)

DRAW = """
INSERT INTO quotas AS q (tenant_id, principal, policy, "window", taken) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (tenant_id, principal, policy) DO UPDATE SET "window" = greatest(q."window", excluded."window"),
    taken = CASE WHEN q."window" >= excluded."window" THEN q.taken + excluded.taken ELSE excluded.taken END
  RETURNING taken
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a credential stands in its window: quota, what is left (of the installation's, about), seconds to go."""

    policy: str
    quota: int
    left: int
    reset: int

    def headers(self) -> dict[str, str]:
        """`RateLimit` of draft-ietf-httpapi-ratelimit-headers-11, and the older names that clients know."""
        return {
            "ratelimit-policy": f'"{self.policy}";q={self.quota};w={WINDOW}',
            "ratelimit": f'"{self.policy}";r={self.left};t={self.reset}',
            "x-ratelimit-limit": str(self.quota),
            "x-ratelimit-remaining": str(self.left),
            "x-ratelimit-reset": str(self.reset),
        }


@dataclass(slots=True)
class Purse:
    """What one process holds of one credential's window."""

    window: int
    held: int
    #: what all processes have drawn, as far as this one knows
    drawn: int
    draw: asyncio.Task[None] | None = None
    spent: bool = False


class Meter:
    """Counts the requests of credentials. One per process; `quotas` are requests per minute by policy."""

    def __init__(self, pool: asyncpg.Pool, quotas: dict[str, int]) -> None:
        self._pool = pool
        self._quotas = quotas
        self._purses: dict[tuple[UUID, str, str], Purse] = {}

    async def take(self, tenant_id: UUID, actor: Actor, policy: str) -> Standing:
        """Count one request. Raises TooManyRequests where the quota of the window is used up."""
        quota = self._quotas[policy]
        block = max(1, quota // BLOCKS)
        now = time.time()
        window, reset = int(now // WINDOW), max(1, WINDOW - int(now % WINDOW))
        key = (tenant_id, actor.principal, policy)
        purse = self._purses.get(key)
        if purse is None or purse.window != window:
            if len(self._purses) >= KNOWN:
                self._purses.clear()
            purse = self._purses[key] = Purse(window, held=block, drawn=block)
            purse.draw = asyncio.create_task(self._draw(key, purse, quota, block, credit=True))
        while purse.held < 1 and not purse.spent:
            await asyncio.shield(self._drawing(key, purse, quota, block))
        if purse.held < 1:
            headers = Standing(policy, quota, 0, reset).headers() | {"Retry-After": str(reset)}
            raise TooManyRequests(f"At most {quota} requests in {WINDOW} seconds.", headers=headers)
        purse.held -= 1
        if purse.held < block // 2 and not purse.spent:
            self._drawing(key, purse, quota, block)
        return Standing(policy, quota, max(0, quota - purse.drawn) + purse.held, reset)

    def _drawing(self, key: tuple[UUID, str, str], purse: Purse, quota: int, block: int) -> asyncio.Task[None]:
        if purse.draw is None or purse.draw.done():
            purse.draw = asyncio.create_task(self._draw(key, purse, quota, block))
        return purse.draw

    async def _draw(
        self, key: tuple[UUID, str, str], purse: Purse, quota: int, block: int, *, credit: bool = False
    ) -> None:
        tenant_id, principal, policy = key
        try:
            async with session.of_tenant(self._pool, tenant_id) as connection:
                taken = await connection.fetchval(DRAW, tenant_id, principal, policy, purse.window, block)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            # the request itself will find out that the database is away
            logger.warning("limit.draw_failed", error=repr(error))
            taken = purse.drawn + block
        purse.drawn = min(taken, quota)
        got = max(0, min(block, quota - (taken - block)))
        if not credit:
            purse.held += got
        purse.spent = got < block
