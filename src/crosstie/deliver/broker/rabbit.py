"""RabbitMQ: an event out is a confirmed message of a topic exchange; events in come from a quorum queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.amqp import Amqp
from crosstie.deliver.broker.line import CONFIRM, PREFETCH, Incoming, Names, Outgoing, drained, prefix

#: where a template is bare: the topic exchange that every RabbitMQ has
SHARED = "amq.topic"
#: replicated, flushed before the confirm; a message that waits for our database is never dropped for its redeliveries
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


class Received:
    """A message of our queue."""

    def __init__(self, message: AbstractIncomingMessage, line: RabbitLine) -> None:
        self.body = message.body
        self.headers: Mapping[str, str] = {name: str(value) for name, value in message.headers.items()}
        self._message = message
        self._line = line

    async def ack(self) -> None:
        await self._message.ack()

    async def later(self, seconds: float) -> None:
        # the broker knows no delay: it hands it out again when whoever took it takes the next
        await self._message.nack(requeue=True)

    async def bury(self, cause: str) -> None:
        await self._line.bury(self._message, cause)
        await self._message.ack()


class RabbitLine(Amqp):
    """A line to RabbitMQ."""

    def __init__(self, address: Address, names: Names, *, reads: bool = True) -> None:
        super().__init__(address, names)
        self._reads = reads
        self._exchange: AbstractExchange | None = None
        self._out: AbstractChannel | None = None
        self._came: asyncio.Queue[Incoming] = asyncio.Queue()
        self._queue = prefix(names.into) or "crosstie.in"
        self._dead = f"{self._queue.removesuffix('.in')}.dead"

    async def open(self) -> None:
        """Connect, make exchanges and queues that are missing, and begin to consume."""
        self._out = await self._opened()
        self._exchange = await self._topic(self._out, prefix(self._names.out))
        if self._reads:
            await self._consume()

    @staticmethod
    async def _topic(channel: AbstractChannel, name: str) -> AbstractExchange:
        if not name:
            return await channel.get_exchange(SHARED)
        return await channel.declare_exchange(name, ExchangeType.TOPIC, durable=True)

    async def _consume(self) -> None:
        self._came = asyncio.Queue()
        came = self._came
        channel = await self._channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        for name in (self._queue, self._dead):
            await self._ensure(channel, name, QUORUM)
        into = prefix(self._names.into)
        exchange = await self._topic(channel, into)
        queue = await channel.get_queue(self._queue)
        for key in ("#",) if into else (f"{domain}.#" for domain in self._names.domains):
            await queue.bind(exchange, key)

        async def come(message: AbstractIncomingMessage) -> None:
            came.put_nowait(Received(message, self))

        await queue.consume(come)

    async def _whole(self) -> bool:
        return not self._reads or await self._has(self._queue)

    async def publish(self, message: Outgoing) -> None:
        """Publish with the broker's confirm. What no queue is bound for, the broker drops."""
        assert self._exchange is not None
        event = message.event
        made = Message(
            event.envelope(),
            content_type="application/json",
            message_id=event.event_id,
            type=event.type,
            timestamp=event.at,
            app_id="crosstie",
            delivery_mode=DeliveryMode.PERSISTENT,
            headers=dict(message.headers(self._names.origin)),
        )
        await self._exchange.publish(made, event.type, mandatory=False)

    async def take(self) -> Sequence[Incoming]:
        """The next messages of our queue."""
        return await drained(self._came)

    async def bury(self, message: AbstractIncomingMessage, cause: str) -> None:
        """Keep a message in the queue of the dead."""
        assert self._out is not None
        headers = {**message.headers, "Crosstie-Cause": cause}
        made = Message(
            message.body,
            content_type=message.content_type,
            message_id=message.message_id,
            delivery_mode=DeliveryMode.PERSISTENT,
            headers=headers,
        )
        await self._out.default_exchange.publish(made, self._dead, mandatory=True, timeout=CONFIRM)
