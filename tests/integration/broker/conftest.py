"""An installation whose settings name brokers: one for the run, for every process of it must know them all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.nats import PROGRAM, NatsServer, served
from tests.stage import Stage, staged


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """A NATS server for the whole run."""
    if PROGRAM is None:
        pytest.skip("nats-server is not installed")
    with served() as server:
        yield server


@pytest.fixture(scope="session")
def hub(nats_server: NatsServer) -> Iterator[Stage]:
    """An installation that publishes to it and reads from it."""
    with staged(brokers=(nats_server.url,)) as found:
        yield found
