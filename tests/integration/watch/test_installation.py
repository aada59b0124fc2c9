"""The installation as its operator sees it: a broker that goes away, several processes, and one watcher among them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest
from aiohttp import web

from crosstie.app import serve
from tests.integration.watch.test_alerts import Body, endpoint, integration, listed, of_kind, told, until
from tests.integration.watch.test_metrics import scraped, total
from tests.parts import nats
from tests.parts.command import Command
from tests.receiver import Receiver
from tests.stage import Stage, calling, staged


@dataclass(frozen=True)
class Firm:
    """An installation with a broker, the operator's own tenant, and the commands of the operator."""

    stage: Stage
    broker: nats.NatsServer
    command: Command
    key: str

    def operator(self) -> httpx2.AsyncClient:
        """A client of the operator's tenant."""
        return calling(self.stage.url, headers={"authorization": f"Bearer {self.key}"})


@pytest.fixture(scope="module")
def firm() -> Iterator[Firm]:
    """One for the whole file."""
    if nats.PROGRAM is None:
        pytest.skip("nats-server is not installed")
    with nats.served() as server, staged(brokers=(f"{server.url}?name=events",), operator_tenant="ops") as stage:
        environ = {"CROSSTIE_PORT": str(stage.port), "CROSSTIE_BROKERS": f"{server.url}?name=events"}
        command = Command(stage.home, environ)
        command("tenants", "create", "--slug", "ops", "--name", "Operations")
        key = command("keys", "create", "--tenant", "ops", "--name", "watch", "--scopes", "*").one["key"]
        yield Firm(stage, server, command, key)


@asynccontextmanager
async def worker(stage: Stage) -> AsyncIterator[None]:
    """One more worker of the installation."""
    stop = asyncio.Event()
    running = asyncio.create_task(serve(stage.settings, stage.dsns, api=False, work=True, name="more", stop=stop))
    await asyncio.sleep(2)
    yield
    stop.set()
    await running


async def rule(client: httpx2.AsyncClient, kind: str) -> str:
    (found,) = await until(lambda: listed(client, "alert-rules", kind=kind), f"the rule {kind}")
    return f"/api/v1/alert-rules/{found['id']}"


async def test_a_broker_that_goes_away_is_seen_everywhere(firm: Firm) -> None:
    tenant = await firm.stage.tenant()
    async with tenant.client() as client, firm.operator() as operator:

        async def broker(status: str) -> Body | None:
            found = await listed(client, "integrations", kind="broker")
            return next((each for each in found if each["status"] == status), None)

        await until(lambda: broker("up"), "the broker is up")
        assert firm.command("status").one["brokers"][0]["status"] == "up"
        finding = {each["name"]: each for each in firm.command("doctor").many}["broker events"]
        assert finding["state"] == "ok"
        answer = await operator.patch(await rule(operator, "broker_away"), json={"threshold": "1"})
        assert answer.status_code == 200, answer.text

        await asyncio.to_thread(firm.broker.stop)
        await client.post("/api/v1/clients", json={"name": "Waits"})
        down = await until(lambda: broker("down"), "the broker is down")
        assert down["name"] == "events"
        assert down["reason"]
        (alert,) = await until(lambda: of_kind(client, "unavailable", "firing"), "the tenant is told")
        assert alert["subject_id"] == down["id"]
        (alert,) = await until(lambda: of_kind(operator, "broker_away", "firing"), "the operator is told")
        assert alert["subject"] == "events"
        assert not await listed(client, "alerts", kind="broker_away")
        seen = await scraped(client)
        assert total(seen, "crosstie_line_up", kind="broker") == 0
        assert total(seen, "crosstie_alerts_firing", kind="unavailable") >= 1
        shown = await asyncio.to_thread(firm.command, "status")
        assert shown.one["ready"] is True
        assert shown.one["brokers"][0]["status"] == "down"
        assert {"broker_away", "unavailable"} <= {each["kind"] for each in shown.one["alerts"]}
        assert shown.one["integrations"]["down"] >= 1
        examined = await asyncio.to_thread(firm.command, "doctor")
        assert examined.code == 1
        findings = [json.loads(line) for line in examined.out.splitlines()]
        assert {each["name"]: each for each in findings}["broker events"]["state"] == "fail"

        await asyncio.to_thread(firm.broker.start)
        await until(lambda: broker("up"), "the broker is up again")
        await until(lambda: of_kind(client, "unavailable", "resolved"), "the tenant is told of the end")
        await until(lambda: of_kind(operator, "broker_away", "resolved"), "the operator, too")


