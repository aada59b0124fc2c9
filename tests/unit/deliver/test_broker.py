"""A broker that hangs, breaks or refuses; and what an entry of the setting means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from crosstie.deliver.broker.address import Address, parse
from crosstie.deliver.broker.broker import Broker
from crosstie.deliver.broker.line import WINDOW, Away, Incoming, Names, Outgoing, Refused, prefix
from crosstie.log.event import Event

EVENT = Event(uuid4(), uuid4(), "e1", "job.created", 1, datetime(2026, 3, 1, tzinfo=UTC), "{}")


class Toy:
    """A line in memory: `answer` is what a publication meets."""

    def __init__(self) -> None:
        self.answer: BaseException | asyncio.Event | None = None
        self.opened = 0
        self.broken = asyncio.Event()

    async def open(self) -> None:
        self.opened += 1
        self.broken.clear()
        if self.opened == 1:
            raise OSError("no route to amqp://u:hunter2@h")

    async def closed(self) -> None:
        await self.broken.wait()

    async def close(self) -> None:
        self.broken.set()

    async def publish(self, message: Outgoing) -> None:
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is not None:
            await self.answer.wait()

    async def take(self) -> Sequence[Incoming]:
        await asyncio.Event().wait()
        return ()


async def until(holds: Callable[[], bool]) -> None:
    """Return when it holds."""
    for _ in range(3000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@asynccontextmanager
async def connected(line: Toy, confirm: float = 30.0) -> AsyncIterator[Broker]:
    broker = Broker(parse("amqp://u:hunter2@h"), line, confirm=confirm, place=0.01)
    task = asyncio.create_task(broker.run())
    await until(broker.ready)
    yield broker
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_is_ready_only_while_connected(capsys: pytest.CaptureFixture[str]) -> None:
    line = Toy()
    broker = Broker(parse("amqp://u:hunter2@h"), line)
    assert not broker.ready()
    with pytest.raises(Away):
        await broker.send(Outgoing(EVENT))
    async with connected(line) as broker:
        assert line.opened == 2  # the first attempt failed
        await broker.send(Outgoing(EVENT))
        line.broken.set()
        await until(lambda: line.opened > 2)
    shown = capsys.readouterr()
    assert "broker.away" in shown.out
    assert "hunter2" not in shown.out + shown.err


async def test_one_that_does_not_confirm_rests() -> None:
    line = Toy()
    line.answer = asyncio.Event()
    async with connected(line, confirm=0.01) as broker:
        with pytest.raises(Away, match="confirm"):
            await broker.send(Outgoing(EVENT))
        assert not broker.ready()


async def test_no_more_wait_at_one_broker_than_its_window_holds() -> None:
    line = Toy()
    line.answer = asyncio.Event()
    async with connected(line) as broker:
        sends = [asyncio.create_task(broker.send(Outgoing(EVENT))) for _ in range(WINDOW)]
        await asyncio.sleep(0)
        with pytest.raises(Away, match="window"):
            await broker.send(Outgoing(EVENT))
        assert not broker.ready()
        line.answer.set()
        await asyncio.gather(*sends)


async def test_a_client_that_cancels_what_waits_cancels_nobody_else() -> None:
    line = Toy()
    line.answer = asyncio.CancelledError()
    async with connected(line) as broker:
        with pytest.raises(Away, match="broke"):
            await broker.send(Outgoing(EVENT))


async def test_a_fault_says_what_it_is_without_the_credential() -> None:
    line = Toy()
    async with connected(line) as broker:
        line.answer = ValueError("no hunter2 here")
        with pytest.raises(Away, match=r"ValueError: no \*\*\* here"):
            await broker.send(Outgoing(EVENT))
        line.answer = Refused("too_large", "…")
        with pytest.raises(Refused):
            await broker.send(Outgoing(EVENT))


def test_entries_of_the_setting() -> None:
    entry = parse("nats://u:p%40ss@h:4333?tenants=a,b&types=job.*&name=main")
    assert (entry.name, entry.url, entry.types) == ("main", "nats://u:p%40ss@h:4333", ("job.*",))
    assert (entry.allows("a"), entry.allows("c")) == (True, False)
    assert entry.hide("u:p%40ss, p@ss") == "u:***, ***"
    assert "ss@h" not in repr(entry)
    plain = parse("amqp://u:p@[::1]/vhost?heartbeat=5")
    assert (plain.name, plain.url) == ("amqp://[::1]:5672/vhost", "amqp://u:p@[::1]/vhost?heartbeat=5")
    assert plain.allows("anybody")
    celery = parse("celery+amqp://h/?queue=q&task=t")
    assert (celery.celery, celery.scheme, celery.options) == (True, "amqp", {"queue": "q", "task": "t"})


def test_a_tenants_way_has_the_same_id_everywhere() -> None:
    tenant = UUID(int=1)
    one, same = parse("nats://a:b@h"), parse("nats://c:d@h:4222?tenants=x")
    assert one.route(tenant) == same.route(tenant) != one.route(UUID(int=2))
    assert one.route(tenant) != parse("nats://h2").route(tenant)
    assert Address("nats", "", "n").source == "broker:n"


def test_templates_and_deduplication() -> None:
    assert [prefix(t) for t in ("crosstie.out.{event_type}", "{event_type}")] == ["crosstie.out", ""]
    assert Outgoing(EVENT).deduplication == f"{EVENT.tenant_id}.{EVENT.id}"
    assert Outgoing(EVENT, 2).deduplication == f"{EVENT.tenant_id}.{EVENT.id}.r2"
    assert Names().out.format(event_type="a.b") == "crosstie.out.a.b"
