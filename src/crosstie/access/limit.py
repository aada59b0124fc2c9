"""How many requests a credential, a tenant and an address may make: counted per installation, in small leased blocks.

A window of a minute has a quota. A process draws blocks of it from one row per counted party and counts in its block
in memory; a new block is drawn while the old one is half used, so that a request hardly ever waits for the database.
The first block of a window is taken on credit; so a process may overdraw a quota by one block at most. For an address
the credit is settled only when its block is half used: strangers who come once cost the database nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from crosstie.access import throttle
from crosstie.db import session
from crosstie.db.engine import TROUBLE
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
#: addresses of minutes that are over, a few at a time
SWEEP = """
DELETE FROM quotas WHERE (tenant_id, principal, policy) IN (
  SELECT tenant_id, principal, policy FROM quotas WHERE "window" < $1 LIMIT 20 FOR UPDATE SKIP LOCKED)
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
    """What one process holds of one party's window."""

    window: int
    held: int
    #: what all processes have drawn, as far as this one knows
    drawn: int
    #: the part of that which the database has not been told yet
    owed: int
    draw: asyncio.Task[None] | None = None
    spent: bool = False


#: tenant, who is counted within it, policy
Key = tuple[UUID, str, str]
#: the tenant of addresses, under which nothing else is kept
NOWHERE = UUID(int=0)


class Meter:
    """Counts requests. One per process; `quotas` are requests per minute by policy."""

    def __init__(self, pool: asyncpg.Pool, quotas: dict[str, int]) -> None:
        self._pool = pool
        self._quotas = quotas
        self._purses: dict[Key, Purse] = {}

    async def take(self, tenant_id: UUID, actor: Actor, policy: str) -> Standing:
        """Count one request of a credential, and of its tenant; answers where the scarcer of the two stands.

        Raises TooManyRequests where a quota of the window is used up.
        """
        own = await self._count((tenant_id, actor.principal, policy))
        if "tenant" not in self._quotas:
            return own
        whole = await self._count((tenant_id, "", "tenant"))
        return whole if whole.left < own.left else own

    async def stranger(self, ip: str | None, policy: str) -> Standing:
        """Count one request without a valid credential by the address it came from."""
        return await self._count((NOWHERE, throttle.network(ip), policy))

    def refuse(self, ip: str | None, policy: str) -> None:
        """Raise TooManyRequests where an address has used up its quota. Counts nothing."""
        purse = self._purses.get((NOWHERE, throttle.network(ip), policy))
        if purse is not None and purse.held < 1 and purse.spent and purse.window == int(time.time() // WINDOW):
            raise self._over(policy)

    async def _count(self, key: Key) -> Standing:
        policy = key[2]
        quota = self._quotas[policy]
        block = max(1, quota // BLOCKS)
        now = time.time()
        window, reset = int(now // WINDOW), max(1, WINDOW - int(now % WINDOW))
        purse = self._purses.get(key)
        if purse is None or purse.window != window:
            if len(self._purses) >= KNOWN:
                self._purses.clear()
            purse = self._purses[key] = Purse(window, held=block, drawn=block, owed=block)
            if key[0] != NOWHERE:
                self._drawing(key, purse, quota, 0)
        while purse.held < 1 and not purse.spent:
            await asyncio.shield(self._drawing(key, purse, quota, block))
        if purse.held < 1:
            raise self._over(policy)
        purse.held -= 1
        if purse.held < block // 2 and not purse.spent:
            self._drawing(key, purse, quota, block)
        return Standing(policy, quota, max(0, quota - purse.drawn) + purse.held, reset)

    def _over(self, policy: str) -> TooManyRequests:
        reset = max(1, WINDOW - int(time.time() % WINDOW))
        quota = self._quotas[policy]
        headers = Standing(policy, quota, 0, reset).headers() | {"Retry-After": str(reset)}
        return TooManyRequests(f"At most {quota} requests in {WINDOW} seconds.", headers=headers)

    def _drawing(self, key: Key, purse: Purse, quota: int, block: int) -> asyncio.Task[None]:
        if purse.draw is None or purse.draw.done():
            purse.draw = asyncio.create_task(self._draw(key, purse, quota, block))
        return purse.draw

    async def _draw(self, key: Key, purse: Purse, quota: int, block: int) -> None:
        tenant_id, principal, policy = key
        owed, purse.owed = purse.owed, 0
        try:
            async with session.of_tenant(self._pool, tenant_id) as connection:
                taken = await connection.fetchval(DRAW, tenant_id, principal, policy, purse.window, block + owed)
                if tenant_id == NOWHERE:
                    await connection.execute(SWEEP, purse.window)
        except (*TROUBLE, TimeoutError) as error:
            # the request itself will find out that the database is away
            logger.warning("limit.draw_failed", error=repr(error))
            taken = purse.drawn + block
        purse.drawn = min(taken, quota)
        got = max(0, min(block, quota - (taken - block)))
        purse.held += got
        purse.spent = taken > quota
