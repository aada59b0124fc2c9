"""Lines to brokers beside the bare clients, what comes in as far as the log, and the spine with two brokers attached.

    .venv/bin/python bench/broker.py [--quick]

Bare is nats-py on JetStream and aio-pika on a quorum queue: confirms awaited, as many under way, each message
acknowledged. Ours publishes an event with its headers through its window, and takes messages as the inbox does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import load
import nats as client
import path
import stand
from stand import Figure, Stand

from crosstie.deliver.broker.address import parse
from crosstie.deliver.broker.broker import Broker
from crosstie.deliver.broker.build import line
from crosstie.deliver.broker.line import PREFETCH, WINDOW, Line, Names, Outgoing
from crosstie.log.event import Event

sys.path.append(str(Path(__file__).parents[1]))
from tests.parts import nats, rabbit  # how servers are started stands there

TENANT = uuid4()
DATA = "{" + load.event(0).partition('"data":{')[2][:-1]
QUORUM = {"x-queue-type": "quorum"}
LOGGED = "SELECT count(*) FROM events WHERE actor_type = 'broker'"
DRAINED = (
    "SELECT NOT EXISTS (SELECT FROM outbox) AND NOT EXISTS (SELECT FROM deliveries WHERE status <> 'delivered')"
    " AND NOT EXISTS (SELECT FROM places p JOIN events e ON e.tenant_id = p.tenant_id"
    " AND (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id))"
)
Send = Callable[[], Awaitable[object]]
Turn = Callable[[], Awaitable[dict[str, float]]]


def event(number: int) -> Event:
    """An event of 1 kB, of one of many subjects."""
    id = uuid4()
    at = datetime.now(UTC)
    return Event(TENANT, id, str(id), "bench.reading", 1, at, DATA, "meter", f"m-{number % 10_000}", number)


def batches(tenants: list[stand.Tenant], many: int) -> Iterator[list[bytes]]:
    """Events that outside systems send, a window full at a time."""
    for start in range(0, many, WINDOW):
        yield [
            load.event(number).replace("{", f'{{"tenant_id":"{tenants[number % len(tenants)].id}",', 1).encode()
            for number in range(start, start + WINDOW)
        ]


async def flood(send: Send, seconds: float) -> dict[str, float]:
    """As many as a window holds at once, for so many seconds."""
    began = time.perf_counter()
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await send()
            done += 1

    await asyncio.gather(*(work() for _ in range(WINDOW)))
    return {"rate": done / (time.perf_counter() - began), "done": done}


async def taken(line: Line, many: int) -> float:
    """Messages per second that a line hands over, each acknowledged."""
    began = time.perf_counter()
    left = many
    while left:
        messages = await line.take()
        await asyncio.gather(*(message.ack() for message in messages))
        left -= len(messages)
    return many / (time.perf_counter() - began)


class Bare:
    """A client alone: publishes with confirms, consumes with acknowledgements."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.body = event(0).envelope()

    async def open(self, word: str) -> None: ...

    async def publish(self) -> None: ...

    async def empty(self) -> None:
        """Away with what was published."""

    async def fill(self, way: str, many: int) -> None:
        """So many messages where they are read from."""

    async def say(self, tenants: list[stand.Tenant], many: int) -> None:
        """So many events that Crosstie takes."""

    async def consumed(self, many: int) -> float:
        raise NotImplementedError

    async def counted(self, take: Callable[[Callable[[], None]], Awaitable[Any]], many: int) -> float:
        """Messages per second, as `take` tells of each."""
        full, left = asyncio.Event(), many

        def one() -> None:
            nonlocal left
            left -= 1
            if not left:
                full.set()

        began = time.perf_counter()
        await take(one)
        await full.wait()
        return many / (time.perf_counter() - began)


