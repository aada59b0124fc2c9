"""An outside party on a broker that faults are done to: it keeps what it hears, and says it again until it is heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import aio_pika
import nats
import pytest
from pamqp.commands import Queue

from tests.parts import nats as natsd
from tests.parts import rabbit
from tests.parts.nats import NatsServer
from tests.parts.rabbit import RabbitServer
from tests.stage import PATIENCE

#: where a consumer on RabbitMQ keeps what it hears
QUEUE = "heard"


class Wire(Protocol):
    """What a test asks of the outside party."""

    url: str

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def wipe(self) -> None: ...

    async def ready(self) -> None:
        """Make what a consumer keeps its messages in, where the broker has it not."""
        ...

    async def kept(self) -> list[dict[str, Any]]:
        """Every event that the broker keeps for the consumer."""
        ...

    async def say(self, messages: dict[str, bytes]) -> None:
        """Publish by routing key or subject; returns when the broker confirmed every one."""
        ...

    async def unread(self) -> int:
        """How many messages that came in were not acknowledged."""
        ...

    async def opened(self) -> None:
        """Return when there is a place where messages come in."""
        ...

    async def settled(self) -> None:
        """Return when everything that came in was acknowledged."""
        ...


class Asking:
    """Waits for what Crosstie makes on the broker."""

    async def unread(self) -> int:
        raise NotImplementedError

    async def opened(self) -> None:
        await self._until(self._read)

    async def settled(self) -> None:
        await self._until(self._empty)

    async def _read(self) -> bool:
        return await self.unread() >= 0

    async def _empty(self) -> bool:
        return await self.unread() == 0

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        end = asyncio.get_running_loop().time() + 2 * PATIENCE
        while True:
            try:
                if await holds():
                    return
                assert asyncio.get_running_loop().time() < end
            except (OSError, nats.errors.Error, aio_pika.exceptions.AMQPError):
                assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.1)


class NatsWire(Asking):
    """On NATS a stream keeps what is published, whoever listens."""

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.url, self.start, self.wipe = server.url, server.start, server.wipe

    def stop(self) -> None:
        self.server.stop()

    async def ready(self) -> None:
        """Nothing to make."""

    async def kept(self) -> list[dict[str, Any]]:
        connection = await nats.connect(self.url)
        found: list[dict[str, Any]] = []
        try:
            consumer = await connection.jetstream().subscribe("crosstie.out.>", ordered_consumer=True)
            while True:
                found.append(json.loads((await consumer.next_msg(0.5)).data))
        except (nats.errors.TimeoutError, nats.js.errors.NotFoundError):
            return found
        finally:
            await connection.close()

    async def say(self, messages: dict[str, bytes]) -> None:
        connection = await nats.connect(self.url)
        stream = connection.jetstream()
        try:
            await asyncio.gather(*(
                stream.publish(f"crosstie.in.{name.partition(' ')[0]}", body, timeout=PATIENCE)
                for name, body in messages.items()
            ))  # fmt: skip
        finally:
            await connection.close()

    async def unread(self) -> int:
        connection = await nats.connect(self.url)
        try:
            seen = await connection.jetstream().consumer_info("CROSSTIE_IN", "crosstie")
            return int(seen.num_pending or 0) + int(seen.num_ack_pending or 0)
        finally:
            await connection.close()


class RabbitWire(Asking):
    """On RabbitMQ a quorum queue of the consumer's keeps what the exchange gets from then on."""

    def __init__(self, server: RabbitServer) -> None:
        self.server = server
        self.url, self.start, self.stop = server.url, server.start, server.stop
        #: what was taken from the queue: of one that holds thousands a consumer gets no more than 2 000 unacknowledged
        self.heard: list[dict[str, Any]] = []

    def wipe(self) -> None:
        self.server.wipe()
        self.heard.clear()

    async def ready(self) -> None:
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                async with await aio_pika.connect(self.url) as connection:
                    channel = await connection.channel()
                    exchange = await channel.declare_exchange("crosstie.out", "topic", durable=True)
                    queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
                    await queue.bind(exchange, "#")
                    return
            except (OSError, aio_pika.exceptions.AMQPError):
                assert asyncio.get_running_loop().time() < end
                await asyncio.sleep(0.2)

    async def kept(self) -> list[dict[str, Any]]:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=500)
            queue = await channel.get_queue(QUEUE)
            with suppress(TimeoutError):
                async with queue.iterator(timeout=2) as messages:
                    while True:
                        message = await anext(messages)
                        self.heard.append(json.loads(message.body))
                        await message.ack()
        return list(self.heard)

    async def say(self, messages: dict[str, bytes]) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange("crosstie.in")
            await asyncio.gather(*(
                exchange.publish(
                    aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), name.partition(" ")[0],
                    mandatory=True,
                )
                for name, body in messages.items()
            ))  # fmt: skip

    async def _read(self) -> bool:
        # the exchange comes after the queue, and is bound to it before anybody reads
        return bool((await self._queue()).consumer_count)

    async def unread(self) -> int:
        return int((await self._queue()).message_count or 0)

    async def _queue(self) -> Queue.DeclareOk:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            return (await channel.declare_queue("crosstie.in", passive=True)).declaration_result


@contextmanager
def wired(kind: str) -> Iterator[Wire]:
    """A server that may be hurt, and a party on it."""
    if (natsd.PROGRAM if kind == "nats" else rabbit.PROGRAM) is None:
        pytest.skip(f"the server of {kind} is not installed")
    if kind == "nats":
        with natsd.served() as server:
            yield NatsWire(server)
    else:
        with rabbit.own() as other:
            yield RabbitWire(other)
