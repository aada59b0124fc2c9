"""News between processes: one NOTIFY per batch, never one per transaction; and the ear for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import engine
from crosstie.log.dispatch import Dispatcher
from crosstie.log.route import Routes
from crosstie.log.worker import Worker

NEWS, ROUTES = "crosstie_news", "crosstie_routes"
#: a NOTIFY carries less than 8 000 bytes
MOST = 150

logger = structlog.get_logger()


class Herald:
    """Listens for what other processes did, and tells them what this one did where nobody here works on it."""

    def __init__(
        self, pool: asyncpg.Pool, dsn: str, routes: Routes, dispatcher: Dispatcher, worker: Worker | None
    ) -> None:
        self._pool = pool
        self._dsn = dsn
        self._routes = routes
        self._dispatcher = dispatcher
        self._worker = worker
        self._news: set[UUID] = set()
        self._telling: asyncio.Task[None] | None = None

    def tell(self, tenants: Iterable[UUID]) -> None:
        """There is news for these tenants; what comes while a NOTIFY is under way goes with the next."""
        self._news.update(tenants)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while True:
            tenants = [self._news.pop() for _ in range(min(MOST, len(self._news)))]
            try:
                await self._pool.execute("SELECT pg_notify($1, $2)", NEWS, ",".join(map(str, tenants)))
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                logger.warning("herald.tell_failed", error=repr(error))  # the sweep of whoever works finds it
            if not self._news:
                return

    async def run(self) -> None:
        """Listen until cancelled; reconnect where the database went away."""
        while True:
            try:
                connection = await engine.connect(self._dsn, name="crosstie ear")
                await connection.add_listener(ROUTES, self._on_routes)
                if self._worker:
                    await connection.add_listener(NEWS, self._on_news)
                self._routes.doubt()  # what was told before we listened is lost
                try:
                    while not connection.is_closed():
                        await asyncio.sleep(5)
                        await connection.execute("SELECT 1")
                finally:
                    await connection.close(timeout=2)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                logger.warning("herald.lost", error=repr(error))
                await asyncio.sleep(1)

    def _on_news(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._dispatcher.wake(UUID(part) for part in str(payload).split(",") if part)
        if self._worker:
            self._worker.wake()

    def _on_routes(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._routes.drop(UUID(str(payload)))
        if self._worker:
            self._worker.wake()