class Nats(Bare):
    """nats-py."""

    async def open(self, word: str) -> None:
        self.word = word
        self.connection = await client.connect(self.url)
        self.stream = self.connection.jetstream()
        await self.stream.add_stream(name=f"{word}_BARE", subjects=[f"{word}.bare.>"])

    async def publish(self) -> None:
        await self.stream.publish(f"{self.word}.bare.bench.reading", self.body)

    async def empty(self) -> None:
        await self.stream.purge_stream(f"{self.word}_BARE")

    async def fill(self, way: str, many: int) -> None:
        subject = f"{self.word}.{way}.bench.reading"
        for _ in range(0, many, WINDOW):
            await asyncio.gather(*(self.stream.publish(subject, self.body) for _ in range(WINDOW)))

    async def say(self, tenants: list[stand.Tenant], many: int) -> None:
        stream = self.connection.jetstream()
        for bodies in batches(tenants, many):
            await asyncio.gather(*(stream.publish("crosstie.in.bench.reading", body) for body in bodies))

    async def consumed(self, many: int) -> float:
        async def take(one: Callable[[], None]) -> None:
            async def come(message: Any) -> None:
                await message.ack()
                one()

            config = client.js.api.ConsumerConfig(max_ack_pending=PREFETCH)
            await self.stream.subscribe(
                f"{self.word}.bare.>", durable=uuid4().hex, cb=come, manual_ack=True, config=config
            )

        return await self.counted(take, many)


class Rabbit(Bare):
    """aio-pika."""

    async def open(self, word: str) -> None:
        self.word = word
        self.connection = await aio_pika.connect(self.url)
        self.channel = await self.connection.channel(publisher_confirms=True)
        self.exchange = await self.channel.declare_exchange(f"{word}.bare", "topic", durable=True)
        self.queue = await self.channel.declare_queue(f"{word}.bare", durable=True, arguments=QUORUM)
        await self.queue.bind(self.exchange, "#")
        # so that what ours publishes is kept as well
        out = await self.channel.declare_exchange(f"{word}.out", "topic", durable=True)
        await (await self.channel.declare_queue(f"{word}.out", durable=True, arguments=QUORUM)).bind(out, "#")

    def message(self) -> aio_pika.Message:
        return aio_pika.Message(self.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)

    async def publish(self) -> None:
        await self.exchange.publish(self.message(), "bench.reading")

    async def empty(self) -> None:
        await self.queue.purge()

    async def fill(self, way: str, many: int) -> None:
        exchange = await self.channel.get_exchange(f"{self.word}.{way}")
        for _ in range(0, many, WINDOW):
            await asyncio.gather(*(exchange.publish(self.message(), "bench.reading") for _ in range(WINDOW)))

    async def say(self, tenants: list[stand.Tenant], many: int) -> None:
        exchange = await self.channel.get_exchange("crosstie.in")
        for bodies in batches(tenants, many):
            made = [aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT) for body in bodies]
            await asyncio.gather(*(exchange.publish(message, "bench.reading") for message in made))

    async def consumed(self, many: int) -> float:
        channel = await self.connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(f"{self.word}.bare")

        async def take(one: Callable[[], None]) -> None:
            async def come(message: aio_pika.abc.AbstractIncomingMessage) -> None:
                await message.ack()
                one()

            await queue.consume(come)

        return await self.counted(take, many)


@asynccontextmanager
async def connected(url: str, names: Names) -> AsyncIterator[Broker]:
    """A broker that only publishes."""
    broker = Broker(parse(url), line(parse(url), names))
    task = asyncio.create_task(broker.run())

    async def ready() -> bool:
        return broker.ready()

    await until(ready)
    yield broker
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def lines(name: str, bare: Bare) -> list[Figure]:
    """Both directions of one broker."""
    word = f"b{uuid4().hex[:8]}"
    names = Names(f"{word}.out.{{event_type}}", f"{word}.in.{{event_type}}", "http://bench", ())
    await bare.open(word)
    numbers = count()
    length = stand.seconds(3)
    async with connected(bare.url, names) as broker:
        alone, ours = await stand.rounds(
            lambda: flood(bare.publish, length),
            lambda: flood(lambda: broker.send(Outgoing(event(next(numbers)))), length),
        )
    many = int(stand.seconds(20_000)) // WINDOW * WINDOW
    reading = line(parse(bare.url), names)
    await reading.open()
    await reading.close()  # what is read is there now
    await bare.empty()
    for way in ("in", "bare"):
        await bare.fill(way, many)

    async def alone_in() -> dict[str, float]:
        return {"rate": await bare.consumed(many)}

    async def turn() -> dict[str, float]:
        await reading.open()
        return {"rate": await taken(reading, many)}

    heard, ours_in = await stand.rounds(alone_in, turn, count=1)
    await reading.close()
    return [
        Figure(
            f"{name}: publish / bare client", ours["rate"] / alone["rate"], 0.5, 0.8, "x",
            f"{ours['rate']:.0f}/s, bare {alone['rate']:.0f}/s",
        ),
        Figure(
            f"{name}: consume / bare client", ours_in["rate"] / heard["rate"], 0.5, 0.8, "x",
            f"{ours_in['rate']:.0f}/s, bare {heard['rate']:.0f}/s",
        ),
    ]  # fmt: skip


