"""The sandbox's counterparts tell by a broker what they did, and Crosstie hears of it once."""

from __future__ import annotations

import json

import nats as library
import pytest

from crosstie.contracts.services import SERVICES
from crosstie.sandbox.back import Target
from tests.contract.sandbox.test_contract import call
from tests.fence import until
from tests.integration.broker.conftest import Hub
from tests.parts import nats
from tests.parts.outside import standing


@pytest.mark.parametrize("kind", ["nats", "rabbit"])
async def test_what_counterparts_tell_comes_by_the_broker(hub: Hub, kind: str) -> None:
    tenant = await hub.stage.tenant()
    url = {"nats": hub.nats, "rabbit": hub.rabbit}[kind]
    with standing() as outside, outside.client() as caller:
        outside.target = Target(f"{url}?prefix={hub.word}.in", str(tenant.id))
        for service, name in (("treasury", "create_bill"), ("logistics", "create_shipment")):
            operation = SERVICES[service].operation(name)
            assert call(caller, service, operation, operation.example).is_success
        outside.until(lambda: {each["state"] for each in outside.listed("events")} == {"heard"})
        sent = {each["id"]: json.loads(each["data"]) for each in outside.listed("events")}
    async with tenant.client() as client:

        async def logged() -> bool:
            kept = (await client.get("/api/v1/events", params={"limit": 200})).json()["data"]
            found = {each["event_id"]: each["data"] for each in kept if each["event_id"] in sent}
            return found == sent and all(each["actor"]["type"] == "broker" for each in kept if each["event_id"] in sent)

        await until(logged)


async def test_it_is_told_until_the_broker_has_it() -> None:
    """The broker is away, then it has no stream for such events, then it has one."""
    with nats.served() as server, standing() as outside, outside.client() as caller:
        server.stop()
        outside.target = Target(server.url, "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e")
        operation = SERVICES["treasury"].operation("create_bill")
        assert call(caller, "treasury", operation, operation.example).is_success
        outside.until(lambda: bool(outside.listed("events")[0]["attempts"]))
        server.start()
        outside.until(lambda: outside.listed("events")[0]["said"] == "NoStreamResponseError")
        client = await library.connect(server.url)
        await client.jetstream().add_stream(name="IN", subjects=["crosstie.in.>"])
        outside.until(lambda: {each["state"] for each in outside.listed("events")} == {"heard"})
        message = await client.jetstream().get_msg("IN", 1)
        await client.close()
        assert message.data is not None
        told = json.loads(message.data)
        assert (message.subject, told["tenant_id"]) == (f"crosstie.in.{told['event_type']}", outside.target.secret)
        assert message.headers is not None
        assert message.headers["Nats-Msg-Id"] == told["event_id"]
