"""What knocks at `/hooks/<token>`: what becomes of it, and who gets to know."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from crosstie.catalog import catalogue
from crosstie.kit import clock
from tests.fence import fence, until
from tests.integration.api.test_conventions import refused
from tests.receiver import Receiver
from tests.stage import Stage, Tenant, calling

#: a type that partners may send
KIND = catalogue().events["treasury.payment.processed"]
KEY = "a key that only the partner has"


@dataclass
class Partner:
    """Sends with an API key to a source of its own."""

    client: httpx2.AsyncClient
    id: str
    url: str

    async def send(self, document: Any, *, key: str = KEY, media: str = "application/json") -> httpx2.Response:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        async with calling() as caller:
            return await caller.post(self.url, content=body, headers={"x-api-key": key, "content-type": media})

    async def kept(self, **query: str) -> list[dict[str, Any]]:
        page = await self.client.get("/api/v1/inbound-requests", params={"source_id": self.id} | query)
        assert page.status_code == 200, page.text
        return list(reversed(page.json()["data"]))

    async def events(self, **query: str) -> list[dict[str, Any]]:
        await fence(self.client)
        page = await self.client.get("/api/v1/events", params={"sort": "created_at"} | query)
        return [each for each in page.json()["data"] if each["actor"] == {"type": "inbound_source", "id": self.id}]


async def partner(client: httpx2.AsyncClient, **changes: Any) -> Partner:
    document = {"name": "Treasury", "dialect": "api_key", "secret": KEY} | changes
    made = await client.post("/api/v1/inbound-sources", json=document)
    assert made.status_code == 201, made.text
    return Partner(client, made.json()["id"], made.json()["url"])


def envelope(**changes: Any) -> dict[str, Any]:
    return {"event_id": secrets.token_hex(8), "event_type": KIND.name, "data": KIND.example} | changes


async def test_an_envelope_is_the_event_that_it_names(
    client: httpx2.AsyncClient, tenant: Tenant, receiver: Receiver
) -> None:
    await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": [KIND.name]})
    sender = await partner(client)
    sent = envelope(tenant_id=str(tenant.id), correlation_id="order-7")
    assert [(await sender.send(sent)).status_code for _ in range(2)] == [200, 200]
    (event,) = await sender.events()
    assert (event["event_id"], event["event_type"], event["data"]) == (sent["event_id"], KIND.name, KIND.example)
    assert event["correlation_id"] == "order-7"
    first, second = await sender.kept()
    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert first["event_id"] == second["event_id"] == sent["event_id"]
    (heard,) = await receiver.wait(1, KIND.name)
    assert heard.envelope["event_id"] == sent["event_id"]


async def test_dialects_of_partners_are_understood(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    sender = await partner(client)
    cloud = {"specversion": "1.0", "id": "c1", "source": "/treasury", "type": KIND.name, "data": KIND.example}
    aggregate, _, bare = KIND.name.partition(".")
    outbox = {"id": "o1", "aggregate_type": aggregate, "event_type": bare, "payload": KIND.example, "version": "1.0"}
    other = {"id": "o2", "type": KIND.name, "tenantId": str(tenant.id), "data": KIND.example}
    for document in (cloud, outbox, other):
        assert (await sender.send(document)).status_code == 200
    assert [event["event_id"] for event in await sender.events()] == ["c1", "o1", "o2"]
    assert {event["event_type"] for event in await sender.events()} == {KIND.name}


async def test_our_own_webhooks_can_be_sent_from_one_hub_to_another(
    client: httpx2.AsyncClient, stage: Stage, tenant: Tenant
) -> None:
    """What a hub sends, another's source takes, with the secret of the endpoint: where both know the tenant."""
    made = await client.post("/api/v1/inbound-sources", json={"name": "Hub", "dialect": "standard_webhooks"})
    assert made.json()["secret"].startswith("whsec_")
    there = Partner(client, made.json()["id"], made.json()["url"])
    other = await stage.tenant()
    async with other.client() as sender:
        endpoint = {"url": there.url, "event_types": [KIND.name], "secret": made.json()["secret"]}
        assert (await sender.post("/api/v1/webhook-endpoints", json=endpoint)).status_code == 201
        sent = envelope()
        assert (await sender.post("/api/v1/events", json=sent)).status_code == 202

    async def came() -> bool:
        return len(await there.kept()) > 0

    await until(came)
    (kept,) = await there.kept(status="rejected")
    assert (kept["reason"], kept["verified"]) == ("forbidden", True)  # it names its own tenant
    body = json.dumps(json.loads(kept["body"]) | {"tenant_id": str(tenant.id)})
    signed = Webhook(made.json()["secret"]).sign("msg_1", clock.now(), body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(clock.now().timestamp()))}
    async with calling() as caller:
        answer = await caller.post(there.url, content=body, headers=headers | {"webhook-signature": signed})
    assert answer.status_code == 200, answer.text
    assert [event["event_id"] for event in await there.events()] == [sent["event_id"]]


