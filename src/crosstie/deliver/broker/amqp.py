"""What lines over AMQP 0-9-1 share: the connection, its end, and queues that are made where they are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.line import Names

#: seconds between two looks whether the broker still has what we made there
LOOK = 10.0


class Amqp:
    """A connection with one channel to publish on."""

    def __init__(self, address: Address, names: Names) -> None:
        self._address = address
        self._names = names
        self._connection: aio_pika.Connection | None = None
        self._channels: list[AbstractChannel] = []

    async def _opened(self) -> AbstractChannel:
        """Connect; answers a channel whose messages are confirmed."""
        properties: Any = {"connection_name": "crosstie"}
        connection = await aio_pika.connect(self._address.url, timeout=5, client_properties=properties)
        assert isinstance(connection, aio_pika.Connection)
        self._connection = connection
        return await self._channel()

    async def _channel(self) -> AbstractChannel:
        assert self._connection is not None
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._channels.append(channel)
        return channel

    async def _has(self, queue: str) -> bool:
        """Whether the broker has a queue: asked on a channel of its own, which a no would close."""
        assert self._connection is not None
        channel = await self._connection.channel()
        try:
            await channel.get_queue(queue)
        except ChannelNotFoundEntity:
            return False
        await channel.close()
        return True

    async def _ensure(self, channel: AbstractChannel, queue: str, arguments: Mapping[str, Any]) -> None:
        """Make a durable queue where it is missing; one that is there stays as its operator made it."""
        if not await self._has(queue):
            await channel.declare_queue(queue, durable=True, arguments=dict(arguments))

    async def closed(self) -> None:
        """Return when the connection or a channel is gone, or the broker forgot our queues."""
        assert self._connection is not None
        closing = [self._connection.closed(), *(channel.closed() for channel in self._channels)]
        ends = [asyncio.ensure_future(each) for each in closing]
        while True:
            done, _ = await asyncio.wait(ends, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            if done or not await self._whole():
                return

    async def _whole(self) -> bool:
        """Whether everything that was made is still there."""
        return True

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection, self._channels = self._connection, None, []
        if connection is not None:
            with suppress(Exception):
                await connection.close()
