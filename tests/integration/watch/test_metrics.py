"""Metrics and readiness, as an operator's scraper sees them: of all processes, and true while something is wrong."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
import msgspec
import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from crosstie.app import serve
from tests.integration.watch.test_alerts import until
from tests.receiver import Receiver
from tests.stage import Stage, calling, free_port, staged

Samples = dict[str, list[tuple[Mapping[str, str], float]]]


async def scraped(client: httpx2.AsyncClient) -> Samples:
    """Every sample by name."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    found: Samples = defaultdict(list)
    for family in text_string_to_metric_families(answer.text):  # type: ignore[no-untyped-call]  # untyped there
        for sample in family.samples:
            found[sample.name].append((sample.labels, sample.value))
    return found


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric over everything but these labels."""
    return sum(value for given, value in samples[name] if labels.items() <= given.items())


@asynccontextmanager
async def another(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    """A second process of the installation (in this one's loop), with an API of its own."""
    stop = asyncio.Event()
    settings = msgspec.structs.replace(stage.settings, port=free_port(), public_url="")
    running = asyncio.create_task(serve(settings, stage.dsns, api=True, work=False, name="second", stop=stop))
    async with calling(f"http://127.0.0.1:{settings.port}") as client:
        for _ in range(400):
            try:
                if (await client.get("/readyz")).status_code == 200:
                    break
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
        yield client
    stop.set()
    await running


async def test_what_happened_is_counted(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    before = await scraped(client)
    await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["client.*"]})
    await client.post("/api/v1/clients", json={"name": "Counted"})
    await receiver.wait(1, "client.created")
    delivered = {"sink": "webhook", "integration": "webhook", "outcome": "delivered"}

    async def grown() -> Samples | None:
        after = await scraped(client)
        name = "crosstie_attempt_seconds_count"
        return after if total(after, name, **delivered) > total(before, name, **delivered) else None

    after = await until(grown, "the attempt is counted")
    for name, least, labels in (
        ("crosstie_events_appended_total", 2, {"way": "change"}),
        ("crosstie_events_dispatched_total", 1, {}),
        ("crosstie_deliveries_ended_total", 1, {"sink": "webhook", "status": "delivered"}),
        ("crosstie_http_request_seconds_count", 1, {"method": "POST", "route": "/api/v1/clients", "status": "201"}),
    ):
        assert total(after, name, **labels) - total(before, name, **labels) >= least, name
    for name in ("deliveries_waiting", "deliveries_leased", "oldest_due_seconds", "log_horizon_transactions"):
        ((labels, value),) = after[f"crosstie_{name}"]
        assert not labels
        assert value >= 0
    assert total(after, "crosstie_processes") >= 1
    assert all(value > 0 for _, value in after["process_resident_memory_bytes"])
    assert total(after, "crosstie_db_connections", role="app", state="open") >= 1


