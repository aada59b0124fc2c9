"""What every line to a broker keeps, on a real server, judged by the client library alone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from crosstie.deliver.broker.address import parse
from crosstie.deliver.broker.line import BATCH, Incoming, Line, Names, Outgoing
from crosstie.log.event import Event
from tests.integration.broker.peer import Peer
from tests.stage import PATIENCE

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def event(number: int = 0, size: int = 0) -> Event:
    id = uuid4()
    data = f'{{"number":{number},"fill":"{"x" * size}"}}'
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Event(uuid4(), id, str(id), "job.created", 1, at, data, "job", "j1", number)


class Suite:
    """A test class inherits it and says where its server is, and how its line and its judge are made."""

    url: str

    def line(self, names: Names) -> Line:
        raise NotImplementedError

    def judge(self) -> Peer:
        raise NotImplementedError

    @pytest.fixture
    def names(self) -> Names:
        word = f"c{secrets.token_hex(4)}"
        return Names(f"{word}.out.{{event_type}}", f"{word}.in.{{event_type}}", "https://hub.test", ())

    @pytest.fixture
    async def made(self, served: None, names: Names) -> AsyncIterator[Line]:
        line = self.line(names)
        await line.open()
        yield line
        await line.close()
        await self.forget(names.out.partition(".")[0])

    @pytest.fixture
    async def peer(self, made: Line, names: Names) -> AsyncIterator[Peer]:
        peer = self.judge()
        await peer.open(self.url, names.out.partition(".")[0])
        yield peer
        await peer.close()

    async def forget(self, word: str) -> None:
        """Take away what was made there."""

    async def test_what_is_confirmed_is_there(self, made: Line, peer: Peer) -> None:
        sent = event(7)
        await made.publish(Outgoing(sent, trace=TRACE))
        heard = await peer.hear()
        assert (heard.topic, heard.body) == ("job.created", sent.envelope())
        assert heard.headers["Crosstie-Event-Id"] == sent.event_id
        assert heard.headers["Crosstie-Tenant-Id"] == str(sent.tenant_id)
        assert heard.headers["Crosstie-Origin"] == "https://hub.test"
        assert heard.headers["traceparent"] == TRACE

    async def test_many_under_way_arrive_once_each(self, made: Line, peer: Peer) -> None:
        sent = [event(number) for number in range(200)]
        await asyncio.gather(*(made.publish(Outgoing(each)) for each in sent))
        heard = [(await peer.hear()).headers["Crosstie-Event-Id"] for _ in sent]
        assert sorted(heard) == sorted(each.event_id for each in sent)

    async def test_one_after_the_other_stay_in_order(self, made: Line, peer: Peer) -> None:
        for number in range(30):
            await made.publish(Outgoing(event(number)))
        assert [(await peer.hear()).event["sequence"] for _ in range(30)] == list(range(30))

    async def test_a_republication_is_no_repeat(self, made: Line, peer: Peer) -> None:
        sent = event()
        await made.publish(Outgoing(sent))
        await made.publish(Outgoing(sent, 1))
        assert [(await peer.hear()).body for _ in range(2)] == [sent.envelope()] * 2

    async def test_messages_come_with_their_bytes_and_headers(self, made: Line, peer: Peer) -> None:
        for number in range(2 * BATCH):
            await peer.send("erp.x.y", b"\xff%d" % number, {"tenant-id": "t1"})
        found = await self.taken(made, 2 * BATCH)
        assert [message.body for message in found] == [b"\xff%d" % number for number in range(2 * BATCH)]
        assert {message.headers["tenant-id"] for message in found} == {"t1"}
        for message in found:
            await message.ack()

    async def test_what_is_not_acknowledged_comes_again(self, made: Line, peer: Peer, names: Names) -> None:
        for body in (b"done", b"later"):
            await peer.send("erp.x.y", body)
        for message in await self.taken(made, 2):
            await (message.ack() if message.body == b"done" else message.later(0.1))
        (again,) = await self.taken(made, 1)
        assert again.body == b"later"
        await again.ack()

    async def test_what_is_buried_lies_with_its_cause(self, made: Line, peer: Peer) -> None:
        await peer.send("erp.x.y", b"poison")
        (message,) = await self.taken(made, 1)
        await message.bury("malformed_json")
        dead = await peer.dead()
        assert (dead.body, dead.headers["Crosstie-Cause"]) == (b"poison", "malformed_json")

    async def test_two_lines_share_what_comes(self, made: Line, peer: Peer, names: Names) -> None:
        other = self.line(names)
        await other.open()
        try:
            got: list[bytes] = []
            full = asyncio.Event()

            async def take(line: Line) -> None:
                while True:
                    for message in await line.take():
                        await message.ack()
                        got.append(message.body)
                        if len(got) == 100:
                            full.set()

            takers = [asyncio.create_task(take(line)) for line in (made, other)]
            for number in range(100):
                await peer.send("erp.x.y", b"%d" % number)
            async with asyncio.timeout(PATIENCE):
                await full.wait()
            for taker in takers:
                taker.cancel()
            assert len(set(got)) == len(got) == 100
        finally:
            await other.close()

    async def test_it_can_be_opened_again(self, made: Line, peer: Peer) -> None:
        await made.close()
        await made.open()
        await made.publish(Outgoing(event(3)))
        assert (await peer.hear()).event["sequence"] == 3

    async def test_a_wrong_address_is_an_error(self, names: Names) -> None:
        line = self.line(names)
        line._address = parse("nats://127.0.0.1:9" if self.url.startswith("nats") else "amqp://127.0.0.1:9")  # type: ignore[attr-defined]
        with pytest.raises(Exception):  # noqa: B017, PT011  # any: the answer is to try again
            await line.open()
        await line.close()

    async def taken(self, line: Line, count: int) -> list[Incoming]:
        """The next so many messages."""
        found: list[Incoming] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                found += await line.take()
        return found
