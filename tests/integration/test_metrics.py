"""Metrics and health, as an operator's scraper sees them."""

from __future__ import annotations

import httpx2
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.receiver import Receiver


async def figures(client: httpx2.AsyncClient) -> dict[str, float]:
    """Every sample, its labels in its name."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]  # untyped there
        for sample in family.samples
    }


async def test_what_happened_is_counted(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    before = await figures(client)
    await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["client.*"]})
    await client.post("/api/v1/clients", json={"name": "Counted"})
    await receiver.wait(1, "client.created")
    for _ in range(100):
        after = await figures(client)
        grown = {name: after[name] - before.get(name, 0) for name in after}
        if grown.get("crosstie_attempt_seconds_count[('outcome', 'delivered'), ('sink', 'webhook')]", 0) >= 1:
            break
    assert grown["crosstie_events_appended_total[]"] >= 2
    assert grown["crosstie_events_dispatched_total[]"] >= 1
    route = "[('method', 'POST'), ('route', '/api/v1/clients'), ('status', '201')]"
    assert grown[f"crosstie_http_request_seconds_count{route}"] >= 1
    assert grown["crosstie_attempt_seconds_count[('outcome', 'delivered'), ('sink', 'webhook')]"] >= 1
    for name in ("waiting", "leased"):
        assert after[f"crosstie_deliveries_{name}[]"] >= 0
    assert after["crosstie_oldest_due_seconds[]"] >= 0
    assert after["crosstie_log_horizon_transactions[]"] >= 0
    assert after["process_resident_memory_bytes[]"] > 0


async def test_live_and_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    assert (await client.get("/version")).json()["version"]
