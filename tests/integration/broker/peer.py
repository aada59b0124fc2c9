"""An outside system on a broker, by nats-py or aio-pika alone: it hears what leaves and sends what comes in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aio_pika
import httpx2
import nats

from crosstie.catalog import catalogue
from tests.stage import PATIENCE, Tenant

#: what is told of a client
CLIENT = catalogue().events["client.created"].example | {"name": "Nile"}


@dataclass(frozen=True)
class Heard:
    """One message as the broker gave it."""

    topic: str
    headers: Mapping[str, Any]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


class Peer(Protocol):
    """What a test asks of an outside system."""

    async def open(self, url: str, word: str) -> None: ...

    async def close(self) -> None: ...

    async def send(self, type: str, body: bytes, headers: dict[str, str] | None = None) -> None: ...

    async def hear(self) -> Heard: ...

    async def dead(self) -> Heard:
        """The next message that was put aside on the broker."""
        ...


class NatsPeer:
    """An outside system on NATS."""

    async def open(self, url: str, word: str) -> None:
        self.word = word
        self.connection = await nats.connect(url)
        self.stream = self.connection.jetstream()
        self.out = await self.stream.subscribe(f"{word}.out.>", ordered_consumer=True)
        self.aside = await self.stream.subscribe(f"{word}.dead.>", ordered_consumer=True)

    async def close(self) -> None:
        await self.connection.close()

    async def send(self, type: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        await self.stream.publish(f"{self.word}.in.{type}", body, headers=headers)

    async def hear(self) -> Heard:
        return self._heard(await self.out.next_msg(PATIENCE), "out")

    async def dead(self) -> Heard:
        return self._heard(await self.aside.next_msg(PATIENCE), "dead")

    def _heard(self, message: Any, place: str) -> Heard:
        return Heard(message.subject.removeprefix(f"{self.word}.{place}."), message.headers or {}, message.data)


class RabbitPeer:
    """An outside system on RabbitMQ."""

    async def open(self, url: str, word: str) -> None:
        self.word = word
        self.connection = await aio_pika.connect(url)
        self.channel = await self.connection.channel()
        self.into = await self.channel.get_exchange(f"{word}.in")
        self.heard: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        queue = await self.channel.declare_queue(exclusive=True)
        await queue.bind(f"{word}.out", "#")
        await queue.consume(self.heard.put)

    async def close(self) -> None:
        await self.connection.close()

    async def send(self, type: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        message = aio_pika.Message(body, headers=dict(headers or {}))
        await self.into.publish(message, type)

    async def hear(self) -> Heard:
        message = await asyncio.wait_for(self.heard.get(), PATIENCE)
        await message.ack()
        assert message.message_id == message.headers["Crosstie-Event-Id"]
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        return Heard(message.routing_key or "", message.headers, message.body)

    async def dead(self) -> Heard:
        queue = await self.channel.get_queue(f"{self.word}.dead")
        end = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < end:
            message = await queue.get(fail=False)
            if message is not None:
                await message.ack()
                return Heard("", message.headers, message.body)
            await asyncio.sleep(0.05)
        raise TimeoutError("nothing was put aside")


async def of(peer: Peer, tenant: Tenant, count: int) -> list[Heard]:
    """The next so many messages about one tenant."""
    found: list[Heard] = []
    while len(found) < count:
        message = await peer.hear()
        if message.event["tenant_id"] == str(tenant.id):
            found.append(message)
    return found


async def polled(client: httpx2.AsyncClient, path: str, count: int, **query: str) -> list[dict[str, Any]]:
    """What a list answers, once it has so many."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        found: list[dict[str, Any]] = (await client.get(path, params=query)).json()["data"]
        if len(found) >= count:
            return found
        assert asyncio.get_running_loop().time() < end, found
        await asyncio.sleep(0.05)
