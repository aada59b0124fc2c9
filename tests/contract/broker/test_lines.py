"""The lines that there are."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from crosstie.deliver.broker.address import parse
from crosstie.deliver.broker.line import Line, Names, Outgoing, Refused
from crosstie.deliver.broker.nats import NatsLine
from crosstie.deliver.broker.rabbit import RabbitLine
from tests.contract.broker.suite import Suite, event
from tests.integration.broker.peer import NatsPeer, Peer, RabbitPeer
from tests.parts import rabbit


class TestNats(Suite):
    """NATS JetStream."""

    @pytest.fixture(autouse=True)
    def served(self, nats_url: str) -> None:
        self.url = nats_url

    def line(self, names: Names) -> Line:
        return NatsLine(parse(self.url), names)

    def judge(self) -> Peer:
        return NatsPeer()

    async def test_a_second_attempt_is_a_repeat(self, made: Line, peer: Peer) -> None:
        sent, last = event(1), event(2)
        for each in (sent, sent, last):
            await made.publish(Outgoing(each))
        assert [(await peer.hear()).event["sequence"] for _ in range(2)] == [1, 2]

    async def test_what_the_server_will_never_take_is_refused(self, made: Line) -> None:
        with pytest.raises(Refused, match="too_large"):
            await made.publish(Outgoing(event(size=1 << 20)))

    async def test_a_stream_that_is_gone_ends_the_line(self, made: Line, peer: Peer, names: Names) -> None:
        assert isinstance(peer, NatsPeer)
        await peer.stream.delete_stream(names.out.partition(".")[0].upper() + "_OUT")
        with pytest.raises(Exception, match="no response"):
            await made.publish(Outgoing(event()))
        async with asyncio.timeout(60):
            await made.closed()
        await made.close()
        await made.open()
        await made.publish(Outgoing(event()))

    async def test_a_partners_stream_that_is_made_later_is_read(self, peer: Peer) -> None:
        assert isinstance(peer, NatsPeer)
        domain = f"late{uuid4().hex}"
        line = NatsLine(parse(self.url), Names("{event_type}", "{event_type}", "https://hub.test", (domain,)))
        await line.open()
        closing = asyncio.create_task(line.closed())
        await peer.stream.add_stream(name=domain, subjects=[f"{domain}.>"])
        await peer.stream.publish(f"{domain}.tenant.branch.created", b"heard")
        async with asyncio.timeout(60):
            (message,) = await line.take()
        assert message.body == b"heard"
        await message.ack()
        closing.cancel()
        await line.close()
        await peer.stream.delete_stream(domain)


class TestRabbit(Suite):
    """RabbitMQ."""

    @pytest.fixture(autouse=True)
    def served(self, rabbit_url: str) -> None:
        self.url = rabbit_url

    def line(self, names: Names) -> Line:
        return RabbitLine(parse(self.url), names)

    def judge(self) -> Peer:
        return RabbitPeer()

    async def forget(self, word: str) -> None:
        await rabbit.swept(self.url, word)

    async def test_an_exchange_that_is_gone_ends_the_line(self, made: Line, peer: Peer, names: Names) -> None:
        assert isinstance(peer, RabbitPeer)
        await peer.channel.exchange_delete(names.out.removesuffix(".{event_type}"))
        with pytest.raises(Exception):  # noqa: B017, PT011  # whatever the client says
            await asyncio.wait_for(made.publish(Outgoing(event())), 5)
        async with asyncio.timeout(60):
            await made.closed()
        await made.close()
        await made.open()
        await made.publish(Outgoing(event()))
