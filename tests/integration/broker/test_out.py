"""Events leave to brokers: as an ordinary consumer of NATS or RabbitMQ meets them."""

from __future__ import annotations

import json
from typing import Any

import nats

from tests.parts.nats import NatsServer
from tests.stage import Stage


async def test_an_event_reaches_a_stock_nats_consumer(hub: Stage, nats_server: NatsServer) -> None:
    tenant = await hub.tenant()
    async with tenant.client() as client:
        made = (await client.post("/api/v1/clients", json={"name": "Acme"})).json()
        for number in range(5):
            await client.patch(f"/api/v1/clients/{made['id']}", json={"name": f"Acme {number}"})
        logged = (await client.get("/api/v1/events", params={"sort": "created_at"})).json()["data"]
    connection = await nats.connect(nats_server.url)
    consumer = await connection.jetstream().subscribe("crosstie.out.>", ordered_consumer=True)
    got: list[tuple[dict[str, str], str, Any]] = []
    while len(got) < len(logged):
        message = await consumer.next_msg(30)
        document = json.loads(message.data)
        if document["tenant_id"] == str(tenant.id):
            got.append((dict(message.headers or {}), message.subject, document))
    await connection.close()
    assert [document for *_, document in got if document["subject"]] == [e for e in logged if e["subject"]]
    for headers, subject, document in got:
        assert subject == f"crosstie.out.{document['event_type']}"
        assert headers["Crosstie-Event-Id"] == document["event_id"]
        assert headers["Nats-Msg-Id"].startswith(f"{tenant.id}.")
    assert len({headers["Nats-Msg-Id"] for headers, *_ in got}) == len(got)
