"""Quotas of credentials, counted for the whole installation; and who is believed to be the caller."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import asyncpg
import httpx2
import pytest

from crosstie.access.limit import BLOCKS, NOWHERE, Meter
from crosstie.db import engine
from crosstie.errors import TooManyRequests
from crosstie.log.event import Actor
from tests.integration.access.oauth.rig import register
from tests.integration.api.conftest import Serving
from tests.integration.api.test_conventions import refused
from tests.stage import Stage, Tenant, calling

T = TypeVar("T")


async def test_every_answer_says_where_the_credential_stands(client: httpx2.AsyncClient) -> None:
    answers = [await client.get("/api/v1/clients") for _ in range(3)]
    quota = int(answers[0].headers["x-ratelimit-limit"])
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert left == sorted(left, reverse=True) and 0 < left[-1] < quota  # noqa: PT018  # one thought
    assert answers[0].headers["ratelimit-policy"] == f'"api";q={quota};w=60'
    assert answers[0].headers["ratelimit"].startswith('"api";r=')
    assert 0 < int(answers[0].headers["x-ratelimit-reset"]) <= 60
    refusal = await client.get("/api/v1/clients/nothing")
    assert refusal.status_code == 404 and "ratelimit" in refusal.headers  # noqa: PT018


async def take(meter: Meter, tenant: Tenant, times: int) -> int:
    """How many of so many requests were let through."""
    passed = 0
    for _ in range(times):
        try:
            await meter.take(tenant.id, Actor("api_key", "k"), "api")
            passed += 1
        except TooManyRequests:
            pass
    return passed


async def in_a_minute(work: Callable[[], Awaitable[T]]) -> T:
    """What some work answers, done again until it began and ended in one minute, the window of quotas."""
    while True:
        minute = time.time() // 60
        found = await work()
        if time.time() // 60 == minute:
            return found


@pytest.fixture
async def pool(stage: Stage) -> AsyncIterator[asyncpg.Pool]:
    found = await engine.pool(stage.dsns.app, size=2, name="test")
    yield found
    await found.close()


async def test_two_processes_share_one_quota(tenant: Tenant, pool: asyncpg.Pool) -> None:
    async def both() -> tuple[int, int]:
        first, second = Meter(pool, {"api": 200}), Meter(pool, {"api": 200})
        return await asyncio.gather(take(first, tenant, 300), take(second, tenant, 300))

    passed = await in_a_minute(both)
    assert 200 - 2 * BLOCKS <= sum(passed) <= 200 + 2 * (200 // BLOCKS)


async def test_one_process_keeps_the_quota_exactly(tenant: Tenant, pool: asyncpg.Pool) -> None:
    async def passed(quota: int) -> int:
        await forget(pool, tenant)
        return await take(Meter(pool, {"api": quota}), tenant, quota + 30)

    for quota in (1, 7, 20, 100):
        assert await in_a_minute(partial(passed, quota)) == quota


async def test_the_database_is_asked_once_per_block(tenant: Tenant, pool: asyncpg.Pool) -> None:
    async def counted() -> int:
        await take(Meter(pool, {"api": 2000}), tenant, 500)
        await asyncio.sleep(0.2)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SELECT set_config('app.tenant', '{tenant.id}', true)")
            return int(await connection.fetchval("SELECT max(taken) FROM quotas"))

    taken = await in_a_minute(counted)
    assert 500 <= taken <= 500 + 2 * (2000 // BLOCKS)


async def test_a_quota_that_is_used_up_is_429(serving: Serving, tenant: Tenant) -> None:
    headers = {"x-api-key": tenant.key}
    async with serving(rate_limit=20) as url, calling(url, headers=headers) as client:

        async def asked() -> list[httpx2.Response]:
            return [await client.get("/api/v1/clients") for _ in range(25)]

        answers = await in_a_minute(asked)
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        refused(answers[-1], 429, "too_many_requests")
        assert answers[-1].headers["retry-after"] == answers[-1].headers["x-ratelimit-reset"]
        assert answers[-1].headers["x-ratelimit-remaining"] == "0"
        event = {"event_id": "e", "event_type": "projects.budget.updated", "data": {"project_id": "p"}}
        assert (await client.post("/api/v1/events", json=event)).status_code == 202, "events have a quota of their own"


async def forget(pool: asyncpg.Pool, tenant: Tenant) -> None:
    """As if no server had counted anything of the tenant."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SELECT set_config('app.tenant', '{tenant.id}', true)")
        await connection.execute("DELETE FROM quotas")