async def test_a_type_that_nobody_knows_is_parked_until_it_is_registered(client: httpx2.AsyncClient) -> None:
    sender = await partner(client)
    sent = envelope(event_type="acme.meter.read", data={"meter_id": "m1"})
    assert (await sender.send(sent)).status_code == 200
    (kept,) = await sender.kept()
    assert (kept["status"], kept["reason"], kept["event_id"]) == ("accepted", "parked", None)
    (letter,) = (await client.get("/api/v1/dead-letters")).json()["data"]
    assert (letter["status"], letter["cause"]) == ("parked", "event_type_unknown")
    assert letter["source"] == f"inbound_source:{sender.id}"
    kind = {"name": "acme.meter.read", "summary": "A meter was read.", "data_schema": {"type": "object"}}
    assert (await client.post("/api/v1/event-types", json=kind)).status_code == 201
    await client.post(f"/api/v1/dead-letters/{letter['id']}/retry")

    async def there() -> bool:
        return len(await sender.events(event_type="acme.meter.read")) == 1

    await until(there)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"data": {"amount": {}}}, 422, "invalid"),
        ({"event_id": None}, 422, "invalid"),
        ({"event_type": "job.created"}, 403, "event_type_reserved"),
        ({"event_type": "inbound.received"}, 403, "event_type_reserved"),
        ({"tenant_id": "01936f0e-0000-7000-8000-000000000001"}, 403, "forbidden"),
        ({"event_type": "auth.user.created", "data": {"user_id": "u", "email": "u@x.za"}}, 403, "insufficient_scope"),
    ],
)
async def test_an_envelope_that_cannot_be_taken_is_refused_and_kept(
    client: httpx2.AsyncClient, changes: dict[str, Any], status: int, code: str
) -> None:
    sender = await partner(client)
    document = {name: value for name, value in envelope(**changes).items() if value is not None}
    refused(await sender.send(document), status, code)
    (kept,) = await sender.kept(status="rejected")
    assert (kept["reason"], kept["verified"], kept["event_id"]) == (code, True, None)
    assert kept["detail"]
    assert await sender.events() == []


async def test_one_id_with_two_contents_is_a_contradiction(client: httpx2.AsyncClient) -> None:
    sender = await partner(client)
    sent = envelope()
    await sender.send(sent)
    refused(await sender.send(sent | {"correlation_id": "other"}), 409, "event_id_conflict")
    assert [each["status"] for each in await sender.kept()] == ["accepted", "rejected"]


async def test_a_raw_source_reads_no_envelope(client: httpx2.AsyncClient) -> None:
    sender = await partner(client, options={"payload": "raw", "event_id": "/event_id", "event_type": "/event_type"})
    sent = envelope(event_type="transaction.completed")
    assert (await sender.send(sent)).status_code == 200
    (event,) = await sender.events()
    assert (event["event_type"], event["event_id"]) == ("inbound.received", sent["event_id"])
    assert event["data"]["provider_event_type"] == "transaction.completed"
    assert event["data"]["body"] == sent