async def test_counts_are_exact_and_of_every_outcome(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    async def answer(received: object) -> web.Response:
        return web.Response(status=204 if len(receiver.got) % 2 else 418)

    receiver.answer = answer
    body = {"url": receiver.url, "event_types": ["client.*"], "retry_schedule": [1]}
    made = (await client.post("/api/v1/webhook-endpoints", json=body)).json()
    before = await scraped(client)
    for number in range(10):
        await client.post("/api/v1/clients", json={"name": f"C{number}"})

    async def settled() -> list[str] | None:
        rows = (await client.get(f"/api/v1/deliveries?endpoint_id={made['id']}")).json()["data"]
        done = [row["status"] for row in rows if row["status"] in ("delivered", "dead")]
        return done if len(done) == 10 else None

    statuses = await until(settled, "all have ended")
    after = await scraped(client)
    name = "crosstie_attempt_seconds_count"
    for outcome, count in (
        ("delivered", statuses.count("delivered")),
        ("http_4xx", len(receiver.got) - statuses.count("delivered")),
    ):
        labels = {"sink": "webhook", "outcome": outcome}
        assert total(after, name, **labels) - total(before, name, **labels) == count
    ended = "crosstie_deliveries_ended_total"
    for status in ("delivered", "dead"):
        grown = total(after, ended, sink="webhook", status=status) - total(before, ended, sink="webhook", status=status)
        assert grown == statuses.count(status)


async def test_any_process_shows_all_of_them(stage: Stage, client: httpx2.AsyncClient) -> None:
    async with another(stage) as second:
        for _ in range(7):
            await second.get("/version")

        async def seen() -> Samples | None:
            found = await scraped(client)
            name = "crosstie_http_request_seconds_count"
            mine = [given for given, _ in found[name] if given["process"].startswith("second@")]
            return found if mine and total(found, name, route="/version", process=mine[0]["process"]) >= 7 else None

        first = await until(seen, "the first process shows the second's requests")
        other = await scraped(second)
        names = {given["process"].partition("@")[0] for given, _ in other["process_start_time_seconds"]}
        assert {"stage", "second"} <= names
        assert total(other, "crosstie_processes") == total(first, "crosstie_processes")

    async def gone() -> bool:
        found = await scraped(client)
        return not any(given["process"].startswith("second@") for given, _ in found["process_start_time_seconds"])

    await until(gone, "a process that left is shown no more")


async def test_labels_are_few_whatever_callers_think_of(client: httpx2.AsyncClient) -> None:
    await client.request("PROPFIND", "/coffee/1")
    await client.request("PROPFIND", "/coffee/2")
    found = await scraped(client)
    routes = {given["route"] for given, _ in found["crosstie_http_request_seconds_count"]}
    methods = {given["method"] for given, _ in found["crosstie_http_request_seconds_count"]}
    assert not any("coffee" in route for route in routes)
    assert "other" in methods
    assert "PROPFIND" not in methods


async def test_live_and_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    assert (await client.get("/version")).json()["version"]


@pytest.fixture(scope="module")
def own() -> object:
    """An installation that may be broken."""
    with staged(pool_size=2) as found:
        yield found


async def refused(client: httpx2.AsyncClient, word: str) -> None:
    """It says that it is not ready, and why; it lives all the same."""

    async def said() -> bool:
        answer = await client.get("/readyz")
        return answer.status_code == 503 and word in answer.json()["detail"]

    await until(said, f"not ready: {word}")
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200


async def ready(client: httpx2.AsyncClient) -> None:
    async def said() -> bool:
        return bool((await client.get("/readyz")).status_code == 200)

    await until(said, "ready again")


async def test_a_database_that_takes_no_writes(own: Stage) -> None:
    boss = await own.superuser()
    async with calling(own.url) as client:
        await boss.execute("ALTER ROLE crosstie_app SET default_transaction_read_only = on")
        await boss.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'crosstie_app'")
        await refused(client, "read only")
        await boss.execute("ALTER ROLE crosstie_app RESET default_transaction_read_only")
        await boss.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'crosstie_app'")
        await ready(client)
    await boss.close()


async def test_a_schema_that_is_behind(own: Stage) -> None:
    boss = await own.superuser()
    async with calling(own.url) as client:
        head = await boss.fetchval("SELECT version_num FROM alembic_version")
        await boss.execute("UPDATE alembic_version SET version_num = '0001'")
        await refused(client, "crosstie migrate")
        await boss.execute("UPDATE alembic_version SET version_num = '9999'")
        await ready(client)  # a later version only adds
        await boss.execute("UPDATE alembic_version SET version_num = $1", head)
        await ready(client)
    await boss.close()


async def test_connections_that_are_all_in_use(own: Stage) -> None:
    boss = await own.superuser()
    tenant = await own.tenant()
    async with tenant.client() as client:
        made = (await client.post("/api/v1/clients", json={"name": "Locked"})).json()
        async with boss.transaction():
            await boss.execute("SELECT * FROM clients WHERE id = $1 FOR UPDATE", made["id"])
            path = f"/api/v1/clients/{made['id']}"
            waiting = [asyncio.create_task(client.patch(path, json={"name": f"N{n}"})) for n in range(4)]
            await refused(client, "connections of this process are in use")
        await asyncio.gather(*waiting)
        await ready(client)
    await boss.close()


async def test_a_database_that_is_gone(own: Stage) -> None:
    async with calling(own.url) as client:
        before = await scraped(client)
        assert before["crosstie_deliveries_waiting"]
        await asyncio.to_thread(own.embedded.stop)
        await refused(client, "cannot be reached")
        after = await scraped(client)
        assert not after["crosstie_deliveries_waiting"]
        assert total(after, "crosstie_scrape_errors_total") > total(before, "crosstie_scrape_errors_total")
        await asyncio.to_thread(own.embedded.start)
        await ready(client)
        assert (await scraped(client))["crosstie_deliveries_waiting"]
