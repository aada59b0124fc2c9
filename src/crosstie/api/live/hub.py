"""The hub of one process: who is connected, for which tenants, and whether they still may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import structlog

from crosstie.access.ticket import Shown
from crosstie.access.token import Grant, Tokens
from crosstie.api.live.client import LAST, Client, End
from crosstie.api.live.crowd import Crowd, Kind
from crosstie.api.live.tail import Tail
from crosstie.api.live.topic import Rights
from crosstie.db import session
from crosstie.db.engine import AWAY
from crosstie.errors import CursorExpired, InvalidCursor, Problem, TooManyRequests, Unavailable
from crosstie.kit import clock, ids
from crosstie.log import news, read
from crosstie.log.news import News
from crosstie.log.read import Cursor
from crosstie.log.unit import Log

#: seconds between two looks at credentials and at the log, and credentials and tenants looked at side by side
SWEEP, ABREAST = 1.0, 8
#: pages that clients which memory does not reach read from the log at once
PAGES = 3
#: tenants in one question about growth
TENANTS = 500
#: codes that a WebSocket closes with
INTERNAL, RESTART, UNAUTHORIZED, FORBIDDEN, FLOOD = 1011, 1012, 4401, 4403, 4429

logger = structlog.get_logger()


@dataclass(slots=True)
class Bearer:
    """A credential with the clients that came with it."""

    shown: Shown
    clients: set[Client] = field(default_factory=set)


class Hub:
    """One per process that serves the API."""

    def __init__(self, log: Log, tokens: Tokens, told: News, crowd: Crowd, docs: str) -> None:
        self.log = log
        self._tokens = tokens
        self._news = told
        self.crowd = crowd
        self.docs = docs
        self._tails: dict[UUID, tuple[Tail, asyncio.Task[None]]] = {}
        self._bearers: dict[Shown, Bearer] = {}
        self._pages = asyncio.Semaphore(PAGES)
        self._closing = False
        told.listen(self.wake)

    def wake(self, tenant_id: UUID) -> None:
        """The log of a tenant has grown."""
        found = self._tails.get(tenant_id)
        if found is not None:
            found[0].call()

    @asynccontextmanager
    async def joined(self, shown: Shown, grant: Grant, request_id: str, wire: Kind) -> AsyncIterator[Client]:
        """A client for one connection. Raises TooManyRequests, Unavailable."""
        if self._closing:
            raise Unavailable("This process is stopping: connect again.", headers={"Retry-After": "1"})
        with self.crowd.counted(grant, wire):
            tail = self._tail(grant.tenant_id)
            client = Client(tail, Rights(grant.actor.scopes, self.log.catalogue), self.docs, request_id)
            bearer = self._bearers.setdefault(shown, Bearer(shown))
            bearer.clients.add(client)
            tail.readers.add(client)
            try:
                yield client
            finally:
                if client.end is not None:
                    self.crowd.away[wire, client.end.reason] += 1
                self._leave(bearer, client, grant.tenant_id)

    def _tail(self, tenant_id: UUID) -> Tail:
        found = self._tails.get(tenant_id)
        if found is None:
            tail = Tail(self.log, tenant_id, self._pages)
            found = self._tails[tenant_id] = tail, asyncio.create_task(tail.run())
            self._news.want((tenant_id,))
        return found[0]

    def _leave(self, bearer: Bearer, client: Client, tenant_id: UUID) -> None:
        bearer.clients.discard(client)
        if not bearer.clients:
            self._bearers.pop(bearer.shown, None)
        tail, task = self._tails[tenant_id]
        tail.readers.discard(client)
        if not tail.readers:
            task.cancel()
            del self._tails[tenant_id]

    async def place(self, tenant_id: UUID, after: str | None) -> Cursor:
        """Where new topics begin: behind a cursor, or now. Raises InvalidCursor, CursorExpired, Unavailable."""
        tail = self._tail(tenant_id)
        await tail.fresh()
        if after is None:
            return tail.end
        place = Cursor.parse(after)
        if place != Cursor() and place != tail.end:
            await self._known(tenant_id, place)
        for _ in range(3):
            if place <= tail.end:
                return place
            await tail.fresh()  # another process has shown what this one has not read yet
        raise Unavailable("The log cannot be read up to this cursor right now.", headers={"Retry-After": "2"})

    async def _known(self, tenant_id: UUID, place: Cursor) -> None:
        async with session.of_tenant(self.log.app, tenant_id) as connection:
            if await read.kept(connection, place):
                return
            oldest = await read.oldest(connection)
        try:
            made = ids.moment(place.id)
        except ValueError:
            made = None
        if made is not None and made <= clock.now() and (oldest is None or place.id < oldest):
            raise CursorExpired("What follows this cursor is no longer kept: read anew, and subscribe without it.")
        raise InvalidCursor("The cursor is of another log: take it from a frame of this stream.")

    async def run(self) -> None:
        """Look after rights, wishes and what nobody told of, until cancelled."""
        loop = asyncio.get_running_loop()
        wished = loop.time()
        while True:
            await asyncio.sleep(SWEEP)
            try:
                for tail, _ in list(self._tails.values()):
                    tail.trim()
                if self._tails and loop.time() - wished >= news.AGAIN:
                    wished = loop.time()
                    self._news.want(list(self._tails))
                await self._look()
                await self._prove()
            except (asyncpg.PostgresError, *AWAY) as error:
                logger.warning("live.sweep_failed", error=repr(error))

    async def _look(self) -> None:
        """Wake the readers of what has grown unheard."""
        places = {tenant: tail.end for tenant, (tail, _) in self._tails.items()}
        tenants = list(places)
        for at in range(0, len(tenants), TENANTS):
            some = {tenant: places[tenant] for tenant in tenants[at : at + TENANTS]}
            async with session.of_tenants(self.log.worker, some, session.BY_KEY) as connection:
                for tenant in await read.grown(connection, some):
                    self.wake(tenant)

    async def _prove(self) -> None:
        """Whether every credential still allows what it did."""
        waiting = list(self._bearers.values())

        async def some() -> None:
            while waiting:
                await self._again(waiting.pop())

        await asyncio.gather(*(some() for _ in range(min(ABREAST, len(waiting)))))

    async def _again(self, bearer: Bearer) -> None:
        shown = bearer.shown
        try:
            grant = await self._tokens.standing(shown.token, shown.ip, shown.hint)
        except (Unavailable, TooManyRequests, *AWAY):
            return  # nobody can say right now; nor can the log be read
        except Problem as problem:
            code = FORBIDDEN if problem.status == 403 else UNAUTHORIZED
            for client in list(bearer.clients):
                client.send_away(End(code, problem))
            return
        for client in bearer.clients:
            if client.rights.scopes != grant.actor.scopes:
                client.narrow(Rights(grant.actor.scopes, self.log.catalogue))

    async def drain(self) -> None:
        """Send everybody away, to come back to another process or to this one's next: a stop loses no event."""
        self._closing = True
        for bearer in list(self._bearers.values()):
            for client in list(bearer.clients):
                client.send_away(End(RESTART))
        for _ in range(int(LAST / 0.05) + 20):
            if not self._bearers:
                return
            await asyncio.sleep(0.05)