def spine(here: Stand, sink: stand.Sink, tenants: list[stand.Tenant], brokers: tuple[str, ...]) -> Turn:
    """A turn of bench/path.py with these brokers; `whole` is the rate until they, too, had everything."""

    async def turn() -> dict[str, float]:
        keys, plan = [tenant.key for tenant in tenants], {"connections": 256}
        watcher = await asyncpg.connect(here.superuser)
        await watcher.execute(
            "DELETE FROM brokers; DELETE FROM places; DELETE FROM deliveries WHERE status <> 'delivered'"
        )
        with here.serving(2, brokers=brokers):
            await path.run(here, sink, watcher, keys, seconds=1, **plan)
            await drained(watcher)
            began = time.perf_counter()
            found = await path.run(here, sink, watcher, keys, seconds=stand.seconds(3), **plan)
            await drained(watcher)
            found["whole"] = found["good"] / (time.perf_counter() - began)
        await watcher.close()
        return found

    return turn


async def drained(watcher: asyncpg.Connection) -> None:
    """Return when no delivery waits."""
    await until(lambda: watcher.fetchval(DRAINED))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when it holds."""
    async with asyncio.timeout(120):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


def arrivals(here: Stand, tenants: list[stand.Tenant], bare: Bare) -> Turn:
    """A turn in which events come in from a broker, as far as the log."""

    async def turn() -> dict[str, float]:
        many = int(stand.seconds(20_000)) // WINDOW * WINDOW
        watcher = await asyncpg.connect(here.superuser)
        with here.serving(2, brokers=[f"{bare.url}?types=job.*"]):
            await asyncio.sleep(1)
            before = await watcher.fetchval(LOGGED)
            began = time.perf_counter()
            await bare.say(tenants, many)
            await until(lambda: watcher.fetchval(f"SELECT ({LOGGED}) >= $1", before + many))
            took = time.perf_counter() - began
        await watcher.close()
        return {"rate": many / took}

    return turn


async def measure(here: Stand) -> list[Figure]:
    tenants = [await here.tenant() for _ in range(4)]
    with nats.served() as one, rabbit.own() as other, stand.sink() as sink:
        bare, heavy = Nats(one.url), Rabbit(other.url)
        figures = await lines("NATS", bare) + await lines("RabbitMQ", heavy)
        r, light_in, heavy_in = await stand.rounds(
            lambda: here.reference(stand.seconds(3)), arrivals(here, tenants, bare), arrivals(here, tenants, heavy),
            count=2,
        )  # fmt: skip
        for name, found in (("NATS", light_in), ("RabbitMQ", heavy_in)):
            note = f"{found['rate']:.0f}/s, R {r['rate']:.0f}/s"
            figures.append(
                Figure(f"{name}: in, committed, acknowledged / R", found["rate"] / r["rate"], 0.5, 1, "x", note)
            )
        with here.serving(1):
            await path.endpoints(here, tenants, sink)
        attached = (f"{one.url}?types=job.*", f"{other.url}?types=job.*")
        none, some, every = await stand.rounds(
            *(spine(here, sink, tenants, brokers) for brokers in ((), attached, (one.url, other.url))), count=2
        )
    return [
        *figures,
        Figure(
            "the path, two brokers attached / none", some["rate"] / none["rate"], 0.9, 1, "x",
            f"{stand.costs(some)}; none {stand.costs(none)}",
        ),
        Figure(
            "the path, each event to two brokers too / none", every["rate"] / none["rate"], 0.9, 1, "x",
            f"{stand.costs(every)}; {every['whole']:.0f} events/s until both had all",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    stand.main(measure)