async def test_what_waits_for_long_is_an_alert(firm: Firm) -> None:
    tenant = await firm.stage.tenant()
    async with tenant.client() as client:
        await client.patch(await rule(client, "backlog_age"), json={"threshold": "2", "clear_seconds": 0})
        await client.post("/api/v1/clients", json={"name": "Goes"})

        async def gone() -> bool:
            return "broker" in {each["sink"] for each in await listed(client, "deliveries")}

        await until(gone, "the broker has the tenant's first event")
        await asyncio.to_thread(firm.broker.stop)
        await client.post("/api/v1/clients", json={"name": "Waits"})
        (alert,) = await until(lambda: of_kind(client, "backlog_age", "firing"), "what waits is an alert")
        assert float(alert["value"]) > 2
        assert (await integration(client, alert["subject_id"]))["oldest_due_at"] is not None
        await asyncio.to_thread(firm.broker.start)
        await until(lambda: of_kind(client, "backlog_age", "resolved"), "nothing waits")


async def test_two_workers_watch_once_and_another_goes_on(firm: Firm, receiver: Receiver) -> None:
    tenant = await firm.stage.tenant()
    receiver.answer = lambda received: web.Response(status=503)
    async with tenant.client() as client, worker(firm.stage):
        assert len(firm.command("status").one["processes"]) >= 2
        made = await endpoint(client, receiver)
        await client.post("/api/v1/clients", json={"name": "A"})
        await until(lambda: of_kind(client, "unavailable", "firing"), "the alert fires")
        await asyncio.sleep(11)
        assert len(await told(client, "integration.down")) == 1
        assert len(await told(client, "alert.firing")) == 1
    async with tenant.client() as client:  # one of the two is gone, whichever looked last
        receiver.answer = lambda received: web.Response(status=204)
        await until(lambda: of_kind(client, "unavailable", "resolved"), "another goes on")
        assert len(await told(client, "alert.resolved")) == 1
        assert (await integration(client, made["id"]))["status"] in ("up", "degraded")


async def test_the_failure_rate_fires_above_its_threshold_and_ends(firm: Firm, receiver: Receiver) -> None:
    tenant = await firm.stage.tenant()
    async with tenant.client() as client:
        path = await rule(client, "failure_rate")
        await client.patch(path, json={"window_seconds": 60, "clear_seconds": 5})
        made = await endpoint(client, receiver, retry_schedule=[3600], event_types=["client.created"])

        async def sent(count: int, status: int) -> None:
            receiver.answer = lambda received: web.Response(status=status)
            before = len(receiver.got)
            for number in range(count):
                await client.post("/api/v1/clients", json={"name": f"C{number}"})
            await receiver.wait(before + count)

        await sent(95, 204)
        await sent(5, 500)

        async def counted(calls: int) -> Body | None:
            found = await integration(client, made["id"])
            return found if found["calls"] == calls else None

        found = await until(lambda: counted(100), "100 calls are counted")
        assert found["failures"] == 5
        await asyncio.sleep(11)
        assert not await listed(client, "alerts", kind="failure_rate")  # five percent is not above five percent
        await sent(1, 500)
        (alert,) = await until(lambda: of_kind(client, "failure_rate", "firing"), "the alert fires")
        assert float(alert["value"]) > 5
        await until(lambda: of_kind(client, "failure_rate", "resolved"), "the window is over")
