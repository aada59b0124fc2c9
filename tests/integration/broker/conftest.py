"""An installation whose settings name brokers: one for the run, for every process of it must know them all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.integration.broker.peer import NatsPeer, Peer, RabbitPeer
from tests.parts import nats, rabbit
from tests.stage import Stage, staged


@dataclass(frozen=True)
class Hub:
    """The installation, its brokers' addresses, and the first word of its streams and exchanges."""

    stage: Stage
    nats: str
    rabbit: str
    word: str


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """An installation that publishes to NATS, RabbitMQ and Celery at once, and reads from both."""
    if nats.PROGRAM is None or (rabbit.PROGRAM is None and not rabbit.local()):
        pytest.skip("nats-server or rabbitmq-server is not installed")
    word = f"t{secrets.token_hex(4)}"
    with nats.served() as server, rabbit.some() as address:
        brokers = (server.url, address, f"celery+{address}?queue={word}.tasks&task=firm.heard&types=client.*")
        names = {"broker_out": f"{word}.out.{{event_type}}", "broker_in": f"{word}.in.{{event_type}}"}
        with staged(brokers=brokers, **names) as stage:
            yield Hub(stage, server.url, address, word)
        asyncio.run(rabbit.swept(address, word))


@pytest.fixture(params=["nats", "rabbit"])
async def peer(request: pytest.FixtureRequest, hub: Hub) -> AsyncIterator[Peer]:
    """An outside system on one broker, by the client library alone."""
    made: Peer = NatsPeer() if request.param == "nats" else RabbitPeer()
    await made.open(hub.nats if request.param == "nats" else hub.rabbit, hub.word)
    yield made
    await made.close()
