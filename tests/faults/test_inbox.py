"""kill -9 between the commit and the acknowledgement of what came from a broker: it comes again, and counts once."""

from __future__ import annotations

import asyncio
import json
import signal
from uuid import uuid4

import pytest

from tests.faults.rig import Rig, open_type
from tests.faults.wire import Wire
from tests.stage import Tenant

pytestmark = pytest.mark.timeout(500)
#: messages of one turn, and turns in which a kill should hit the gap
MANY, TURNS = 2_000, 12
LOGGED = "SELECT count(*) FROM events WHERE tenant_id = $1 AND actor_type = 'broker'"


async def speak(wire: Wire, tenant: Tenant) -> None:
    """New events, each with an id of its own."""
    type, example = open_type()
    word = uuid4().hex
    await wire.say({
        f"{type} {number}": json.dumps(
            {"event_id": f"{word}-{number}", "event_type": type, "tenant_id": str(tenant.id), "data": example}
        ).encode()
        for number in range(MANY)
    })  # fmt: skip


async def test_what_was_committed_and_not_acknowledged_counts_once(rig: Rig, wire: Wire) -> None:
    rig.brokers = (wire.url,)
    tenant = await rig.tenant()
    said = again = 0
    for _ in range(TURNS):
        before = await rig.ask(LOGGED, tenant.id)
        rig.start("worker", "worker")
        await rig.ready()
        await wire.opened()
        await speak(wire, tenant)
        said += MANY
        await rig.until(f"SELECT ({LOGGED}) > $2", tenant.id, before + 200)
        rig.signal("worker", signal.SIGKILL)
        await asyncio.sleep(1)  # the broker takes back what it had handed out
        again = await rig.ask(LOGGED, tenant.id) - (said - await wire.unread())
        if again > 0:
            break
    assert again > 0, "no kill fell between a commit and its acknowledgement"
    rig.start("worker", "worker")
    await rig.ready()
    await rig.until(f"SELECT ({LOGGED}) >= $2", tenant.id, said, seconds=120)
    await wire.settled()
    assert await rig.ask(LOGGED, tenant.id) == said
    assert await rig.ask("SELECT count(*) FROM dead_letters WHERE tenant_id = $1", tenant.id) == 0
