"""The way back by a broker: events go where Crosstie listens, NATS JetStream or RabbitMQ, and count once confirmed.

`nats://host:4222` or `amqp://user:password@host:5672/`; `?prefix=` is what stands before the type: `crosstie.in`,
unless another is given.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import aio_pika
import nats
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError
from nats.aio.client import Client
from nats.errors import Error

PREFIX = "crosstie.in"
#: seconds for a connection or a confirmation
TIMEOUT = 10.0
SCHEMES = ("nats", "tls", "amqp", "amqps")


class Lost(Exception):
    """It is not known to be there."""


class Way(Protocol):
    """A broker, as far as it is spoken to."""

    async def tell(self, type: str, id: str, body: bytes) -> None:
        """Publish an event; returns once it is confirmed. Raises Lost."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


def way(url: str) -> Way:
    """The way to a broker; nothing is opened yet."""
    parts = urlsplit(url)
    (prefix,) = parse_qs(parts.query, keep_blank_values=True).get("prefix", [PREFIX])
    plain = parts._replace(query="").geturl()
    return _Nats(plain, prefix) if parts.scheme in ("nats", "tls") else _Rabbit(plain, prefix)


class _Nats:
    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._client: Client | None = None

    async def tell(self, type: str, id: str, body: bytes) -> None:
        subject = f"{self._prefix}.{type}" if self._prefix else type
        try:
            if self._client is None or not self._client.is_connected:
                await self.close()
                self._client = await nats.connect(
                    self._url,
                    connect_timeout=int(TIMEOUT),
                    allow_reconnect=False,
                    # whoever comes again later need not be patient here
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    error_cb=_silent,
                )
            headers = {"Nats-Msg-Id": id}  # a repeat is none
            await self._client.jetstream(timeout=TIMEOUT).publish(subject, body, headers=headers)
        except (Error, OSError) as error:
            await self.close()
            raise Lost(_named(error)) from error

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class _Rabbit:
    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    async def tell(self, type: str, id: str, body: bytes) -> None:
        try:
            exchange = self._exchange or await self._open()
            message = aio_pika.Message(
                body,
                message_id=id,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            # mandatory: where nobody listens yet it comes back, and is sent again
            await exchange.publish(message, type, mandatory=True, timeout=TIMEOUT)
        except (AMQPError, OSError) as error:
            await self.close()
            raise Lost(_named(error)) from error

    async def _open(self) -> AbstractExchange:
        connection = self._connection = await aio_pika.connect(self._url, timeout=TIMEOUT)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange = await channel.get_exchange(self._prefix or "amq.topic")
        return self._exchange

    async def close(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await connection.close()


async def _silent(error: Exception) -> None:
    """What goes wrong is seen where it is raised."""


def _named(error: Exception) -> str:
    return type(error).__name__
