"""What is kept is bounded, strangers are counted, and no address of a hook stands where it must not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import asyncpg
import httpx2
import pytest

from crosstie.db import engine
from crosstie.deliver.inbound import build
from crosstie.deliver.inbound.later import Later, Terms
from crosstie.kit import clock, ids
from tests.integration.inbound.test_hooks import KEY, Partner, partner
from tests.stage import Stage, Tenant, calling, staged


@pytest.fixture
async def superuser(stage: Stage) -> AsyncIterator[asyncpg.Connection]:
    found = await stage.superuser()
    yield found
    await found.close()


async def test_what_is_past_its_time_is_forgotten(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, superuser: asyncpg.Connection
) -> None:
    sender = await partner(client)
    for number in range(3):
        assert (await sender.send({"n": number})).status_code == 200
    first, second, third = await sender.kept()
    old = ids.floor(clock.now() - timedelta(days=31))
    change = "UPDATE inbound_requests SET id = $2, status = $3 WHERE tenant_id = $4 AND id = $1::uuid"
    await superuser.execute(change, first["id"], old, "accepted", tenant.id)
    waiting = ids.floor(clock.now() - timedelta(days=40))
    await superuser.execute(change, second["id"], waiting, "pending", tenant.id)
    pool = await engine.pool(stage.dsns.worker, size=2, name="test")
    try:
        await Later(pool, None, None, None, None, Terms((1,), 30), print).forget()  # type: ignore[arg-type]  # it needs no others
    finally:
        await pool.close()
    assert {each["id"] for each in await sender.kept()} == {str(waiting), third["id"]}


async def test_of_refused_requests_the_newest_stay(
    client: httpx2.AsyncClient, tenant: Tenant, stage: Stage, superuser: asyncpg.Connection
) -> None:
    sender, other = await partner(client), await partner(client)
    for each in (sender, sender, sender, sender, other):
        await each.send({}, key="wrong")
    await sender.send({})
    kept = await sender.kept()
    pool = await engine.pool(stage.dsns.worker, size=1, name="test")
    try:
        assert await pool.fetchval("SELECT forget_inbound($1, 2, 1000)", ids.FIRST) >= 2
    finally:
        await pool.close()
    assert [each["id"] for each in await sender.kept()] == [each["id"] for each in kept[2:]]
    assert len(await other.kept()) == 1


async def test_of_a_refused_body_the_beginning_is_kept(client: httpx2.AsyncClient) -> None:
    made = await client.post("/api/v1/inbound-sources", json={"name": "n", "dialect": "github", "secret": "s" * 20})
    sender = Partner(client, made.json()["id"], made.json()["url"])
    async with calling() as caller:
        answer = await caller.post(sender.url, content=b"x" * 200_000, headers={"x-hub-signature-256": "sha256=00"})
    assert answer.status_code == 401
    (kept,) = await sender.kept()
    assert (len(kept["body"]), kept["size"]) == (65_536, 200_000)
    again = await client.post(f"/api/v1/inbound-requests/{kept['id']}/replay")
    assert (again.status_code, again.json()["code"]) == (409, "move_refused")


@pytest.fixture
def scarce() -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "REFUSED", 3)
        with staged(rate_limit_hooks=40, rate_limit_guests=60) as found:
            yield found


async def test_requests_have_quotas(scarce: Stage) -> None:
    """Refused ones that are kept, good ones of a source, strangers of an address; a minute may end meanwhile."""
    tenant = await scarce.tenant()
    async with tenant.client() as client, calling(headers={"x-api-key": KEY}) as caller:
        sender = await partner(client)
        for _ in range(9):
            assert (await sender.send({}, key="wrong")).status_code == 401
        assert 3 <= len(await sender.kept()) < 9
        good = [(await caller.post(sender.url, content=b"%d" % n)).status_code for n in range(90)]
        assert set(good) == {200, 429}
        # those that show nothing valid are counted by their address, and stop before the database is asked
        wrong = f"{tenant.url}/hooks/{ids.token('in')}"
        strange = [await caller.post(wrong) for _ in range(130)]
        assert {answer.status_code for answer in strange} == {404, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in strange if answer.status_code == 429)


async def test_what_becomes_of_requests_is_counted(client: httpx2.AsyncClient, stage: Stage) -> None:
    async def counted() -> dict[str, float]:
        async with calling(stage.url) as caller:
            text = (await caller.get("/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith("crosstie_inbound_requests_total")]
        found = dict.fromkeys(("accepted", "duplicate", "rejected"), 0.0)
        for line in lines:
            for status in found:
                if 'dialect="api_key"' in line and f'status="{status}"' in line:
                    found[status] += float(line.rsplit(" ", 1)[1])
        return found

    before = await counted()
    sender = await partner(client)
    for key in (KEY, KEY, "wrong"):
        await sender.send({"a": 1}, key=key)
    after = await counted()
    assert all(after[status] >= before[status] + 1 for status in after)


async def test_no_log_and_no_table_holds_an_address(
    client: httpx2.AsyncClient, superuser: asyncpg.Connection, stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    sender = await partner(client)
    token = sender.url.rpartition("/")[2]
    await asyncio.gather(sender.send({"a": 1}), sender.send({"a": 2}, key="wrong"), sender.send(b"\xff"))
    assert token not in "".join(capfd.readouterr())
    tables = await superuser.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    for row in tables:
        found = await superuser.fetchval(
            f"SELECT count(*) FROM public.{row['relname']} AS t WHERE t::text LIKE '%' || $1 || '%'"
            f" OR t::text LIKE '%' || encode($1::bytea, 'hex') || '%'",
            token,
        )
        assert found == 0, row["relname"]
