"""The way back: what counterparts tell reaches Crosstie once, however often it is sent."""

from __future__ import annotations

import json

import httpx2
import standardwebhooks
from aiohttp import web

from crosstie.contracts.services import SERVICES
from crosstie.sandbox.back import Target
from tests.contract.sandbox.test_contract import OPERATIONS, call, prepared
from tests.fence import fence
from tests.parts.outside import SECRET, Outside
from tests.receiver import Received, Receiver
from tests.stage import Stage, Tenant


def test_it_is_sent_until_it_is_heard(outside: Outside, caller: httpx2.Client, receiver: Receiver) -> None:
    receiver.answer = lambda got: web.Response(status=503 if got.number < 3 else 202)
    outside.target = Target(receiver.url, "ct_test_key")
    operation = SERVICES["treasury"].operation("create_bill")
    assert call(caller, "treasury", operation, operation.example).status_code == 201
    outside.until(lambda: outside.listed("events")[0]["state"] == "heard")
    assert outside.listed("events")[0]["attempts"] == 3
    assert len({got.body for got in receiver.got}) == 1
    assert {(got.path, got.headers["authorization"]) for got in receiver.got} == {
        ("/api/v1/events", "Bearer ct_test_key")
    }


def test_it_is_signed_for_an_inbound_source(outside: Outside, caller: httpx2.Client, receiver: Receiver) -> None:
    outside.target = Target(f"{receiver.url}/hooks/token", SECRET)
    operation = SERVICES["logistics"].operation("create_shipment")
    call(caller, "logistics", operation, operation.example)
    outside.until(lambda: outside.listed("events")[0]["state"] == "heard")
    got = receiver.got[0]
    assert got.path == "/hooks/token"
    sent = standardwebhooks.Webhook(SECRET).verify(got.body, got.headers)
    assert sent["event_type"] == "logistics.shipment.created"


def test_what_is_refused_is_seen_and_not_sent_again(
    outside: Outside, caller: httpx2.Client, receiver: Receiver
) -> None:
    def refuse(got: Received) -> web.Response:
        return web.Response(status=422, text="no such type")

    receiver.answer = refuse
    outside.target = Target(receiver.url, "key")
    operation = SERVICES["projects"].operation("record_expense")
    call(caller, "projects", operation, operation.example)
    outside.until(lambda: {each["state"] for each in outside.listed("events")} == {"refused"})
    assert len(receiver.got) == 2
    assert "422 no such type" in caller.get("/services").text


async def test_crosstie_takes_every_event_of_every_counterpart(outside: Outside, stage: Stage, tenant: Tenant) -> None:
    outside.target = Target(stage.url, tenant.key)
    with outside.client() as caller:
        for service, operation in OPERATIONS:
            call(caller, service, operation, prepared(caller, service, operation))
        outside.until(lambda: {each["state"] for each in outside.listed("events")} == {"heard"})
    sent = {each["id"]: json.loads(each["data"]) for each in outside.listed("events")}
    async with tenant.client() as client:
        await fence(client)
        kept = (await client.get("/api/v1/events", params={"limit": 200})).json()["data"]
    assert {each["event_id"]: each["data"] for each in kept if each["event_id"] in sent} == sent
