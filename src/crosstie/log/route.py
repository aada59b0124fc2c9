"""Routes in memory: who hears of what, by tenant, each with the version that the database knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.kit import json
from crosstie.log.event import Event
from crosstie.log.sink import Route, Sink

#: types that go to the endpoint that is their subject, and nowhere else
ADDRESSED = frozenset({"webhook_endpoint.test"})


class Routes:
    """The routes of tenants, loaded when first needed and again when their version moves."""

    def __init__(self, pool: asyncpg.Pool, sinks: Iterable[Sink]) -> None:
        self._pool = pool
        self.sinks = {sink.kind: sink for sink in sinks}
        self._versions: dict[UUID, int] = {}
        self._by_tenant: dict[UUID, list[Route]] = {}
        self._by_id: dict[UUID, Route] = {}

    def add(self, sink: Sink) -> None:
        """One more kind of sink, before anything is routed."""
        self.sinks[sink.kind] = sink

    def version(self, tenant_id: UUID) -> int:
        """The version of the routes at hand; one that no database has where they were dropped just now."""
        return self._versions.get(tenant_id, -1)

    def get(self, endpoint_id: UUID) -> Route | None:
        """A route by the id of its endpoint, where it is at hand."""
        return self._by_id.get(endpoint_id)

    def silent(self, tenant_id: UUID) -> bool:
        """Whether nobody hears of this tenant's events, as far as is known here."""
        return tenant_id in self._versions and not any(
            route.open and route.urgent for route in self._by_tenant.get(tenant_id, ())
        )

    def drop(self, tenant_id: UUID) -> None:
        """Forget what is known of a tenant: it has changed."""
        self._versions.pop(tenant_id, None)

    def doubt(self) -> None:
        """Any of them may have changed unheard."""
        self._versions.clear()

    def ordered(self, tenant_id: UUID) -> list[Route]:
        """The routes of a tenant that ask for order of the dispatcher."""
        return [route for route in self._by_tenant.get(tenant_id, ()) if route.ordered and not route.follows]

    async def have(self, tenants: Iterable[UUID]) -> None:
        """Make sure that routes of these tenants are at hand; they may be some moments old."""
        missing = {t for t in tenants if t not in self._versions}
        if missing:
            async with session.of_tenants(self._pool, missing) as connection:
                await self.refresh(connection, missing)

    async def refresh(self, connection: Connection, tenants: Iterable[UUID]) -> None:
        """Bring the routes of these tenants up to the database's version; the connection is set to them."""
        wanted = list(tenants)
        found = await connection.fetch(
            "SELECT tenant_id, version FROM route_versions WHERE tenant_id = ANY ($1::uuid[])", wanted
        )
        versions = dict.fromkeys(wanted, 0) | {row["tenant_id"]: row["version"] for row in found}
        stale = [tenant for tenant, version in versions.items() if self._versions.get(tenant) != version]
        if not stale:
            return
        routes = [route for sink in self.sinks.values() for route in await sink.routes(connection, stale)]
        for tenant in stale:
            for route in self._by_tenant.get(tenant, ()):
                self._by_id.pop(route.id, None)
            self._by_tenant[tenant] = [route for route in routes if route.tenant_id == tenant]
            self._by_id.update((route.id, route) for route in self._by_tenant[tenant])
            self._versions[tenant] = versions[tenant]

    def match(self, event: Event) -> Sequence[Route]:
        """The routes that want an event. Its tenant's routes must be at hand."""
        known = self._by_tenant.get(event.tenant_id, ())
        if event.type in ADDRESSED:
            return [route for route in known if str(route.id) == event.subject_id]
        wanting = [r for r in known if r.open and r.wants(event.type) and (r.echo is None or r.echo != event.source)]
        if any(route.passes for route in wanting):
            data = json.loads(event.data.encode())
            wanting = [r for r in wanting if r.passes is None or r.passes(data)]
        return wanting

    def fits(self, event: Event, route: Route) -> bool:
        """Whether one route wants an event, as a replay asks."""
        if route.echo is not None and route.echo == event.source:
            return False
        return route.wants(event.type) and (route.passes is None or route.passes(json.loads(event.data.encode())))
