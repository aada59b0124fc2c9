"""Brokers for some tenants only, under the bare names that the partner services use, in streams that are theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import aio_pika
import nats as client
import pytest

from tests.integration.broker.peer import polled
from tests.parts import nats, rabbit
from tests.stage import PATIENCE, Stage, Tenant, staged

FIRM = "savanna"
INVOICE = {"invoice_id": "i-1", "status": "sent"}


@dataclass(frozen=True)
class Narrow:
    """An installation on two brokers that are for one tenant."""

    stage: Stage
    nats: str
    rabbit: str
    firm: Tenant
    other: Tenant


@pytest.fixture(scope="module")
def narrow() -> Iterator[Narrow]:
    """The partners' streams are there before Crosstie is; RabbitMQ is a server of its own: bare names are shared."""
    if nats.PROGRAM is None or rabbit.PROGRAM is None:
        pytest.skip("nats-server or rabbitmq-server is not installed")
    with nats.served() as server, rabbit.own() as other:
        asyncio.run(streams(server.url))
        brokers = tuple(
            f"{url}?tenants={FIRM}&types=client.*,treasury.*&domains=isp" for url in (server.url, other.url)
        )
        names = {"broker_out": "{event_type}", "broker_in": "{event_type}"}
        with staged(brokers=brokers, **names) as stage:
            tenants = asyncio.run(both(stage))
            yield Narrow(stage, server.url, other.url, *tenants)


async def streams(url: str) -> None:
    """What the partner services keep: a stream per domain, with `.>`, for a type has three words and more."""
    connection = await client.connect(url)
    for domain in ("treasury", "client", "isp"):
        await connection.jetstream().add_stream(name=domain, subjects=[f"{domain}.>"])
    await connection.close()


async def both(stage: Stage) -> tuple[Tenant, Tenant]:
    return await stage.tenant(FIRM), await stage.tenant()


class Partner(Protocol):
    """A partner service on one broker."""

    async def open(self, narrow: Narrow) -> None: ...

    async def close(self) -> None: ...

    async def send(self, subject: str, document: dict[str, Any]) -> None: ...

    async def hear(self, domain: str) -> tuple[str, dict[str, Any]]: ...

    async def dead(self) -> str: ...


class NatsPartner:
    async def open(self, narrow: Narrow) -> None:
        self.connection = await client.connect(narrow.nats)
        self.stream = self.connection.jetstream()
        self.heard = {
            domain: await self.stream.subscribe(f"{domain}.>", ordered_consumer=True)
            for domain in ("client", "treasury")
        }
        self.aside = await self.stream.subscribe("crosstie.dead.>", ordered_consumer=True)

    async def close(self) -> None:
        await self.connection.close()

    async def send(self, subject: str, document: dict[str, Any]) -> None:
        await self.stream.publish(subject, json.dumps(document).encode())

    async def hear(self, domain: str) -> tuple[str, dict[str, Any]]:
        message = await self.heard[domain].next_msg(PATIENCE)
        return message.subject, json.loads(message.data)

    async def dead(self) -> str:
        headers = (await self.aside.next_msg(PATIENCE)).headers or {}
        return headers["Crosstie-Cause"]


class RabbitPartner:
    async def open(self, narrow: Narrow) -> None:
        self.connection = await aio_pika.connect(narrow.rabbit)
        self.channel = await self.connection.channel()
        self.topic = await self.channel.get_exchange("amq.topic")
        self.heard: dict[str, asyncio.Queue[Any]] = {}
        for domain in ("client", "treasury"):
            queue = await self.channel.declare_queue(exclusive=True)
            await queue.bind(self.topic, f"{domain}.#")
            self.heard[domain] = asyncio.Queue()
            await queue.consume(self.heard[domain].put, no_ack=True)

    async def close(self) -> None:
        await self.connection.close()

    async def send(self, subject: str, document: dict[str, Any]) -> None:
        await self.topic.publish(aio_pika.Message(json.dumps(document).encode()), subject)

    async def hear(self, domain: str) -> tuple[str, dict[str, Any]]:
        message = await asyncio.wait_for(self.heard[domain].get(), PATIENCE)
        return message.routing_key, json.loads(message.body)

    async def dead(self) -> str:
        queue = await self.channel.get_queue("crosstie.dead")
        end = asyncio.get_running_loop().time() + PATIENCE
        while (message := await queue.get(fail=False, no_ack=True)) is None:
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.05)
        return str(message.headers["Crosstie-Cause"])