async def test_credentials_of_one_tenant_share_its_quota(
    serving: Serving, client: httpx2.AsyncClient, tenant: Tenant, pool: asyncpg.Pool
) -> None:
    keys = [(await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["*"]})).json()["key"] for _ in "ab"]
    async with serving(rate_limit=20, rate_limit_tenant=30) as url, calling(url) as caller:

        async def asked() -> list[httpx2.Response]:
            await forget(pool, tenant)
            headers = [{"x-api-key": key} for key in keys for _ in range(18)]
            return [await caller.get("/api/v1/clients", headers=each) for each in headers]

        answers = await in_a_minute(asked)
        assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 6
        assert answers[-1].headers["ratelimit-policy"].startswith('"tenant";q=30')
        refused(answers[-1], 429, "too_many_requests")


async def test_an_app_is_counted_wherever_it_asks_from(serving: Serving, client: httpx2.AsyncClient) -> None:
    app = await register(client)
    async with serving(rate_limit_tokens=5, trusted_proxies=("127.0.0.0/8",)) as url, calling(url) as caller:

        async def asked() -> list[int]:
            found = []
            for _ in range(7):
                headers = {"x-forwarded-for": f"203.0.113.{next(HOSTS)}"}
                form = {"grant_type": "client_credentials"}
                found.append((await caller.post("/oauth/token", data=form, headers=headers, auth=app.auth)).status_code)
            return found

        assert (await in_a_minute(asked))[-2:] == [429] * 2


HOSTS = itertools.count(1)


