"""Webhook endpoints and their deliveries, from outside."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from crosstie.kit import webhook
from tests.receiver import Received, Receiver
from tests.stage import Stage, Tenant


async def make(client: httpx2.AsyncClient, url: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/webhook-endpoints", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def make_client(client: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/clients", json={"name": "Thandi Nkosi", **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def deliveries(client: httpx2.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/deliveries", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def until(check: Any, seconds: float = 60) -> Any:
    """What an asynchronous check answers, once it is true."""
    for _ in range(int(seconds * 20)):
        found = await check()
        if found:
            return found
        await asyncio.sleep(0.05)
    raise TimeoutError("it did not come to be")


async def operation(client: httpx2.AsyncClient, answer: httpx2.Response) -> dict[str, Any]:
    """The operation of a 202, once it has ended."""
    assert answer.status_code == 202, answer.text
    where = answer.headers["location"]

    async def ended() -> dict[str, Any] | None:
        found = (await client.get(where)).json()
        return found if found["status"] in ("done", "failed") else None

    return dict(await until(ended))


async def test_secret_is_shown_once_and_rotates_with_overlap(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    endpoint = await make(client, f"{receiver.url}/", event_types=["client.*"])
    shown = (await client.get(f"/api/v1/webhook-endpoints/{endpoint['id']}")).json()
    assert "secret" not in shown
    rotated = await client.post(f"/api/v1/webhook-endpoints/{endpoint['id']}/rotate-secret", json={})
    assert rotated.status_code == 200, rotated.text
    assert rotated.json()["secret"] != endpoint["secret"]

    await make_client(client)
    (got,) = await receiver.wait(1, "client.created")

    for secret in (endpoint["secret"], rotated.json()["secret"]):
        Webhook(secret).verify(got.body.decode(), got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook.generate()).verify(got.body.decode(), got.headers)


async def test_ed25519(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    private, public = webhook.generate_pair()
    await make(client, f"{receiver.url}/", event_types=["client.created"], signature="v1a", secret=private)
    await make_client(client)
    (got,) = await receiver.wait(1, "client.created")
    webhook.verify([webhook.checker(public)], got.headers, got.body)


async def test_types_and_filter_narrow(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await make(client, f"{receiver.url}/firms", event_types=["*.created"], filter={"kind": ["firm"]})
    await make(client, f"{receiver.url}/all", event_types=["client.created"])
    await make_client(client, kind="person")
    await make_client(client, kind="firm")
    await receiver.wait(3, "client.created")
    await asyncio.sleep(0.3)
    assert [r.envelope["data"]["kind"] for r in receiver.of("client.created", "/firms")] == ["firm"]
    assert len(receiver.of("client.created", "/all")) == 2


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"url": "https://169.254.169.254/latest"}, "/url", "egress_forbidden"),
        ({"url": "http://example.com/"}, "/url", "egress_forbidden"),
        ({"event_types": ["nothing.*"]}, "/event_types/0", "unknown"),
        ({"event_types": ["job.**"]}, "/event_types/0", "pattern"),
        ({"filter": {"a..b": 1}}, "/filter/a..b", "filter"),
        ({"headers": {"Content-Length": "3"}}, "/headers/Content-Length", "header"),
        ({"headers": {"x": "a\r\nb: c"}}, "/headers/x", "header"),
        ({"secret": "whsec_short"}, "/secret", "secret"),
        ({"secret": ""}, "/secret", "secret"),
        ({"auth": {"type": "bearer", "secret": "a\r\nb: c"}}, "/auth/secret", "secret"),
        ({"auth": {"type": "api_key", "secret": "k", "header": "Host"}}, "/auth/header", "header"),
        ({"auth": {"type": "api_key", "secret": "k", "header": "Webhook-Id"}}, "/auth/header", "header"),
        ({"rate_limit": {"requests": 0, "seconds": 1}}, "/rate_limit/requests", "range"),
    ],
)
async def test_bad_endpoints_are_refused(
    client: httpx2.AsyncClient, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await client.post("/api/v1/webhook-endpoints", json={"url": "https://example.com/"} | fields)
    assert answer.status_code == 422, answer.text
    assert (answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"]) == (pointer, code)


async def test_headers_and_credential_go_along_and_stay_out_of_sight(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    auth = {"type": "bearer", "secret": "s3cret-of-the-receiver"}
    endpoint = await make(
        client, f"{receiver.url}/", event_types=["client.created"], headers={"x-firm": "acme"}, auth=auth
    )
    assert "s3cret" not in str(endpoint["auth"])
    await make_client(client)
    (got,) = await receiver.wait(1, "client.created")
    assert got.headers["authorization"] == "Bearer s3cret-of-the-receiver"
    assert got.headers["x-firm"] == "acme"
    (delivery,) = await until(lambda: deliveries(client, status="delivered"))
    attempts = (await client.get(f"/api/v1/deliveries/{delivery['id']}/attempts")).json()["data"]
    assert attempts[0]["response_status"] == 204
    assert attempts[0]["request"]["body"] == got.body.decode()
    assert "s3cret" not in str(attempts)


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ({"username": "u", "secret": "p"}, "Basic dTpw"),
        ({"secret": "u:p"}, "Basic dTpw"),
        ({"secret": "p"}, "Basic OnA="),
    ],
)
async def test_basic_has_a_name_of_its_own_or_one_inside_the_secret(
    client: httpx2.AsyncClient, receiver: Receiver, auth: dict[str, Any], sent: str
) -> None:
    await make(client, f"{receiver.url}/", event_types=["client.created"], auth=auth | {"type": "basic"})
    await make_client(client)
    (got,) = await receiver.wait(1, "client.created")
    assert got.headers["authorization"] == sent


async def test_a_header_that_is_given_as_it_is_shown_stays_as_it_is(
    client: httpx2.AsyncClient, stage: Stage, tenant: Tenant, receiver: Receiver
) -> None:
    made = await make(
        client, f"{receiver.url}/", event_types=["client.created"], headers={"X-Firm": "acme-1", "x-other": "o"}
    )
    one = f"/api/v1/webhook-endpoints/{made['id']}"
    assert made["headers"] == {"X-Firm": "***", "x-other": "***"}
    answer = await client.patch(one, json={"headers": {"x-firm": "***", "x-new": "n-1"}})
    assert answer.json()["headers"] == {"x-firm": "***", "x-new": "***"}
    await make_client(client)
    (got,) = await receiver.wait(1, "client.created")
    assert (got.headers["x-firm"], got.headers["x-new"], "x-other" in got.headers) == ("acme-1", "n-1", False)

    revision = answer.headers["etag"]
    answer = await client.patch(one, json={"headers": {"x-firm": "***", "x-new": "***"}})
    assert answer.headers["etag"] == revision, "nothing changed"
    answer = await client.patch(one, json={"headers": {"x-unknown": "***"}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/headers/x-unknown")
    superuser = await stage.superuser()
    for table in ("webhook_endpoints", "events", "audit_entries", "audit_pending", "attempts"):
        rows = await superuser.fetch(f"SELECT t::text FROM {table} t WHERE tenant_id = $1", tenant.id)
        assert not [row for row in rows if "acme-1" in str(row) or "n-1" in str(row)]
    await superuser.close()


async def test_cloudevents(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await make(client, f"{receiver.url}/", event_types=["client.created"], format="cloudevents")
    made = await make_client(client)
    for _ in range(1200):
        if receiver.got:
            break
        await asyncio.sleep(0.05)
    (got,) = receiver.got
    assert got.headers["content-type"].startswith("application/cloudevents+json")
    cloud = got.envelope
    assert (cloud["specversion"], cloud["type"], cloud["id"]) == ("1.0", "client.created", got.headers["webhook-id"])
    assert cloud["data"]["client_id"] == made["id"]


async def test_failures_are_tried_again_then_dead_then_recovered(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    receiver.answer = lambda received: web.Response(status=500, text="no")
    endpoint = await make(client, f"{receiver.url}/", event_types=["client.created"], retry_schedule=[1, 1])
    started = datetime.now(UTC)
    await make_client(client)
    (dead,) = await until(lambda: deliveries(client, status="dead"))
    assert dead["attempts"] == 3
    tried = receiver.of("client.created")
    assert len({r.headers["webhook-id"] for r in tried}) == 1
    assert len({r.body for r in tried}) == 1
    letters = (await client.get("/api/v1/dead-letters")).json()["data"]
    assert [(x["cause"], x["attempts"]) for x in letters] == [("http_500", 3)]
    assert letters[0]["event"]["event_id"] == dead["event_id"]

    receiver.answer = lambda received: web.Response(status=200)
    since = {"since": (started - timedelta(minutes=1)).isoformat()}
    path = f"/api/v1/webhook-endpoints/{endpoint['id']}"
    counted = await operation(client, await client.post(f"{path}/recover", json=since | {"dry_run": True}))
    assert counted["count"] == 1
    done = await operation(client, await client.post(f"{path}/recover", json=since))
    assert (done["count"], done["progress"]) == (1, 1)
    await until(lambda: deliveries(client, status="delivered", event_id=dead["event_id"]))
    assert (await client.get("/api/v1/dead-letters")).json()["data"] == []


async def test_replay_to_a_new_endpoint(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    started = datetime.now(UTC) - timedelta(seconds=5)
    made = [await make_client(client, name=f"Client {n}") for n in range(5)]
    endpoint = await make(client, f"{receiver.url}/late", event_types=["client.*"])
    path = f"/api/v1/webhook-endpoints/{endpoint['id']}/replay"
    done = await operation(client, await client.post(path, json={"since": started.isoformat()}))
    assert (done["count"], done["progress"]) == (5, 5)
    got = await receiver.wait(5, "client.created")
    assert {r.envelope["data"]["client_id"] for r in got} == {each["id"] for each in made}
    again = await operation(client, await client.post(path, json={"since": started.isoformat()}))
    assert again["count"] == 5
    twice = await receiver.wait(10, "client.created")
    assert len({r.headers["webhook-id"] for r in twice}) == 5


async def test_a_replay_knows_the_types_that_the_tenant_registered(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    started = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    own = {"name": "acme.meter.read", "summary": "A meter was read.", "data_schema": {"type": "object"}}
    assert (await client.post("/api/v1/event-types", json=own)).status_code == 201
    event = {"event_id": "read-1", "event_type": "acme.meter.read", "data": {}}
    assert (await client.post("/api/v1/events", json=event)).status_code == 202
    await make_client(client)
    endpoint = await make(client, f"{receiver.url}/late", event_types=["*"])
    path = f"/api/v1/webhook-endpoints/{endpoint['id']}/replay"
    done = await operation(client, await client.post(path, json={"since": started, "event_types": ["acme.*"]}))
    assert (done["count"], done["progress"]) == (1, 1)
    (got,) = await receiver.wait(1, "acme.meter.read")
    assert got.headers["webhook-id"] == "read-1"


@pytest.mark.parametrize("action", ["replay", "recover"])
@pytest.mark.parametrize(("pattern", "code"), [("**", "pattern"), ("", "pattern"), ("nothing.here", "unknown")])
async def test_a_replay_refuses_a_pattern_that_names_nothing(
    client: httpx2.AsyncClient, receiver: Receiver, action: str, pattern: str, code: str
) -> None:
    endpoint = await make(client, f"{receiver.url}/", event_types=["client.*"])
    given = {"since": "2026-01-01T00:00:00Z", "event_types": ["client.*", pattern]}
    answer = await client.post(f"/api/v1/webhook-endpoints/{endpoint['id']}/{action}", json=given)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/event_types/1", code)


async def test_410_disables_and_warns(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    def answer(received: Received) -> web.Response:
        return web.Response(status=410 if received.path == "/gone" else 204)

    receiver.answer = answer
    await make(client, f"{receiver.url}/watch", event_types=["webhook_endpoint.*", "delivery.*"])
    endpoint = await make(client, f"{receiver.url}/gone", event_types=["client.*"])
    await make_client(client)
    (warning,) = await receiver.wait(1, "webhook_endpoint.auto_disabled")
    assert warning.envelope["data"]["webhook_endpoint_id"] == endpoint["id"]
    shown = (await client.get(f"/api/v1/webhook-endpoints/{endpoint['id']}")).json()
    assert (shown["status"], "410" in shown["disabled_reason"]) == ("disabled", True)
    enabled = await client.post(f"/api/v1/webhook-endpoints/{endpoint['id']}/enable")
    assert enabled.json()["status"] == "active"


async def test_five_days_of_failures_disable(stage: Stage, client: httpx2.AsyncClient, receiver: Receiver) -> None:
    receiver.answer = lambda received: web.Response(status=204 if received.path == "/watch" else 500)
    await make(client, f"{receiver.url}/watch", event_types=["webhook_endpoint.auto_disabled"])
    endpoint = await make(client, f"{receiver.url}/broken", event_types=["client.*"], retry_schedule=[3600])
    await make_client(client)
    await until(lambda: deliveries(client, status="retrying"))
    behind = await stage.superuser()
    await behind.execute(
        "UPDATE webhook_endpoints SET failing_since = now() - interval '6 days' WHERE id = $1", UUID(endpoint["id"])
    )
    await behind.execute("UPDATE route_versions SET version = version + 1")
    await behind.close()
    await make_client(client)
    (warning,) = await receiver.wait(1, "webhook_endpoint.auto_disabled")
    assert warning.envelope["data"]["webhook_endpoint_id"] == endpoint["id"]


async def test_retry_after_is_obeyed(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    times: list[float] = []

    def answer(received: Received) -> web.Response:
        times.append(asyncio.get_event_loop().time())
        if len(times) == 1:
            return web.Response(status=429, headers={"Retry-After": "3"})
        return web.Response(status=204)

    receiver.answer = answer
    await make(client, f"{receiver.url}/", event_types=["client.created"], retry_schedule=[1])
    await make_client(client)
    await receiver.wait(2, "client.created")
    assert times[1] - times[0] >= 3


async def test_order_per_subject(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    failed: set[str] = set()

    def answer(received: Received) -> web.Response:
        id = received.headers["webhook-id"]
        if received.envelope["sequence"] == 2 and id not in failed:
            failed.add(id)
            return web.Response(status=500)
        return web.Response(status=204)

    receiver.answer = answer
    await make(client, f"{receiver.url}/", event_types=["client.*"], ordering="subject", retry_schedule=[1, 1])
    made = [await make_client(client, name=f"Client {n}") for n in range(3)]
    for number in range(4):
        for each in made:
            changed = await client.patch(f"/api/v1/clients/{each['id']}", json={"notes": f"note {number}"})
            assert changed.status_code == 200
    await receiver.wait(18)  # 15 events, three of which failed once
    for each in made:
        seen = [r.envelope["sequence"] for r in receiver.got if r.envelope["data"]["client_id"] == each["id"]]
        assert seen == [1, 2, 2, 3, 4, 5]


async def test_rate_limit(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    times: list[float] = []

    def answer(received: Received) -> web.Response:
        times.append(time.monotonic())
        return web.Response(status=204)

    receiver.answer = answer
    limit = {"requests": 3, "seconds": 1}
    began = time.monotonic()
    await make(client, f"{receiver.url}/", event_types=["client.created"], rate_limit=limit)
    for number in range(9):
        await make_client(client, name=f"Client {number}")
    await receiver.wait(9, "client.created")
    assert times[-1] - began > 1.9


async def test_a_test_goes_to_its_endpoint_alone(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    await make(client, f"{receiver.url}/other", event_types=["*"])
    endpoint = await make(client, f"{receiver.url}/mine", event_types=["job.created"])
    answer = await client.post(f"/api/v1/webhook-endpoints/{endpoint['id']}/test", json={"message": "hello"})
    assert answer.status_code == 202, answer.text
    (got,) = await receiver.wait(1, "webhook_endpoint.test")
    assert (got.path, got.envelope["event_id"]) == ("/mine", answer.json()["event_id"])


async def test_deleting_an_endpoint_cancels_what_waits(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    receiver.answer = lambda received: web.Response(status=500)
    endpoint = await make(client, f"{receiver.url}/", event_types=["client.created"], retry_schedule=[3600])
    await make_client(client)
    await until(lambda: deliveries(client, status="retrying"))
    gone = await client.delete(f"/api/v1/webhook-endpoints/{endpoint['id']}")
    assert gone.status_code == 204, gone.text
    await until(lambda: deliveries(client, status="cancelled"))


async def test_delivery_can_be_retried_and_cancelled(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    receiver.answer = lambda received: web.Response(status=500)
    await make(client, f"{receiver.url}/", event_types=["client.created"], retry_schedule=[3600])
    await make_client(client)
    (waiting,) = await until(lambda: deliveries(client, status="retrying"))
    assert (await client.post(f"/api/v1/deliveries/{waiting['id']}/cancel")).json()["status"] == "cancelled"
    assert (await client.post(f"/api/v1/deliveries/{waiting['id']}/cancel")).status_code == 409
    receiver.answer = lambda received: web.Response(status=204)
    assert (await client.post(f"/api/v1/deliveries/{waiting['id']}/retry")).json()["status"] == "retrying"
    await until(lambda: deliveries(client, status="delivered"))


async def test_what_is_kept_no_longer_is_not_tried_again(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    """Events may be kept for less long than what became of them; a lease without an event would come to nothing."""
    await make(client, f"{receiver.url}/", event_types=["client.created"])
    await make_client(client)
    (got,) = await receiver.wait(1, "client.created")
    (done,) = await until(lambda: deliveries(client, status="delivered", event_id=got.envelope["event_id"]))
    boss = await stage.superuser()
    await boss.execute("DELETE FROM events WHERE tenant_id = $1 AND event_id = $2", tenant.id, done["event_id"])
    await boss.close()
    refused = await client.post(f"/api/v1/deliveries/{done['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")
    assert not await deliveries(client, status="retrying")


async def test_one_that_fails_is_only_probed_until_something_comes_through(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    """Else some dozens of silent endpoints would hold every place that a process has."""
    under_way, most, well = 0, 0, False

    async def answer(got: Received) -> web.Response:
        nonlocal under_way, most
        under_way, most = under_way + 1, max(most, under_way + 1)
        for _ in range(200):  # until more are under way than a failing one may have, or for a while
            if (under_way > 4 and well) or not well:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        under_way -= 1
        return web.Response(status=204 if well else 500)

    receiver.answer = answer
    endpoint = await make(client, receiver.url, event_types=["client.created"], retry_schedule=[1] * 30)

    async def failing() -> bool:
        found: dict[str, Any] = (await client.get(f"/api/v1/webhook-endpoints/{endpoint['id']}")).json()
        return found["failing_since"] is not None

    await make_client(client)
    await until(failing)
    await asyncio.gather(*(make_client(client) for _ in range(30)))
    await receiver.wait(20)
    assert 1 < most <= 4
    well = True
    await until(lambda: _none_left(client, endpoint["id"]), 60)
    assert not await failing()
    await asyncio.gather(*(make_client(client) for _ in range(30)))
    await until(lambda: _none_left(client, endpoint["id"]), 60)
    assert most > 4, "once it is well it gets all it may have"


async def _none_left(client: httpx2.AsyncClient, endpoint_id: str) -> bool:
    return not await deliveries(client, endpoint_id=endpoint_id, status="pending,delivering,retrying")
