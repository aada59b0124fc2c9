"""One tenant's look takes no more than its time, and none of its Units keeps the readers of the log waiting."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from aiohttp import web

from crosstie.app import opened
from crosstie.watch.watcher import look
from tests.integration.watch.test_alerts import endpoint, listed, of_kind, until
from tests.receiver import Receiver
from tests.stage import Stage, Tenant

RULE = {"kind": "dead_letters", "threshold": "0"}


async def test_each_rule_has_its_turn_however_little_time_there_is(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK", "HOLD"):
        monkeypatch.setattr(f"crosstie.watch.watcher.{name}", 0.0)
    for number in range(3):
        assert (await client.post("/api/v1/alert-rules", json={"name": f"{number}", **RULE})).status_code == 201
    receiver.answer = lambda got: web.Response(status=410)
    await endpoint(client, receiver)
    await client.post("/api/v1/clients", json={"name": "Fatima Hassan"})
    await until(lambda: listed(client, "dead-letters"), "no dead letter")
    async with opened(stage.settings, stage.dsns, work=False, name="looker") as process:
        for _ in range(500):
            await look(process.log, tenant.id)
            if len(await of_kind(client, "dead_letters", "firing")) == 4:
                break
            await asyncio.sleep(0.01)
    superuser = await stage.superuser()
    try:
        units = await superuser.fetch(
            "SELECT xid, count(*) FROM events WHERE tenant_id = $1 AND type = 'alert.firing' GROUP BY xid", tenant.id
        )
        assert [unit["count"] for unit in units] == [1] * 4
    finally:
        await superuser.close()


async def test_a_tenant_has_so_many_rules_and_no_more(client: httpx2.AsyncClient) -> None:
    usual = await listed(client, "alert-rules")
    rules = {"items": [{"name": f"{number}", **RULE} for number in range(50)]}
    made = await asyncio.gather(*(client.post("/api/v1/alert-rules/bulk", json=rules) for _ in range(3)))
    statuses = [result["status"] for answer in made for result in answer.json()["results"]]
    assert (statuses.count(201), statuses.count(409)) == (100 - len(usual), 50 + len(usual))
    assert len(await listed(client, "alert-rules", limit="200")) == 100
    problem = next(r["problem"] for answer in made for r in answer.json()["results"] if r["status"] == 409)
    assert (problem["code"], problem["detail"]) == (
        "conflict",
        "There are 100 alert rules already: a tenant may have no more.",
    )
