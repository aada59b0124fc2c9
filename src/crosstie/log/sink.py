"""Sinks: what a delivery goes to. A kind of sink says which routes a tenant has, and sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from crosstie.db.engine import Connection
from crosstie.log.event import Event

#: error codes of what is no fault of the receiver or the event: such attempts use up no step of the schedule
LOCAL, BROKER, RESTING = "local", "broker_away", "service_resting"
#: of the ids under which a tenant's deliveries go to a broker
BROKERS = UUID("5b0d9b1e-6f0c-4c6a-9d55-0d1f7a1c8a37")


def broker_way(tenant_id: UUID, broker: str) -> UUID:
    """The id of a tenant's way to a broker: the same in every process, without a row."""
    return uuid5(BROKERS, f"{broker} {tenant_id}")


def house_way(tenant_id: UUID) -> UUID:
    """The id of a tenant's way to the operator's own mail server."""
    return uuid5(BROKERS, f"house {tenant_id}")


@dataclass(frozen=True, slots=True)
class Route:
    """One way out for a tenant's events: which ones, how many at once, how often again."""

    tenant_id: UUID
    id: UUID
    sink: str
    wants: Callable[[str], bool]
    #: a test of the event's data; None takes all
    passes: Callable[[Any], bool] | None = None
    #: a source of events that are not sent back where they came from
    echo: str | None = None
    ordered: bool = False
    #: new events make deliveries
    open: bool = True
    #: it reads the log itself (then it is not open): the dispatcher has nothing to do with its order
    follows: bool = False
    #: the dispatcher is woken for them; where not, the sweep of a few seconds is soon enough
    urgent: bool = True
    #: deliveries are claimed; where not, they wait
    flowing: bool = True
    #: whether it can be sent to at this moment, where that changes by itself
    ready: Callable[[], bool] | None = None
    max_in_flight: int = 64
    #: nothing came through since some failure
    failing: bool = False
    #: seconds between attempts
    schedule: Sequence[float] = ()
    #: requests per seconds, or None
    rate: tuple[int, float] | None = None
    #: what the kind of sink needs to send
    target: Any = None
    #: for metrics, where there are few of the kind
    name: str = ""

    @property
    def flows(self) -> bool:
        """Whether deliveries may be leased now."""
        return self.flowing and (self.ready is None or self.ready())


@dataclass(slots=True)
class Lease:
    """A delivery that this process may attempt: `number` is the attempt, and the fencing token."""

    tenant_id: UUID
    delivery_id: UUID
    endpoint_id: UUID
    sink: str
    number: int
    event: Event
    #: attempts before the schedule was begun anew
    base: int = 0
    created_at: datetime | None = None
    lane: str | None = None
    #: which republication to a broker it is; 0 for the first sending
    round: int = 0
    #: the attempt's own place in the event's trace, where attempts are traced
    trace: str | None = None

    @property
    def place(self) -> str | None:
        """The `traceparent` that goes along."""
        return self.trace or self.event.trace


@dataclass(slots=True)
class Outcome:
    """What came of one attempt. `gone`: the receiver will never want this again."""

    ok: bool
    started_at: datetime
    duration_ms: int
    gone: bool = False
    retry_after: float | None = None
    response_status: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    request_headers: Mapping[str, str] | None = None
    response_headers: Mapping[str, str] | None = None
    response_body: bytes | None = None


@dataclass(slots=True)
class Result:
    """An outcome with what follows from it: the delivery's new status, and the wait in seconds before a retry."""

    lease: Lease
    outcome: Outcome
    status: str
    wait: float | None


class Sink(Protocol):
    """One kind of sink."""

    kind: str

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """The routes of these tenants; the connection is set to them."""
        ...

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Make one attempt. Never raises for a fault of the receiver."""
        ...

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Note what follows for the sinks themselves, in the transaction of the results; returns events to append."""
        ...
