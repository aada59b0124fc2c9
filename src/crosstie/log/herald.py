"""News between processes: one NOTIFY per batch, never one per transaction; and the ear for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import engine
from crosstie.db.engine import TROUBLE
from crosstie.kit import ids
from crosstie.log import news
from crosstie.log.dispatch import Dispatcher
from crosstie.log.news import News
from crosstie.log.route import Routes
from crosstie.log.worker import Worker

NEWS, ROUTES = "crosstie_news", "crosstie_routes"
#: a NOTIFY carries less than 8 000 bytes
MOST = 150

logger = structlog.get_logger()


class Herald:
    """Listens for what other processes did, and tells them what this one did where nobody here works on it."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        dsn: str,
        routes: Routes,
        dispatcher: Dispatcher,
        worker: Worker | None,
        news: News,
    ) -> None:
        self._pool = pool
        self._dsn = dsn
        self._routes = routes
        self._dispatcher = dispatcher
        self._worker = worker
        self._live = news
        self._live.send = self.send
        #: by which a process knows its own words
        self._name = ids.random62(8)
        self._due: dict[str, set[UUID]] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}

    def tell(self, tenants: Iterable[UUID]) -> None:
        """There is news for the dispatcher of these tenants."""
        self.send(NEWS, tenants)

    def send(self, channel: str, tenants: Iterable[UUID]) -> None:
        """Tell other processes; what comes while a NOTIFY is under way goes with the next."""
        self._due.setdefault(channel, set()).update(tenants)
        telling = self._telling.get(channel)
        if telling is None or telling.done():
            self._telling[channel] = asyncio.create_task(self._tell(channel))

    async def _tell(self, channel: str) -> None:
        due = self._due[channel]
        while True:
            tenants = ",".join(str(due.pop()) for _ in range(min(MOST, len(due))))
            words = tenants if channel == NEWS else f"{self._name}:{tenants}"
            try:
                await self._pool.execute("SELECT pg_notify($1, $2)", channel, words)
            except TROUBLE as error:
                logger.warning("herald.tell_failed", error=repr(error))  # a sweep of whoever waits for it finds it
            if channel == news.LIVE:
                await asyncio.sleep(news.REST)
            if not due:
                return

    async def close(self) -> None:
        """Say what is still to be said, before the connections go."""
        await asyncio.gather(*self._telling.values(), return_exceptions=True)

    async def run(self) -> None:
        """Listen until cancelled; reconnect where the database went away."""
        while True:
            try:
                connection = await engine.connect(self._dsn, name="crosstie ear")
                await connection.add_listener(ROUTES, self._on_routes)
                if self._worker:
                    await connection.add_listener(NEWS, self._on_news)
                for channel in (news.LIVE, news.WANTED):
                    await connection.add_listener(channel, self._on_live)
                self._routes.doubt()  # what was told before we listened is lost
                try:
                    while not connection.is_closed():
                        await asyncio.sleep(5)
                        await connection.execute("SELECT 1")
                finally:
                    await connection.close(timeout=2)
            except (*TROUBLE, TimeoutError) as error:
                logger.warning("herald.lost", error=repr(error))
                await asyncio.sleep(1)

    def _on_news(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._dispatcher.wake(UUID(part) for part in str(payload).split(",") if part)
        if self._worker:
            self._worker.wake()

    def _on_live(self, connection: object, pid: int, channel: str, payload: object) -> None:
        name, _, tenants = str(payload).partition(":")
        if name != self._name:
            self._live.heard(channel, [UUID(part) for part in tenants.split(",") if part])

    def _on_routes(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._routes.drop(UUID(str(payload)))
        if self._worker:
            self._worker.wake()
