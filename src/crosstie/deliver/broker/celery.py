"""Celery: one task per event, in the form that a stock worker reads (message protocol 2), over AMQP.

https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.amqp import Amqp
from crosstie.deliver.broker.line import CONFIRM, Incoming, Names, Outgoing

TASK, QUEUE = "crosstie.event", "celery"
EMBED = b'{"callbacks":null,"errbacks":null,"chain":null,"chord":null}'


class CeleryLine(Amqp):
    """A line to Celery workers: the options `task` and `queue` of its address say which. Nothing comes in by it."""

    def __init__(self, address: Address, names: Names) -> None:
        super().__init__(address, names)
        self._out: AbstractChannel | None = None
        self._task = address.options.get("task", TASK)
        self._queue = address.options.get("queue", QUEUE)

    async def open(self) -> None:
        """Connect, and make the workers' queue as they would where none of them has yet."""
        self._out = await self._opened()
        await self._ensure(self._out, self._queue, {})

    async def publish(self, message: Outgoing) -> None:
        """One task with the envelope as its argument; its id is the same over all attempts."""
        assert self._out is not None
        id = message.deduplication
        headers: dict[str, Any] = {
            "lang": "py",
            "task": self._task,
            "id": id,
            "root_id": id,
            "parent_id": None,
            "group": None,
            "shadow": None,
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": f"({message.event.event_id!r},)",
            "kwargsrepr": "{}",
            "origin": "crosstie",
        }
        made = Message(
            b"[[%b],{},%b]" % (message.event.envelope(), EMBED),
            content_type="application/json",
            content_encoding="utf-8",
            correlation_id=id,
            message_id=message.event.event_id,
            delivery_mode=DeliveryMode.PERSISTENT,
            headers={**headers, **message.headers(self._names.origin)},
        )
        # a queue that is gone returns the task: it is sent again
        await self._out.default_exchange.publish(made, self._queue, mandatory=True, timeout=CONFIRM)

    async def _whole(self) -> bool:
        return await self._has(self._queue)

    async def take(self) -> Sequence[Incoming]:
        """Nothing, ever."""
        await asyncio.Event().wait()
        return ()