async def test_a_message_of_ones_own_is_one_event_that_endpoints_can_choose(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    wanted = {"dialect": "api_key", "provider_event_type": "paid"}
    hears = {"url": receiver.url, "event_types": ["inbound.received"], "filter": wanted}
    assert (await client.post("/api/v1/webhook-endpoints", json=hears)).status_code == 201
    sender = await partner(client, options={"event_type": "/kind"})
    for kind in ("opened", "paid"):
        await sender.send({"kind": kind, "amount": 12.50, "big": 12345678901234567890123})
    (heard,) = await receiver.wait(1, "inbound.received")
    data = heard.envelope["data"]
    assert (data["source"], data["source_id"], data["provider_event_id"]) == ("Treasury", sender.id, None)
    assert b'"body":{"kind": "paid", "amount": 12.5, "big": 12345678901234567890123}' in heard.body
    kept = (await client.get(f"/api/v1/inbound-requests/{data['inbound_request_id']}")).json()
    assert (kept["event_id"], kept["provider_event_type"]) == (heard.envelope["event_id"], "paid")
    assert clock.parse(kept["received_at"]) == clock.parse(data["received_at"])


@pytest.mark.parametrize(
    ("body", "media", "shown", "read"),
    [
        (b"a=1&b=x+y&a=2&c=", "application/x-www-form-urlencoded", "a=1&b=x+y&a=2&c=",
         {"a": ["1", "2"], "b": "x y", "c": ""}),
        (b"<paid>1</paid>", "text/xml", "<paid>1</paid>", "<paid>1</paid>"),
        (b'{"a":1,"a":2}', "application/json", '{"a":1,"a":2}', '{"a":1,"a":2}'),
        (b'{"a":"\\u0000"}', "application/json", '{"a":"\\u0000"}', '{"a":"\\u0000"}'),
        (b"\xff\x00\xfe", "text/plain", "data:application/octet-stream;base64,/wD+", "\ufffd\ufffd\ufffd"),
        (b"[]", "application/json", "[]", []),
        (b"", "", "", ""),
    ],
)  # fmt: skip
async def test_whatever_comes_is_kept_as_it_came(
    client: httpx2.AsyncClient, body: bytes, media: str, shown: str, read: Any
) -> None:
    sender = await partner(client)
    assert (await sender.send(body, media=media)).status_code == 200
    (kept,) = await sender.kept()
    assert (kept["body"], kept["size"]) == (shown, len(body))
    (event,) = await sender.events()
    assert event["data"]["body"] == read


async def test_nobody_else_sees_them(client: httpx2.AsyncClient, stage: Stage) -> None:
    sender = await partner(client)
    await sender.send(envelope(), key="wrong")
    await sender.send(envelope())
    stranger = await stage.tenant()
    async with stranger.client() as other:
        assert (await other.get("/api/v1/inbound-requests")).json()["data"] == []
        assert (await other.get(f"/api/v1/inbound-sources/{sender.id}")).status_code == 404
        for each in await sender.kept():
            assert (await other.get(f"/api/v1/inbound-requests/{each['id']}")).status_code == 404
            assert (await other.post(f"/api/v1/inbound-requests/{each['id']}/replay")).status_code == 404


async def test_the_address_and_the_secret_are_shown_once(client: httpx2.AsyncClient) -> None:
    made = await client.post("/api/v1/inbound-sources", json={"name": "Bank", "dialect": "hmac"})
    source = made.json()
    assert len(source["secret"]) >= 40
    read = (await client.get(f"/api/v1/inbound-sources/{source['id']}")).json()
    assert not {"url", "secret"} & read.keys()
    given = await client.post("/api/v1/inbound-sources", json={"name": "Shop", "dialect": "stripe"})
    assert given.json()["secret"] == ""
    async with calling() as caller:
        answer = await caller.post(given.json()["url"], content=b"{}")
    assert answer.status_code == 401
    kept = await client.get("/api/v1/inbound-requests", params={"source_id": given.json()["id"]})
    assert kept.json()["data"][0]["reason"] == "no_secret"
    refused(await client.post(f"/api/v1/inbound-sources/{given.json()['id']}/rotate-secret"), 422, "invalid")


async def test_a_new_address_takes_over(client: httpx2.AsyncClient) -> None:
    sender = await partner(client)
    old = sender.url
    done = await client.post(f"/api/v1/inbound-sources/{sender.id}/renew-url")
    sender.url = done.json()["url"]
    assert sender.url != old
    assert (await sender.send({"a": 1})).status_code == 200
    assert (await Partner(client, sender.id, old).send({"a": 2})).status_code == 200
    await client.post(f"/api/v1/inbound-sources/{sender.id}/renew-url", json={"overlap_seconds": 0})

    async def gone() -> bool:
        return (await sender.send({"a": 3})).status_code == 404

    await until(gone)
    assert (await client.delete(f"/api/v1/inbound-sources/{sender.id}")).status_code == 204
    assert len(await sender.kept()) > 1  # what came outlives its source


async def test_a_new_secret_works_at_once(client: httpx2.AsyncClient) -> None:
    """Nobody is refused by what a process remembers of a source."""
    sender = await partner(client)
    for number in range(3):
        assert (await sender.send({"n": number}, key=KEY if number == 0 else f"key {number}")).status_code == 200
        fresh = {"secret": f"key {number + 1}", "overlap_seconds": 0}
        done = await client.post(f"/api/v1/inbound-sources/{sender.id}/rotate-secret", json=fresh)
        assert done.status_code == 200


async def test_an_address_that_nobody_has_is_not_there(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    sender = await partner(client)
    token = sender.url.rpartition("/")[2]
    async with calling(tenant.url) as caller:
        for wrong in ("x", token[:-1], f"{token}x", token[:-1] + ("a" if token[-1] != "a" else "b"), "in_" + "0" * 36):
            refused(await caller.post(f"/hooks/{wrong}", content=b"{}"), 404, "not_found")
        answer = await caller.get(f"/hooks/{token}")
        refused(answer, 405, "method_not_allowed")
        assert "POST" in answer.headers["allow"]
        refused(await caller.post(f"/hooks/{token}", content=b"x" * (1 << 20) + b"x"), 413, "too_large")


async def test_options_are_checked(client: httpx2.AsyncClient) -> None:
    wrong: dict[str, list[tuple[dict[str, Any], str]]] = {
        "hmac": [
            ({"algorithm": "md5"}, "/options/algorithm"),
            ({"heder": "X"}, "/options/heder"),
            ({"signed": "nothing"}, "/options/signed"),
            ({"signed": "{timestamp}.{body}"}, "/options/timestamp_header"),
            ({"event_id": "somewhere"}, "/options/event_id"),
            ({"ips": ["here"]}, "/options/ips/0"),
            ({"header": "no header"}, "/options/header"),
        ],
        "stripe": [({"header": "X"}, "/options/header"), ({"tolerance_seconds": 0}, "/options/tolerance_seconds")],
        "payfast": [({"base_url": "not an address"}, "/options/base_url")],
    }
    for dialect, cases in wrong.items():
        for options, pointer in cases:
            document = {"name": "n", "dialect": dialect, "options": options}
            found = refused(await client.post("/api/v1/inbound-sources", json=document), 422, "invalid")
            assert found["errors"][0]["pointer"] == pointer
    document = {"name": "n", "dialect": "mpesa", "options": {"base_url": "https://169.254.169.254/"}}
    refused(await client.post("/api/v1/inbound-sources", json=document), 422, "egress_forbidden")
    document = {"name": "n", "dialect": "standard_webhooks", "secret": "not one"}
    refused(await client.post("/api/v1/inbound-sources", json=document), 422, "invalid")
    sender = await partner(client)
    refused(await client.patch(f"/api/v1/inbound-sources/{sender.id}", json={"options": {"x": 1}}), 422, "invalid")
    refused(await client.patch(f"/api/v1/inbound-sources/{sender.id}", json={"dialect": "hmac"}), 422, "invalid")


async def test_what_comes_for_a_suspended_tenant_waits_for_it(client: httpx2.AsyncClient, stage: Stage) -> None:
    sender = await partner(client)
    tenant = (await client.get("/api/v1/tenants")).json()["data"][0]["id"]
    superuser = await stage.superuser()

    async def become(status: str) -> None:
        await superuser.execute("UPDATE tenants SET status = $2 WHERE id = $1::uuid", tenant, status)

    try:
        await become("suspended")

        async def waits() -> bool:
            assert (await sender.send({"n": secrets.token_hex(8)})).status_code == 200
            asked = "SELECT count(*) FROM inbound_requests WHERE tenant_id = $1::uuid AND status = 'pending'"
            return bool(await superuser.fetchval(asked, tenant))

        await until(waits)
        await become("active")
    finally:
        await become("active")
        await superuser.close()

    async def counted() -> bool:
        page = await client.get("/api/v1/inbound-requests", params={"source_id": sender.id})
        return page.status_code == 200 and all(each["status"] == "accepted" for each in page.json()["data"])

    await until(counted)
    assert len(await sender.events()) == len(await sender.kept())


async def test_many_at_once_count_once_each(client: httpx2.AsyncClient) -> None:
    sender = await partner(client, options={"event_id": "/id"})
    async with calling(limits=httpx2.Limits(max_connections=20)) as caller:

        async def send(number: int) -> int:
            body = json.dumps({"id": f"n{number % 40}"}).encode()
            return (await caller.post(sender.url, content=body, headers={"x-api-key": KEY})).status_code

        assert set(await asyncio.gather(*(send(number) for number in range(200)))) == {200}
    assert len(await sender.events(limit="200")) == 40
    kept = await sender.kept(limit="200")
    assert len(kept) == 200
    assert sum(each["status"] == "accepted" for each in kept) == 40


async def test_the_standard_library_signs_for_a_public_key_too(client: httpx2.AsyncClient) -> None:
    """A secret of the library, taken as it is; a wrong one is not."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = await client.post(
        "/api/v1/inbound-sources", json={"name": "n", "dialect": "standard_webhooks", "secret": secret}
    )
    assert made.json()["secret"] == secret
    now = clock.now()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = "v1a,AAAA garbage v1,a,b " + Webhook(secret).sign("msg_1", now, "{}")
    async with calling() as caller:
        assert (await caller.post(made.json()["url"], content=b"{}", headers=headers)).status_code == 200