async def test_strangers_are_counted_by_address(serving: Serving, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    known, wrong = {"x-api-key": tenant.key}, {"authorization": "Bearer ct_live_wrong"}
    async with (
        serving(rate_limit_guests=20, rate_limit_tokens=5, trusted_proxies=("127.0.0.0/8",)) as url,
        calling(url) as caller,
    ):

        async def ask(ip: str, path: str = "/api/v1/clients", **headers: str) -> httpx2.Response:
            return await caller.get(path, headers={"x-forwarded-for": ip, **headers})

        async def one() -> list[httpx2.Response]:
            ip = f"203.0.113.{next(HOSTS)}"
            found = [await ask(ip, **known)]
            found += [await ask(ip, **(wrong if number % 2 else {})) for number in range(21)]
            made = await client.post("/api/v1/api-keys", json={"name": "guessed", "scopes": ["*"]})
            found.append(await ask(ip, **{"x-api-key": made.json()["key"]}))  # not even a right guess is answered
            paths = ("/api/v1/tenants/by-slug/x", "/livez")
            return [*found, *[await ask(ip, path) for path in paths], await ask(ip, **known)]

        answers = await in_a_minute(one)
        assert [answer.status_code for answer in answers] == [200] + [401] * 20 + [429, 429, 429, 200, 200]
        refused(answers[21], 429, "too_many_requests")
        assert answers[21].headers["ratelimit-policy"] == '"guests";q=20;w=60'
        assert 0 < int(answers[21].headers["retry-after"]) <= 60
        assert (await ask("203.0.113.250", **wrong)).status_code == 401, "others are not concerned"

        async def household() -> list[int]:
            net = next(HOSTS)  # one household has many addresses of IPv6
            found = [(await ask(f"2001:db8:{net:x}::{host:x}")).status_code for host in range(21)]
            return [*found, (await ask(f"2001:db8:{net:x}:1::1")).status_code]

        assert await in_a_minute(household) == [401] * 20 + [429, 401]

        async def tokens() -> list[bool]:
            headers = {"x-forwarded-for": f"203.0.113.{next(HOSTS)}"}
            return [(await caller.post("/oauth/token", headers=headers)).status_code == 429 for _ in range(7)]

        assert await in_a_minute(tokens) == [False] * 5 + [True] * 2


async def test_guesses_of_tickets_are_counted_by_address(
    serving: Serving, client: httpx2.AsyncClient, tenant: Tenant
) -> None:
    right = (await client.post("/api/v1/stream/tickets")).json()["ticket"]
    async with serving(rate_limit_guests=4, trusted_proxies=("127.0.0.0/8",)) as url, calling(url) as caller:

        async def asked() -> list[int]:
            headers = {"x-forwarded-for": f"203.0.113.{next(HOSTS)}"}
            await caller.get("/api/v1/clients", headers={"x-api-key": tenant.key})  # the ticket's own: it is known now
            found = []
            for ticket in (*["x"] * 5, right):
                path = f"/api/v1/events/stream?ticket={ticket}"
                async with caller.stream("GET", path, headers=headers) as answer:
                    found.append(answer.status_code)
            return found

        assert await in_a_minute(asked) == [401] * 4 + [429] * 2


async def test_two_processes_count_an_address_together(pool: asyncpg.Pool) -> None:
    async def passed(meter: Meter, ip: str) -> int:
        count = 0
        for _ in range(300):
            try:
                await meter.stranger(ip, "guests")
                count += 1
            except TooManyRequests:
                pass
        return count

    async def both() -> tuple[list[int], list[bool]]:
        meters = [Meter(pool, {"guests": 200}) for _ in "ab"]
        ip = f"198.51.100.{next(HOSTS)}"
        found = await asyncio.gather(*(passed(meter, ip) for meter in meters))
        return found, [closed(meters[0], ip), closed(meters[0], "198.51.100.250")]

    def closed(meter: Meter, ip: str) -> bool:
        try:
            meter.refuse(ip, "guests")
        except TooManyRequests:
            return True
        return False

    found, refusing = await in_a_minute(both)
    assert 200 - 2 * BLOCKS <= sum(found) <= 200 + 2 * (200 // BLOCKS)
    assert refusing == [True, False]


async def test_a_stranger_who_comes_once_costs_the_database_nothing(pool: asyncpg.Pool) -> None:
    meter = Meter(pool, {"guests": 2000})
    for number in range(50):
        for _ in range(20):
            await meter.stranger(f"192.0.2.{number}", "guests")
    await asyncio.sleep(0.2)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SELECT set_config('app.tenant', '{NOWHERE}', true)")
        assert await connection.fetchval("SELECT count(*) FROM quotas WHERE principal LIKE '192.0.2.%'") == 0


async def test_addresses_of_keys_behind_proxies(serving: Serving, client: httpx2.AsyncClient) -> None:
    made = await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["*"], "ips": ["203.0.113.0/24"]})
    headers = {"x-api-key": made.json()["key"]}

    async def status(url: str, forwarded: str | None) -> int:
        more = {"x-forwarded-for": forwarded} if forwarded else {}
        async with calling(url, headers=headers | more) as caller:
            return (await caller.get("/api/v1/clients")).status_code

    direct = str(client.base_url)
    assert await status(direct, None) == 403
    assert await status(direct, "203.0.113.7") == 403, "nobody is trusted unless named"
    async with serving(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8")) as url:
        assert await status(url, "203.0.113.7") == 200
        assert await status(url, "203.0.113.7, 10.1.2.3") == 200
        assert await status(url, "203.0.113.7, 198.51.100.1") == 403, "the nearest that is not trusted is the caller"
        assert await status(url, "203.0.113.7, nonsense") == 403
        assert await status(url, "[203.0.113.7]:1234") == 200


async def test_cors_for_named_origins(serving: Serving, tenant: Tenant) -> None:
    headers = {"x-api-key": tenant.key, "origin": "https://app.example"}
    async with serving(cors_origins=("https://app.example",)) as url, calling(url) as client:
        answer = await client.get("/api/v1/clients", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers
        asked = {"origin": "https://app.example", "access-control-request-method": "PATCH"}
        preflight = await client.options("/api/v1/clients", headers=asked)
        assert preflight.status_code == 204
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        other = await client.get("/api/v1/clients", headers=headers | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        problem = await client.get("/api/v1/clients", headers={"origin": "https://app.example"})
        assert (problem.status_code, problem.headers["access-control-allow-origin"]) == (401, "https://app.example")
