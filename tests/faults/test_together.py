"""Everything at once: brokers stopped and wiped, the database restarted, processes killed, receivers failing.

Nothing that was acknowledged is lost, on any way; nothing that came in counts twice; all of it is at rest 120 s after.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import pytest

from crosstie.kit import ids
from tests.faults.rig import Note, Rig, open_type
from tests.faults.test_crash import approve, storm
from tests.faults.wire import Wire, wired
from tests.parts.command import Command
from tests.stage import PATIENCE, Tenant

#: seconds from the last fault until nothing waits; share of requests that receivers refuse; rounds of the long form
HEALED, FAILING = 120.0, 0.1
ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "8"))
#: what brokers are to have: they begin with what is committed once a worker has named them
SINCE = "SELECT event_id FROM events WHERE id >= $1 AND xid >= (SELECT max(xid) FROM brokers)"
LOGGED = "SELECT event_id FROM events WHERE tenant_id = $1 AND actor_type = 'broker'"


@pytest.fixture
def light() -> Iterator[Wire]:
    """NATS: it is wiped, so what it acknowledged is lost."""
    with wired("nats") as found:
        yield found


@pytest.fixture
def heavy() -> Iterator[Wire]:
    """RabbitMQ: it is killed; what it confirmed is on its disk."""
    with wired("rabbit") as found:
        yield found


class Speaker:
    """An outside system that says each event until the broker has confirmed it, and may then say it again."""

    def __init__(self, wire: Wire, tenant: Tenant) -> None:
        self.wire, self.tenant = wire, tenant
        self.said: set[str] = set()

    def body(self, type: str, id: str, data: dict[str, Any]) -> bytes:
        """An event about something of its own, so that none stands in another's lane."""
        event = {"event_id": id, "event_type": type, "tenant_id": str(self.tenant.id), "data": data}
        return json.dumps(event | {"subject": {"type": "lane", "id": id}}).encode()

    async def run(self) -> None:
        type, example = open_type()
        while True:
            batch = {f"{type} {id}": self.body(type, id, example) for id in (uuid4().hex for _ in range(25))}
            confirmed = False
            while not confirmed:
                with suppress(OSError, TimeoutError, aio_pika.exceptions.AMQPError):
                    await asyncio.wait_for(self.wire.say(batch), 10)
                    confirmed = True
                await asyncio.sleep(0.3)
            self.said |= {name.partition(" ")[2] for name in batch}


async def column(rig: Rig, query: str, *arguments: object) -> list[str]:
    connection = await rig.stage.superuser()
    try:
        return [row[0] for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def held(wire: Wire, wanted: set[str]) -> None:
    """Return when a broker keeps all of these events for whoever listens."""
    end = asyncio.get_running_loop().time() + 2 * PATIENCE
    while missing := wanted - {event["event_id"] for event in await wire.kept()}:
        assert asyncio.get_running_loop().time() < end, f"{len(missing)} of {len(wanted)} are missing"


def restart(wire: Wire, *, wiped: bool, pause: float = 0) -> None:
    wire.stop()
    if wiped:
        wire.wipe()
    if pause:
        asyncio.run(asyncio.sleep(pause))
    wire.start()


async def everything(rig: Rig, light: Wire, heavy: Wire, rounds: int) -> dict[str, object]:
    """The whole run; its figures."""
    since, began = datetime.now(UTC), ids.floor(datetime.now(UTC))
    rig.brokers = (light.url, heavy.url)
    await heavy.ready()
    speaker = Speaker(heavy, await rig.tenant())
    speaking = asyncio.create_task(speaker.run())
    faults = [
        lambda: asyncio.to_thread(restart, light, wiped=False, pause=2),
        lambda: asyncio.gather(
            asyncio.to_thread(restart, light, wiped=True),
            asyncio.to_thread(restart, heavy, wiped=False),
            rig.crash_database("immediate"),
            rig.crash("worker"),
        ),
        lambda: asyncio.gather(asyncio.to_thread(restart, heavy, wiped=False, pause=1), rig.crash("both")),
    ]

    async def quiet() -> None:
        """What is said when all is well again proves nothing."""
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)

    figures = await storm(rig, [*faults * rounds, quiet], pause=0.15, failing=FAILING, drain=HEALED)
    await heavy.settled()
    await rig.drained([speaker.tenant], HEALED)

    came = Counter(await column(rig, LOGGED, speaker.tenant.id))
    figures |= {"came": len(came), "doubled": sum(count > 1 for count in came.values())}
    figures |= {"unheard": len(speaker.said - came.keys())}
    logged = set(await column(rig, SINCE, began))
    await held(heavy, logged)
    environ = {"CROSSTIE_BROKERS": ",".join(rig.brokers), "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8"}
    words = ("events", "republish", "--since", since.isoformat(), "--broker", light.url, "-o", "jsonl")
    assert (await asyncio.to_thread(Command(rig.home, environ), *words)).many
    await held(light, logged)
    letters = "SELECT cause FROM dead_letters WHERE id >= $1"
    return figures | {"logged": len(logged), "dead": await column(rig, letters, began)}


def judge(figures: dict[str, object]) -> None:
    approve(figures)
    assert (figures["doubled"], figures["unheard"], figures["dead"]) == (0, 0, []), figures


@pytest.mark.alone("everything is at rest HEALED seconds after the last fault")
@pytest.mark.timeout(900)
async def test_nothing_is_lost_when_everything_fails_at_once(rig: Rig, light: Wire, heavy: Wire, note: Note) -> None:
    figures = await everything(rig, light, heavy, 1)
    note("figures", figures)
    judge(figures)


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_nothing_is_lost_when_everything_fails_for_long(rig: Rig, light: Wire, heavy: Wire, note: Note) -> None:
    figures = await everything(rig, light, heavy, ROUNDS)
    note("figures", figures)
    judge(figures)
