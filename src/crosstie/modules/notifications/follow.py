"""Events become messages: a reaction to just those types of events that a tenant's rules name, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID, uuid5

from crosstie.access import setting as settings
from crosstie.db.engine import Connection
from crosstie.declare.module import Reaction
from crosstie.kit.locale import LANGUAGES
from crosstie.log.event import Event
from crosstie.log.reaction import Reactions
from crosstie.log.sink import Route
from crosstie.log.unit import Log, Unit
from crosstie.modules.notifications import audience, rule
from crosstie.modules.notifications import template as templates
from crosstie.modules.notifications.ask import Request, ask
from crosstie.modules.notifications.built import MANDATORY
from crosstie.modules.notifications.rule import Following

NAME = "notification rules"
#: tenants with a notifications service of their own
REMOTE = (
    "SELECT tenant_id FROM service_providers"
    " WHERE service = 'notifications' AND mode = 'remote' AND tenant_id = ANY ($1::uuid[])"
)


class Terms(Protocol):
    """What the sinks ask of the settings."""

    @property
    def retry_schedule(self) -> Sequence[float]: ...

    @property
    def rate_limit_messages(self) -> int:
        """Messages of one tenant and channel in a minute."""
        ...


class Rules(Reactions):
    """The sink of rules: one route per tenant. A reaction to all events would be one delivery for each there is."""

    kind = "notification_rule"

    def __init__(self, log: Log, terms: Terms) -> None:
        super().__init__(log, (), terms.retry_schedule)
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

    def _route(self, tenant: UUID, followed: Mapping[str, Following]) -> Route:
        async def run(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
            if event.type in followed:
                await follow(unit, event, data, followed[event.type])

        return Route(
            tenant_id=tenant,
            id=uuid5(tenant, NAME),
            sink=self.kind,
            wants=followed.__contains__,
            urgent=False,
            schedule=self._terms.retry_schedule,
            max_in_flight=8,
            target=Reaction(NAME, tuple(followed), run),
            name=NAME,
        )


async def follow(unit: Unit, event: Event, data: Mapping[str, Any], followed: Following) -> None:
    """The messages of an event for everybody whom its rule names."""
    said = (await settings.read(unit))["notifications"]
    known = await templates.found(unit, followed.template)
    channels = followed.channels
    if templates.spoken(known, LANGUAGES[0]).category not in MANDATORY:
        if event.type in said["muted"]:
            return
        channels = tuple(each for each in channels if each in said["channels"])
    people = await audience.told(unit, followed.audience, data, event.subject_id)
    if not people:
        people = await audience.told(unit, followed.otherwise, data, event.subject_id)
    if people and channels:
        id = f"event:{event.source or ''}:{event.event_id}"[-128:]
        await ask(unit, Request(id, followed.template, people, channels, data, event_id=event.event_id))
