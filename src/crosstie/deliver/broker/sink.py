"""The sink of brokers: every tenant that a broker is for has a way to it, without a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from crosstie.db.engine import Connection
from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.broker import Broker
from crosstie.deliver.broker.line import Away, Outgoing, Refused
from crosstie.deliver.broker.roster import Roster
from crosstie.kit import clock, text
from crosstie.log.event import Event
from crosstie.log.sink import BROKER, Lease, Outcome, Result, Route

#: an address, whether it can be sent to now, and the broker where this process serves it
Way = tuple[Address, Callable[[], bool], Broker | None]


class Terms(Protocol):
    """What the sink asks of the settings."""

    @property
    def retry_schedule(self) -> Sequence[float]:
        """Seconds between attempts."""
        ...

    @property
    def broker_out(self) -> str:
        """The template of what goes out."""
        ...

    @property
    def broker_in(self) -> str:
        """The template of what comes in."""
        ...


class Brokers:
    """Sends events to the brokers of the settings."""

    kind = "broker"

    def __init__(self, brokers: Sequence[Broker], terms: Terms, roster: Roster) -> None:
        self.brokers = brokers
        self._terms = terms
        self._roster = roster

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """One way per tenant and broker that is for it. Those of a suspended tenant wait."""
        # what only others serve is theirs to send: this process does no more than write it down
        ways: list[Way] = [(broker.address, broker.ready, broker) for broker in self.brokers]
        ways += [(address, _never, None) for address in self._roster.others]
        if not ways:
            return []
        wants = {address.name: text.matcher(address.types) for address, *_ in ways}
        rows = await connection.fetch(
            "SELECT tenant_id, slug, status FROM tenants WHERE tenant_id = ANY ($1::uuid[])", list(tenants)
        )
        return [
            Route(
                tenant_id=row["tenant_id"],
                id=address.route(row["tenant_id"]),
                sink=self.kind,
                wants=wants[address.name],
                ordered=True,
                open=False,
                follows=True,
                # where both ways have the same names, what goes back would be its sender's own event once more
                echo=address.source if self._terms.broker_out == self._terms.broker_in else None,
                flowing=row["status"] == "active",
                ready=ready,
                schedule=self._terms.retry_schedule,
                target=broker,
                name=address.name,
            )
            for row in rows
            for address, ready, broker in ways
            if address.allows(row["slug"])
        ]

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Hand one event over and wait for the confirm."""
        started, loop = clock.now(), asyncio.get_running_loop()
        began = loop.time()
        broker: Broker = route.target
        code = message = None
        try:
            await broker.send(Outgoing(lease.event, lease.round, lease.place))
        except Away as error:
            code, message = BROKER, str(error)
        except Refused as error:
            code, message = error.args[0], str(error)
        took = int((loop.time() - began) * 1000)
        refused = code not in (None, BROKER)
        return Outcome(code is None, started, took, gone=refused, error_code=code, error_message=message)

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """A broker's state is its connection: nothing to note."""
        return ()


def _never() -> bool:
    return False
