"""A connection of its own for whoever writes batch after batch: one round trip each, where a transaction takes three.

The tenants stay set from one statement to the next, and every statement is a transaction by itself. The connection
never comes from a pool and never goes into one, so that nobody else meets the tenants it was left with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg


class Seat:
    """Opened when it is first needed, and again when it was lost. For one statement at a time."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection | None = None
        self._tenants: frozenset[UUID] = frozenset()

    async def fetch(self, tenants: frozenset[UUID], query: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of one statement that sees exactly these tenants, committed."""
        connection = self._connection
        if connection is None or connection.is_closed():
            self._tenants = frozenset()
            connection = self._connection = await self._connect()
        if tenants != self._tenants:
            listed = ",".join(sorted(str(UUID(int=tenant.int)) for tenant in tenants))
            self._tenants = frozenset()  # unknown, until the database has said so
            await connection.execute(f"SELECT set_config('app.tenants', '{{{listed}}}', false)")
            self._tenants = tenants
        rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        return rows

    async def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            await self._connection.close(timeout=5)