@pytest.fixture(params=[NatsPartner, RabbitPartner])
async def partner(request: pytest.FixtureRequest, narrow: Narrow) -> AsyncIterator[Partner]:
    made: Partner = request.param()
    await made.open(narrow)
    yield made
    await made.close()


def outbox(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """As the partner services write it: a bare type under its aggregate."""
    found = {
        "id": str(uuid4()), "aggregate_type": "treasury", "event_type": "invoice.created", "version": "1.0",
        "aggregate_id": str(uuid4()), "tenant_id": str(tenant.id), "payload": INVOICE,
    }  # fmt: skip
    return found | changes


async def test_only_its_own_tenants_events_go_out_under_their_bare_names(narrow: Narrow, partner: Partner) -> None:
    name = uuid4().hex
    for tenant in (narrow.other, narrow.firm):
        async with tenant.client() as api:
            assert (await api.post("/api/v1/clients", json={"name": name})).status_code == 201
            await polled(api, "/api/v1/events", 1, event_type="client.created")
    while (heard := await partner.hear("client"))[1]["data"]["name"] != name:
        pass
    assert (heard[0], heard[1]["tenant_id"]) == ("client.created", str(narrow.firm.id))
    async with narrow.other.client() as api:
        deliveries = await api.get("/api/v1/deliveries")
        assert [each for each in deliveries.json()["data"] if each["sink"] == "broker"] == []


async def test_partners_streams_are_read_and_nothing_is_sent_back_there(narrow: Narrow, partner: Partner) -> None:
    document, last = outbox(narrow.firm), outbox(narrow.firm)
    await partner.send("treasury.invoice.created", document)
    async with narrow.firm.client() as api:
        while True:
            found = await polled(api, "/api/v1/events", 1, event_type="treasury.invoice.created")
            if document["id"] in [event["event_id"] for event in found]:
                break
            await asyncio.sleep(0.05)
        sent: list[dict[str, Any]] = []
        while not sent:  # the event is in the log a moment before its deliveries are
            deliveries = await polled(api, "/api/v1/deliveries", 0, event_id=document["id"])
            sent = [each for each in deliveries if each["sink"] == "broker"]
    await partner.send("treasury.invoice.created", last)
    heard: list[str] = []
    while last["id"] not in heard:
        _, body = await partner.hear("treasury")
        heard.append(body.get("id") or body["event_id"])
    assert heard.count(document["id"]) == 1, "its sender hears its own event once"
    assert len(sent) == 1, "the other broker gets it"


async def test_a_domain_that_only_a_tenant_knows_is_read_where_it_is_named(narrow: Narrow, partner: Partner) -> None:
    async with narrow.firm.client() as api:
        given = {"name": "isp.payment.received", "summary": "A customer paid.", "data_schema": {"type": "object"}}
        assert (await api.post("/api/v1/event-types", json=given)).status_code in (201, 409)
        document = outbox(narrow.firm, aggregate_type="isp", event_type="payment.received", aggregate_id="PAY-7")
        await partner.send("isp.payment.received", document)
        async with asyncio.timeout(PATIENCE):
            found: list[str] = []
            while document["id"] not in found:
                events = await polled(api, "/api/v1/events", 1, event_type="isp.payment.received")
                found = [event["event_id"] for event in events]


async def test_a_refused_tenants_event_stays_where_it_can_be_seen(narrow: Narrow, partner: Partner) -> None:
    await partner.send("treasury.invoice.created", outbox(narrow.other))
    await partner.send("treasury.invoice.created", outbox(narrow.firm, tenant_id=str(uuid4())))
    assert sorted([await partner.dead() for _ in range(2)]) == ["tenant_forbidden", "tenant_unknown"]
    async with narrow.other.client() as api:
        for path in ("/api/v1/dead-letters", "/api/v1/events?event_type=treasury.*"):
            assert (await api.get(path)).json()["data"] == []
