"""The sink of rules: events become messages. What follows from an event is decided once, in a Unit of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID, uuid5

from crosstie.access import setting as settings
from crosstie.db.engine import TROUBLE, Connection
from crosstie.errors import Problem
from crosstie.kit import clock, json
from crosstie.log.event import Actor, Event
from crosstie.log.sink import Lease, Outcome, Result, Route
from crosstie.log.unit import Log, Unit
from crosstie.modules.notifications import audience, rule
from crosstie.modules.notifications import template as templates
from crosstie.modules.notifications.ask import Request, ask
from crosstie.modules.notifications.built import LOCALES, MANDATORY

#: tenants with a notifications service of their own
REMOTE = (
    "SELECT tenant_id FROM service_providers"
    " WHERE service = 'notifications' AND mode = 'remote' AND tenant_id = ANY ($1::uuid[])"
)
ACTOR = Actor("system", "notifications", frozenset("*"))


class Terms(Protocol):
    """What the sinks ask of the settings."""

    @property
    def retry_schedule(self) -> Sequence[float]: ...

    @property
    def rate_limit_messages(self) -> int:
        """Messages of one tenant and channel in a minute."""
        ...


class Rules:
    """Events become messages. One route per tenant, for the types that its rules name and no others."""

    kind = "notification_rule"

    def __init__(self, log: Log, terms: Terms) -> None:
        self._log = log
        self._terms = terms

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """A route per tenant."""
        rows = await connection.fetch("SELECT * FROM notification_rules WHERE tenant_id = ANY ($1::uuid[])", tenants)
        elsewhere = {row["tenant_id"] for row in await connection.fetch(REMOTE, tenants)}
        found = []
        for tenant in tenants:
            own = [row for row in rows if row["tenant_id"] == tenant]
            found.append(self._route(tenant, rule.following(own, remote=tenant in elsewhere)))
        return found

    def _route(self, tenant: UUID, followed: dict[str, rule.Following]) -> Route:
        return Route(
            tenant_id=tenant,
            id=uuid5(tenant, "notification rules"),
            sink=self.kind,
            wants=followed.__contains__,
            urgent=False,
            schedule=self._terms.retry_schedule,
            max_in_flight=8,
            target=followed,
            name="notification rules",
        )

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Make the messages that follow. Done twice, it makes none the second time."""
        started, begun = clock.now(), time.perf_counter()
        event, followed = lease.event, route.target.get(lease.event.type)
        code = words = None
        try:
            if followed is not None:
                async with self._log.unit(
                    lease.tenant_id,
                    ACTOR,
                    correlation_id=event.correlation_id,
                    causation_id=event.event_id,
                    trace=lease.place,
                ) as unit:
                    await follow(unit, event, followed)
        except Problem as problem:
            code, words = problem.code, problem.detail
        except TROUBLE as error:
            code, words = "database", type(error).__name__
        duration = round((time.perf_counter() - begun) * 1000)
        return Outcome(code is None, started, duration, error_code=code, error_message=words)

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Nothing follows but the record."""
        return ()


async def follow(unit: Unit, event: Event, followed: rule.Following) -> None:
    """The messages of an event for everybody whom its rule names."""
    said = (await settings.read(unit))["notifications"]
    known = await templates.found(unit, followed.template)
    channels = followed.channels
    if templates.spoken(known, LOCALES[0]).category not in MANDATORY:
        if event.type in said["muted"]:
            return
        channels = tuple(each for each in channels if each in said["channels"])
    data = json.loads(event.data.encode())
    people = await audience.told(unit, followed.audience, data, event.subject_id)
    if not people:
        people = await audience.told(unit, followed.otherwise, data, event.subject_id)
    if people and channels:
        id = f"event:{event.source or ''}:{event.event_id}"[-128:]
        await ask(unit, Request(id, followed.template, people, channels, data, event_id=event.event_id))
