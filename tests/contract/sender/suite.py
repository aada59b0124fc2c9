"""What every sender is tested with: loopback is open but for a few addresses, names come from a server of ours."""

import logging
from collections.abc import AsyncIterator

import pytest

from crosstie.deliver.sender import Request, Sender
from crosstie.kit.egress import Guard
from crosstie.kit.resolver import Resolver
from tests.parts.names import Names, names

OPEN = ("127.0.0.1/32",)
BODY = b'{"event_id":"evt_1"}'
HEADERS = {"content-type": "application/json", "webhook-id": "evt_1"}


def request(url: str, timeout: float = 60.0, headers: dict[str, str] | None = None, body: bytes = BODY) -> Request:
    return Request(url, headers if headers is not None else HEADERS, body, timeout)


class Suite:
    """A test class inherits the suites and says how its sender is made."""

    def make(self, guard: Guard, resolver: Resolver) -> Sender:
        """A sender that trusts `authority()` alone."""
        raise NotImplementedError

    @pytest.fixture
    async def dns(self) -> AsyncIterator[Names]:
        async with names() as server:
            yield server

    @pytest.fixture
    async def sender(self, dns: Names, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Sender]:
        guard = Guard(OPEN)
        resolver = Resolver(guard, [dns.address])
        sender = self.make(guard, resolver)
        yield sender
        await sender.close()
        await resolver.close()
        assert [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.ERROR] == []
