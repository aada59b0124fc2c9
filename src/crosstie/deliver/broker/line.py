"""The contract of a line to a broker: what the rest of the house asks of NATS, RabbitMQ and Celery alike.

tests/contract/broker is its suite; every line inherits it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from crosstie.errors import CrosstieError
from crosstie.log.event import Event

#: events under way to one broker at once, and seconds that it has to confirm one
WINDOW, CONFIRM = 256, 10.0
#: messages taken at once from a broker, and from one connection before they are acknowledged
BATCH, PREFETCH = 100, 400
ORIGIN = "Crosstie-Origin"


class Away(CrosstieError):
    """The broker is not there, or has no room, or did not confirm: try later. It may have stored the event."""


class Refused(CrosstieError):
    """The broker will never take this event. The first argument is a word for the cause."""


@dataclass(frozen=True, slots=True)
class Names:
    """The two templates of the settings, and what follows from them."""

    out: str = "crosstie.out.{event_type}"
    into: str = "crosstie.in.{event_type}"
    #: address of this installation: what bears it comes from here
    origin: str = ""
    #: first words of the types that outside systems send
    domains: tuple[str, ...] = ()


def prefix(template: str) -> str:
    """What stands before the type in a template, without its last dot: an exchange, a stream; '' where it is bare."""
    return template.removesuffix("{event_type}").rstrip(".")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way out. `round` counts its republications, `trace` is its `traceparent`."""

    event: Event
    round: int = 0
    trace: str | None = None

    @property
    def deduplication(self) -> str:
        """By which a broker tells a second attempt from a second sending."""
        again = f".r{self.round}" if self.round else ""
        return f"{self.event.tenant_id}.{self.event.id}{again}"

    def headers(self, origin: str) -> dict[str, str]:
        """What stands beside the envelope, on every broker."""
        found = {
            "Crosstie-Event-Id": self.event.event_id,
            "Crosstie-Event-Type": self.event.type,
            "Crosstie-Tenant-Id": str(self.event.tenant_id),
            ORIGIN: origin,
        }
        return found | {"traceparent": self.trace} if self.trace else found


class Incoming(Protocol):
    """A message that came from a broker, and is the broker's until one of the three is called."""

    body: bytes
    headers: Mapping[str, str]

    async def ack(self) -> None:
        """What it asked for is committed."""
        ...

    async def later(self, seconds: float) -> None:
        """It could not be looked at now; hand it out again after a while."""
        ...

    async def bury(self, cause: str) -> None:
        """Nobody here can ever use it: put it aside on the broker, with the cause."""
        ...


class Line(Protocol):
    """A line to one broker. `open` again after `closed`; whatever it raises but Refused means that it is away."""

    async def open(self) -> None:
        """Connect and make what is missing there. Raises where that fails."""
        ...

    async def closed(self) -> None:
        """Return when the line is of no use any more."""
        ...

    async def close(self) -> None:
        """Let go. Never raises."""
        ...

    async def publish(self, message: Outgoing) -> None:
        """Hand over one event; returns when the broker has confirmed that it keeps it. Raises Refused."""
        ...

    async def take(self) -> Sequence[Incoming]:
        """The next messages, at most BATCH. Waits for ever where nothing comes in."""
        ...


async def drained(queue: asyncio.Queue[Incoming]) -> list[Incoming]:
    """What a queue holds, at least one message and at most BATCH."""
    found = [await queue.get()]
    while len(found) < BATCH and not queue.empty():
        found.append(queue.get_nowait())
    return found
