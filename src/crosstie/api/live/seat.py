"""A seat: one connection with its client, whose orders it takes one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from crosstie.access import audit
from crosstie.access.token import Grant
from crosstie.api.live import order, topic
from crosstie.api.live.client import Client
from crosstie.api.live.hub import Hub
from crosstie.api.live.order import Order
from crosstie.api.live.topic import Topic
from crosstie.errors import InsufficientScope, Invalid, Problem


@dataclass(frozen=True, slots=True)
class Seat:
    """What is needed to answer an order."""

    hub: Hub
    client: Client
    grant: Grant

    async def take(self, wanted: Order) -> None:
        """Do what an order says. Returns once the client has taken the answer; raises the Problem against all of it."""
        client = self.client
        if wanted.action == "unsubscribe":
            client.drop(wanted.topics)
            await client.tell(client.standing)
            return
        topics, faults = await self.allowed(wanted.topics)
        for name, problem in faults.items():
            await client.tell(partial(client.refusal, problem, name[:200]))
        if wanted.after is None:  # what is heard already goes on from where it is
            topics = [each for each in topics if each not in client.topics]
        if len({*topics, *client.topics}) > order.TOPICS:
            raise Invalid(f"A connection has at most {order.TOPICS} topics: open another one.")
        if not topics and faults:
            return
        place = await self.hub.place(self.grant.tenant_id, wanted.after)
        await client.tell(partial(client.standing, topics, place))
        if topics:
            client.add(dict.fromkeys(topics, place))

    async def allowed(self, names: Iterable[str]) -> tuple[list[Topic], dict[str, Problem]]:
        """The topics that may be had, and what stands against each other one. What was denied is in the audit log."""
        found, faults = [], {}
        for number, name in enumerate(names):
            try:
                each = topic.parse(name, self.hub.log.catalogue, f"/topics/{number}")
                self.client.rights.check(each)
                found.append(each)
            except Problem as problem:
                faults[name] = problem
        denied = [name for name, problem in faults.items() if isinstance(problem, InsufficientScope)]
        if denied:
            log, grant, after = self.hub.log, self.grant, {"topics": denied}
            await audit.note(
                log.app, log.cipher, grant.tenant_id, grant.actor, "stream.subscribe", outcome="denied", after=after
            )
        return found, faults
