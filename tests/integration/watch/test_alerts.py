"""Health and alerts, with a receiver that really fails: what fires, for how long, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from aiohttp import web

from tests.receiver import Receiver
from tests.stage import Stage, Tenant

Body = dict[str, Any]
#: seconds in which the watcher has surely looked twice, also where many keep the machine busy
PATIENCE = 150


async def until(ask: Callable[[], Awaitable[Any]], what: str) -> Any:
    """What `ask` answers, once it is something."""
    for _ in range(PATIENCE * 4):
        found = await ask()
        if found:
            return found
        await asyncio.sleep(0.25)
    raise TimeoutError(what)


async def listed(client: httpx2.AsyncClient, noun: str, **query: str) -> list[Body]:
    answer = await client.get(f"/api/v1/{noun}", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def endpoint(client: httpx2.AsyncClient, receiver: Receiver, **more: Any) -> Body:
    body = {"url": receiver.url, "event_types": ["client.*"], "retry_schedule": [1] * 30, **more}
    answer = await client.post("/api/v1/webhook-endpoints", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def integration(client: httpx2.AsyncClient, id: str) -> Body:
    answer = await client.get(f"/api/v1/integrations/{id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def of_kind(client: httpx2.AsyncClient, kind: str, status: str) -> list[Body]:
    return await listed(client, "alerts", kind=kind, status=status)


async def told(client: httpx2.AsyncClient, event_type: str) -> list[Body]:
    answer = await client.get("/api/v1/events", params={"event_type": event_type})
    return list(answer.json()["data"])


async def test_every_tenant_has_the_usual_rules(client: httpx2.AsyncClient) -> None:
    rules = {rule["kind"]: rule for rule in await listed(client, "alert-rules")}
    assert set(rules) == {"failure_rate", "unavailable", "timeouts", "dead_letters", "backlog_age"}
    assert rules["failure_rate"]["threshold"] == "5"
    again = await listed(client, "alert-rules")
    assert {rule["id"] for rule in again} == {rule["id"] for rule in rules.values()}
    one = f"/api/v1/alert-rules/{rules['timeouts']['id']}"
    refused = await client.delete(one)
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")
    assert (await client.post(f"{one}/disable")).json()["status"] == "disabled"
    assert (await client.patch(one, json={"threshold": "3"})).json()["threshold"] == "3"
    assert len(await listed(client, "alert-rules")) == 5


async def test_rules_of_the_installation_are_the_operators(client: httpx2.AsyncClient) -> None:
    body = {"name": "Mine", "kind": "broker_away", "threshold": "1"}
    answer = await client.post("/api/v1/alert-rules", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/kind")


async def test_a_receiver_that_fails_is_down_fires_and_comes_back(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    made = await endpoint(client, receiver)
    receiver.answer = lambda received: web.Response(status=503)
    before = await integration(client, made["id"])
    assert (before["status"], before["calls"], before["kind"]) == ("up", 0, "webhook_endpoint")
    await client.post("/api/v1/clients", json={"name": "A"})

    async def down() -> Body | None:
        found = await integration(client, made["id"])
        return found if found["status"] == "down" else None

    found = await until(down, "the endpoint is down")
    assert "http_503" in found["reason"]
    assert found["failures"] == found["calls"] >= 3
    assert found["since"] >= before["since"]
    (alert,) = await until(lambda: of_kind(client, "unavailable", "firing"), "the alert fires")
    assert alert["subject_id"] == made["id"]
    assert [event["data"]["alert_id"] for event in await told(client, "alert.firing")].count(alert["id"]) == 1
    assert await told(client, "integration.down")
    taken = await client.post(f"/api/v1/alerts/{alert['id']}/acknowledge")
    assert taken.json()["acknowledged_by"].startswith("api_key:")
    (entry,) = await listed(client, "audit-entries", request_id=taken.headers["x-request-id"])
    assert (entry["action"], entry["target"]) == ("alerts.acknowledge", {"type": "alert", "id": alert["id"]})

    receiver.answer = lambda received: web.Response(status=204)
    (over,) = await until(lambda: of_kind(client, "unavailable", "resolved"), "the alert is over")
    assert over["id"] == alert["id"]
    assert over["resolved_at"] > over["fired_at"]
    assert (await integration(client, made["id"]))["status"] in ("up", "degraded")
    assert len(await told(client, "alert.resolved")) >= 1
    assert await told(client, "integration.up") or await told(client, "integration.degraded")


async def test_dead_letters_are_an_alert(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await endpoint(client, receiver, retry_schedule=[1])
    receiver.answer = lambda received: web.Response(status=400)
    await client.post("/api/v1/clients", json={"name": "A"})
    (alert,) = await until(lambda: of_kind(client, "dead_letters", "firing"), "the alert fires")
    assert alert["subject"] == "deliveries"
    assert float(alert["value"]) == len(await listed(client, "dead-letters"))


async def test_a_slow_receiver_is_an_alert(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    async def never(received: object) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    made = await endpoint(client, receiver, timeout_seconds=1)
    receiver.answer = never
    await client.post("/api/v1/clients", json={"name": "A"})
    (alert,) = await until(lambda: of_kind(client, "timeouts", "firing"), "the alert fires")
    assert alert["subject_id"] == made["id"]
    assert (await integration(client, made["id"]))["timeouts"] >= 1


async def test_a_muted_rule_fires_nothing(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await endpoint(client, receiver, retry_schedule=[1])
    receiver.answer = lambda received: web.Response(status=400)
    (rule,) = await listed(client, "alert-rules", kind="dead_letters")
    assert (await client.post(f"/api/v1/alert-rules/{rule['id']}/mute", json={})).json()["status"] == "muted"
    await client.post("/api/v1/clients", json={"name": "A"})
    await until(lambda: of_kind(client, "dead_letters", "pending"), "the alert is pending")
    await asyncio.sleep(12)
    assert not await of_kind(client, "dead_letters", "firing")
    await client.post(f"/api/v1/alert-rules/{rule['id']}/unmute")
    await until(lambda: of_kind(client, "dead_letters", "firing"), "it fires when it may")


async def test_quantiles_are_those_of_the_attempts(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    waits = [0.02 * (number % 20 + 1) for number in range(60)]

    async def answer(received: Any) -> web.Response:
        await asyncio.sleep(waits[received.number % len(waits)])
        return web.Response(status=204)

    made = await endpoint(client, receiver)
    receiver.answer = answer
    for number in range(60):
        await client.post("/api/v1/clients", json={"name": f"C{number}"})
    await receiver.wait(60)

    async def counted() -> Body | None:
        found = await integration(client, made["id"])
        return found if found["calls"] == 60 else None

    found = await until(counted, "all are counted")
    raw = []
    for delivery in await listed(client, "deliveries", endpoint_id=made["id"], limit="200"):
        attempts = (await client.get(f"/api/v1/deliveries/{delivery['id']}/attempts")).json()["data"]
        raw += [attempt["duration_ms"] for attempt in attempts]
    raw.sort()
    for name, rank in (("p50_ms", 30), ("p95_ms", 57), ("p99_ms", 60)):
        assert abs(found[name] - raw[rank - 1]) <= 0.05 * raw[rank - 1] + 1, (name, found[name], raw[rank - 1])


async def test_an_endpoint_that_is_gone_is_no_integration(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    made = await endpoint(client, receiver)
    await client.post(f"/api/v1/webhook-endpoints/{made['id']}/disable")
    assert (await integration(client, made["id"]))["status"] == "disabled"
    await client.delete(f"/api/v1/webhook-endpoints/{made['id']}")
    assert (await client.get(f"/api/v1/integrations/{made['id']}")).status_code == 404


async def test_nobody_sees_the_alerts_of_others(stage: Stage, client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await endpoint(client, receiver)
    assert len(await listed(client, "integrations", kind="webhook_endpoint")) == 1
    other: Tenant = await stage.tenant()
    async with other.client() as stranger:
        assert not await listed(stranger, "integrations", kind="webhook_endpoint")


async def test_what_stays_down_is_down_for_longer_and_longer(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await endpoint(client, receiver, retry_schedule=[1, 1, 3600])
    receiver.answer = lambda received: web.Response(status=503)
    body = {"name": "Down for long", "kind": "unavailable", "threshold": "15"}
    made = await client.post("/api/v1/alert-rules", json=body)
    assert made.status_code == 201, made.text
    await client.post("/api/v1/clients", json={"name": "A"})

    async def long() -> list[Body]:
        return [each for each in await of_kind(client, "unavailable", "firing") if each["rule_id"] == made.json()["id"]]

    (alert,) = await until(long, "nothing is called any more, and yet it fires")
    assert float(alert["value"]) > 15


async def test_what_cannot_be_looked_at_keeps_nobody_else_from_it(stage: Stage, receiver: Receiver) -> None:
    """Tenants are looked at in the order in which they were made: the one in trouble is first."""
    boss = await stage.superuser()
    odd, next = await stage.tenant(), await stage.tenant()
    receiver.answer = lambda received: web.Response(status=400)
    async with odd.client() as first, next.client() as second:
        broken = await endpoint(first, receiver)
        await boss.execute("UPDATE webhook_endpoints SET url = 'http://[' WHERE id = $1", broken["id"])
        await first.post("/api/v1/clients", json={"name": "A"})
        await endpoint(second, receiver, retry_schedule=[1])
        await second.post("/api/v1/clients", json={"name": "A"})
        await until(lambda: of_kind(second, "dead_letters", "firing"), "the others are looked at")
        await boss.execute("DELETE FROM webhook_endpoints WHERE id = $1", broken["id"])
    await boss.close()
