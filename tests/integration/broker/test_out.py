"""Events leave to brokers: as an ordinary consumer of NATS or RabbitMQ meets them."""

from __future__ import annotations

from tests.fence import fence, until
from tests.integration.broker.conftest import Hub
from tests.integration.broker.peer import Heard, Peer, of


async def test_an_outside_system_hears_of_every_event_in_order(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    async with tenant.client() as client:
        made = (await client.post("/api/v1/clients", json={"name": "Acme"})).json()
        for number in range(5):
            await client.patch(f"/api/v1/clients/{made['id']}", json={"name": f"Acme {number}"})
        await fence(client)
        logged = (await client.get("/api/v1/events", params={"sort": "created_at"})).json()["data"]
        got: list[Heard] = []
        while not {event["event_id"] for event in logged} <= {message.event["event_id"] for message in got}:
            got += await of(peer, tenant, 1)
        heard = [message.event for message in got]
        assert [event for event in logged if event not in heard] == [], "each as it stands in the log"
        about = [event["sequence"] for event in heard if event["subject"] == {"type": "client", "id": made["id"]}]
        assert about == [1, 2, 3, 4, 5, 6]
        for message in got:
            assert message.topic == message.event["event_type"] == message.headers["Crosstie-Event-Type"]
            assert message.headers["Crosstie-Event-Id"] == message.event["event_id"]
            assert message.headers["Crosstie-Tenant-Id"] == str(tenant.id)
            assert message.headers.get("Nats-Msg-Id", f"{tenant.id}.").startswith(f"{tenant.id}.")

        async def noted() -> bool:  # a delivery is written down after the broker has confirmed it
            sent = await client.get("/api/v1/deliveries", params={"event_id": logged[0]["event_id"]})
            return "broker" in {delivery["sink"] for delivery in sent.json()["data"]}

        await until(noted)
