"""A remote service as watching sees it: up, down while it is left in peace, an alert, and figures of each request."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.integration.services.conftest import until
from tests.integration.watch.test_alerts import listed, of_kind
from tests.integration.watch.test_metrics import scraped, total
from tests.parts.peer import Peer

PATH = "/api/v1/treasury/invoices/by-reference/opportunity/o-1"


async def test_a_service_that_fails_is_down_and_an_alert(client: httpx2.AsyncClient, treasury: Peer) -> None:
    async def service(status: str) -> Any:
        (found,) = await listed(client, "integrations", kind="service")
        return found if found["status"] == status else None

    before = await service("up")  # it is there before it was ever asked
    assert (before["name"], before["calls"]) == ("treasury", 0)
    figures = await scraped(client)
    await treasury.fail(usual="503")
    for _ in range(5):
        assert (await client.get(PATH)).status_code == 503

    async def rests() -> Any:
        found = await service("down")
        return found and "left in peace after 5 failures" in found["reason"]

    await until(rests)
    assert (await client.get(PATH)).status_code == 503
    (alert,) = await until(lambda: of_kind(client, "unavailable", "firing"))
    assert alert["subject_id"] == before["id"]
    grown = await scraped(client)
    name = "crosstie_call_seconds_count"
    sent = total(grown, name, service="treasury", outcome="http_503")
    assert sent - total(figures, name, service="treasury", outcome="http_503") == len(await treasury.seen()) == 20
    refused = {given["outcome"]: value for given, value in grown[name] if given["service"] == "treasury"}
    assert len(refused) > 1, "what was not sent is counted apart"
    assert total(grown, "crosstie_breakers", service="treasury", state="open") >= 1

    await treasury.fail()

    async def answered() -> Any:
        return (await client.get(PATH)).status_code != 503

    await until(answered)
    await until(lambda: of_kind(client, "unavailable", "resolved"))
    counted = await until(lambda: all_counted(client))
    assert counted["failures"] == 20
    assert (await client.delete("/api/v1/service-providers/treasury")).status_code == 204
    assert not await listed(client, "integrations", kind="service")


async def test_a_service_that_takes_our_credential_no_more_is_down(client: httpx2.AsyncClient, treasury: Peer) -> None:
    await treasury.fail("403", usual="401")
    for _ in range(3):
        assert (await client.get(PATH)).status_code == 502

    async def down() -> Any:
        return next((each for each in await listed(client, "integrations", status="down")), None)

    found = await until(down)
    assert (found["name"], found["failures"]) == ("treasury", 3)
    assert "http_401" in found["reason"]
    assert len(await treasury.seen()) == 3, "it is neither asked again nor left in peace"


async def all_counted(client: httpx2.AsyncClient) -> Any:
    """The integration, once a call that went well stands in it."""
    (found,) = await listed(client, "integrations", kind="service")
    return found if found["last_success_at"] and found["status"] in ("up", "degraded") else None
