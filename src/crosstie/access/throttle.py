"""How often somebody may guess: counted in the database for the installation, whether or not there is whom they name.

A count is taken before the guess is judged, so that guesses at the same moment are all counted. The rows know keyed
hashes alone; nobody reads them but the function that counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import sqlalchemy as sa

from crosstie.db.engine import Connection
from crosstie.declare.row import Row
from crosstie.errors import TooManyRequests
from crosstie.kit import crypto

throttles = sa.Table(
    "throttles",
    Row.metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("taken", sa.Integer, nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False, index=True),
    info={"reach": "closed"},
)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries in so many seconds for one name."""

    name: str
    most: int
    seconds: int


async def take(pool: asyncpg.Pool | Connection, pepper: bytes, limits: Sequence[Limit]) -> None:
    """Count a try under each limit. Raises TooManyRequests, which says when to come back, where one is used up."""
    wait = await pool.fetchval(
        "SELECT throttle_take($1, $2, $3)",
        [crypto.digest(pepper, limit.name) for limit in limits],
        [limit.most for limit in limits],
        [limit.seconds for limit in limits],
    )
    if wait:
        raise TooManyRequests("Too many tries: wait and try again.", headers={"Retry-After": str(wait)})


async def clear(pool: asyncpg.Pool, pepper: bytes, names: Sequence[str], refunded: str) -> None:
    """Forget the tries under these names, and the last one under another: it was right."""
    digests = [crypto.digest(pepper, name) for name in names]
    await pool.execute("SELECT throttle_clear($1, $2)", digests, crypto.digest(pepper, refunded))


def network(ip: str | None) -> str:
    """Whom an address stands for: itself, or of IPv6 the network that one household has."""
    if ip is None or ":" not in ip:
        return ip or "unknown"
    return str(ipaddress.ip_network(f"{ip.split('%')[0]}/64", strict=False))
