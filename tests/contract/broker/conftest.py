"""The servers that lines are tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts import nats, rabbit


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """A NATS server for the run."""
    if nats.PROGRAM is None:
        pytest.skip("nats-server is not installed")
    with nats.served() as server:
        yield server.url


@pytest.fixture(scope="session")
def rabbit_url() -> Iterator[str]:
    """Any RabbitMQ."""
    if rabbit.PROGRAM is None and not rabbit.local():
        pytest.skip("rabbitmq-server is not installed")
    with rabbit.some() as address:
        yield address
