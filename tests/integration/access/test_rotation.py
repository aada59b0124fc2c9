"""Keys and what they seal, on the stage's real rows: places, rotation under load, moved clocks, the master key."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook, WebhookVerificationError

from crosstie.access.master import FileMasters, masters
from crosstie.access.rotation import Rotation
from crosstie.access.vault import Vault
from crosstie.app import Process, opened
from crosstie.catalog import catalogue
from crosstie.errors import ConfigurationError, DeclarationError
from crosstie.kit import crypto
from crosstie.kit.crypto import Place, Unsealable
from tests.parts.command import Command
from tests.receiver import Received, Receiver
from tests.stage import Stage, Tenant

SEALED = catalogue().sealed
#: bytes at rest that are no secrets, or cannot be turned back into one
PLAIN = {
    "api_keys.hash", "api_keys.old_hash", "attempts.response_body", "data_keys.wrapped", "dead_letters.body",
    "dead_letters.digest", "passkeys.credential", "passkeys.public_key",
    "idempotency.key", "idempotency.fingerprint", "inbox.hash", "oauth_apps.secret", "oauth_apps.old_secret",
    "oauth_codes.hash", "oauth_refreshes.hash", "sessions.hash", "throttles.key", "audit_entries.hash",
    "audit_entries.ip_digest", "audit_entries.ip_salt", "audit_entries.mark", "audit_entries.personal_digest",
    "audit_entries.personal_salt", "audit_entries.previous", "audit_heads.hash", "audit_pending.stamp",
    "service_answers.asked", "inbound_requests.answer", "inbound_requests.body", "inbound_sources.hash",
    "inbound_sources.old_hash", "processes.figures",
}  # fmt: skip


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    """A process of its own beside the stage's, with its own memory of keys."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        yield found


@pytest.fixture
async def behind(stage: Stage) -> AsyncIterator[asyncpg.Connection]:
    connection = await stage.superuser()
    yield connection
    await connection.close()


@pytest.fixture
def command(stage: Stage) -> Command:
    """`crosstie` as the operator of the stage."""
    return Command(stage.home, {"CROSSTIE_PORT": str(stage.port), "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8,::1/128"})


def verified(received: Received, secrets: list[str]) -> bool:
    """Whether one of these secrets signed it, by the library that receivers use."""
    for secret in secrets:
        with suppress(WebhookVerificationError):
            Webhook(secret).verify(received.body, received.headers)
            return True
    return False


@dataclass(frozen=True)
class Value:
    """A sealed value where it was found."""

    place: Place
    sealed: bytes


async def values(behind: asyncpg.Connection, *tenants: Tenant) -> list[Value]:
    """Every sealed value of these tenants, by the declarations."""
    found = []
    for each in SEALED:
        rows = await behind.fetch(
            f"SELECT * FROM {each.table} WHERE {each.column} IS NOT NULL AND tenant_id = ANY ($1)",
            [tenant.id for tenant in tenants],
        )
        found += [
            Value(Place(row["tenant_id"], each.table, each.column, each.place(dict(row))), row[each.column])
            for row in rows
        ]
    return found


async def endpoint(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    body = {"url": "https://example.com/", "auth": {"type": "bearer", "secret": f"token {uuid4()}"}} | more
    answer = await client.post("/api/v1/webhook-endpoints", json=body, headers={"idempotency-key": str(uuid4())})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def filled(tenant: Tenant) -> None:
    """Something in every sealed column that a caller can reach."""
    async with tenant.client() as client:
        for _ in range(2):
            made = await endpoint(client)
            path = f"/api/v1/webhook-endpoints/{made['id']}/rotate-secret"
            assert (await client.post(path)).status_code == 200


async def test_a_value_opens_in_its_own_place_and_in_no_other(
    stage: Stage, process: Process, behind: asyncpg.Connection
) -> None:
    one, two = await stage.tenant(), await stage.tenant()
    await filled(one)
    await filled(two)
    found = await values(behind, one, two)
    assert {(v.place.table, v.place.column) for v in found} >= {
        ("webhook_endpoints", "secret"), ("webhook_endpoints", "old_secret"), ("webhook_endpoints", "auth_secret"),
        ("idempotency", "answer"),
    }  # fmt: skip
    for tenant in (one, two):
        await process.vault.load(process.log.app, tenant.id)

    def opens(value: Value, place: Place) -> bool:
        try:
            process.vault.open(place.tenant, value.sealed, place.table, place.column, place.row)
        except Unsealable:
            return False
        return True

    assert all(opens(value, value.place) for value in found)
    pairs = list(itertools.permutations(found, 2))
    assert len(pairs) > 200
    assert not [pair for pair in pairs if opens(pair[0], pair[1].place)]
    assert len({value.sealed[17:29] for value in found}) == len(found), "a nonce came twice"


async def test_the_documented_script_alone_opens_what_is_stored(
    stage: Stage, behind: asyncpg.Connection, tenant: Tenant
) -> None:
    """Nothing of ours is used: the page, the master key, and what a superuser reads."""
    await filled(tenant)
    page = Path(__file__).parents[3] / "docs" / "reference" / "formats.md"
    script: dict[str, Any] = {}
    exec(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)[0], script)
    master = (stage.home / "master.key").read_bytes()
    keys = {row["id"]: row["wrapped"] for row in await behind.fetch("SELECT id, wrapped FROM data_keys")}
    found = await values(behind, tenant)
    opened = [
        script["open_value"](
            master, keys[UUID(bytes=each.sealed[1:17])], each.sealed,
            str(each.place.tenant), each.place.table, each.place.column, str(each.place.row),
        )
        for each in found
    ]  # fmt: skip
    assert len(opened) >= 8
    assert any(plain.startswith(b"whsec_") for plain in opened)
    assert any(plain.startswith(b"token ") for plain in opened)


async def test_the_doctor_tells_the_age_of_the_master_key(command: Command, behind: asyncpg.Connection) -> None:
    move = "UPDATE data_keys SET wrapped_at = wrapped_at {} interval '91 days' WHERE purpose = 'root'"
    await behind.execute(move.format("-"))
    old = await asyncio.to_thread(command, "doctor", "-o", "json")
    await behind.execute(move.format("+"))
    young = await asyncio.to_thread(command, "doctor", "-o", "json")
    states = [{each["name"]: each for each in json.loads(done.out)}["master key"] for done in (old, young)]
    assert [each["state"] for each in states] == ["warn", "ok"]
    assert "secrets rotate --master" in states[0]["fix"]


def test_every_column_of_bytes_is_sealed_or_known_to_be_no_secret() -> None:
    sealed = {f"{each.table}.{each.column}" for each in SEALED}
    found = {
        f"{table.name}.{column.name}"
        for table in catalogue().tables
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary)
    }
    assert found - sealed - PLAIN == set(), "declare it with declare.sealed.sealed(), or say that it is no secret"
    assert sealed <= found


async def test_no_column_but_the_declared_ones_holds_sealed_values(behind: asyncpg.Connection, tenant: Tenant) -> None:
    """By the bytes themselves: version, then the id of a key that exists."""
    await filled(tenant)
    columns = await behind.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'bytea'"
    )
    holding = set()
    for row in columns:
        query = (
            f"SELECT EXISTS (SELECT FROM {row['table_name']} t JOIN data_keys k"
            f" ON substring(t.{row['column_name']} FROM 1 FOR 17) = '\\x01'::bytea || uuid_send(k.id))"
        )
        if await behind.fetchval(query):
            holding.add(f"{row['table_name']}.{row['column_name']}")
    assert holding <= {f"{each.table}.{each.column}" for each in SEALED}


async def test_the_vault_seals_to_declared_columns_only(process: Process, tenant: Tenant) -> None:
    await process.vault.load(process.log.app, tenant.id)
    with pytest.raises(DeclarationError, match="not a sealed column"):
        process.vault.seal(tenant.id, b"x", "webhook_endpoints", "url", uuid4())


async def test_rotation_under_load_fails_no_read_and_leaves_nothing_behind(
    process: Process, behind: asyncpg.Connection, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    made = await endpoint(client, url=f"{receiver.url}/hook", event_types=["client.created"])
    secrets = [made["secret"]]
    bodies = {}
    for number in range(30):
        key = f"k{number}"
        answer = await client.post("/api/v1/clients", json={"name": key}, headers={"idempotency-key": key})
        bodies[key] = answer.content
    stop = asyncio.Event()
    reads = 0

    async def read() -> None:
        nonlocal reads
        while not stop.is_set():
            key = random.choice(list(bodies))
            again = await client.post("/api/v1/clients", json={"name": key}, headers={"idempotency-key": key})
            assert (again.status_code, again.content) == (201, bodies[key]), again.text
            reads += 1

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            answer = await client.post("/api/v1/clients", json={"name": "n"}, headers={"idempotency-key": f"w{number}"})
            assert answer.status_code == 201, answer.text
            path = f"/api/v1/webhook-endpoints/{made['id']}/rotate-secret"
            rolled = await client.post(path, json={"overlap_seconds": 600})
            assert rolled.status_code == 200, rolled.text
            secrets.append(rolled.json()["secret"])
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for work in (read, read, write)]
        first = await Rotation(process.log, process.vault).rotate([tenant.id])
        second = await Rotation(process.log, process.vault).rotate([tenant.id])
        stop.set()
        await asyncio.gather(*tasks)

    assert (first.keys, second.keys) == (1, 1)
    assert (first.broken, second.broken) == ([], [])
    assert first.values >= 30
    assert reads > 20
    newest = await behind.fetchval(
        "SELECT id FROM data_keys WHERE tenant_id = $1 AND purpose = 'data' ORDER BY made_at DESC LIMIT 1", tenant.id
    )
    await Rotation(process.log, process.vault).rotate([tenant.id])
    after = {crypto.keyed_by(value.sealed) for value in await values(behind, tenant)}
    assert newest not in after
    assert len(after) == 1
    assert all(verified(each, secrets) for each in await receiver.wait(30))


async def test_a_key_that_another_process_made_is_found_when_it_is_met(
    stage: Stage, process: Process, tenant: Tenant
) -> None:
    await process.vault.load(process.log.app, tenant.id)
    async with opened(stage.settings, stage.dsns, work=False, name="test") as other:
        assert await Rotation(other.log, other.vault).begin(tenant.id)
        await other.vault.load(other.log.app, tenant.id)
        sealed = other.vault.seal(tenant.id, b"news", "webhook_endpoints", "secret", tenant.id)
    with pytest.raises(Unsealable):
        process.vault.open(tenant.id, sealed, "webhook_endpoints", "secret", tenant.id)
    async with process.log.unit(tenant.id) as unit:
        plain = await process.vault.unseal(unit.connection, tenant.id, sealed, "webhook_endpoints", "secret", tenant.id)
    assert plain == b"news"


async def test_after_ninety_days_everything_happens_by_itself(
    process: Process, behind: asyncpg.Connection, tenant: Tenant
) -> None:
    await filled(tenant)
    rotation = Rotation(process.log, process.vault)

    async def keys() -> list[UUID]:
        rows = await behind.fetch("SELECT id FROM data_keys WHERE tenant_id = $1 ORDER BY made_at", tenant.id)
        return [row["id"] for row in rows]

    async def pass_days(days: int) -> None:
        await behind.execute(
            "UPDATE data_keys SET made_at = made_at - $2 * interval '1 day', retired_at = retired_at"
            " - $2 * interval '1 day' WHERE tenant_id = $1",
            tenant.id, days,
        )  # fmt: skip

    (old,) = await keys()
    await pass_days(89)
    await rotation.keep()
    assert await keys() == [old]

    await pass_days(2)
    await rotation.keep()

    _, new = await keys()
    assert {crypto.keyed_by(value.sealed) for value in await values(behind, tenant)} == {new}
    await pass_days(1)
    await rotation.keep()  # retires the old key
    assert await keys() == [old, new]
    await pass_days(1)
    await rotation.keep()  # drops it
    assert await keys() == [new]
    await behind.execute("UPDATE data_keys SET sealed = 1::bigint << 32 WHERE id = $1", new)
    await rotation.keep()
    assert len(await keys()) == 2


async def test_what_was_changed_is_named_and_holds_up_nothing_else(
    command: Command, behind: asyncpg.Connection, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    one, two = await endpoint(client), await endpoint(client)
    well = await endpoint(client, url=f"{receiver.url}/well", event_types=["client.created"])
    await behind.execute(
        "UPDATE webhook_endpoints w SET secret = o.secret FROM webhook_endpoints o WHERE w.tenant_id = $1"
        " AND o.tenant_id = $1 AND w.id = $2 AND o.id = $3",
        tenant.id, UUID(one["id"]), UUID(two["id"]),
    )  # fmt: skip

    refused = await client.post(f"/api/v1/webhook-endpoints/{one['id']}/rotate-secret")
    done = await asyncio.to_thread(command, "secrets", "rotate", "--tenant", tenant.slug, "-o", "json")

    assert refused.status_code == 500
    assert (done.code, "webhook_endpoints.secret" in done.out, one["id"] in done.out) == (10, True, True)
    assert two["id"] not in done.out
    await client.post("/api/v1/clients", json={"name": "after"})
    (got,) = await receiver.wait(1)
    assert verified(got, [well["secret"]])


async def test_a_key_that_somebody_changed_is_the_trouble_of_its_tenant_alone(
    stage: Stage, process: Process, behind: asyncpg.Connection, tenant: Tenant
) -> None:
    broken = await stage.tenant()
    was = await behind.fetchval("SELECT wrapped FROM data_keys WHERE tenant_id = $1", broken.id)
    spoil = "UPDATE data_keys SET wrapped = $2 WHERE tenant_id = $1"
    await behind.execute(spoil, broken.id, was[:-1] + bytes([was[-1] ^ 1]))
    await process.vault.load_many(process.log.worker, {tenant.id, broken.id})
    assert process.vault.seal(tenant.id, b"x", "secrets", "value", tenant.id)
    with pytest.raises(Unsealable, match="cannot be had"):
        process.vault.seal(broken.id, b"x", "secrets", "value", broken.id)
    await Rotation(process.log, process.vault).keep()
    await behind.execute(spoil, broken.id, was)


async def test_the_master_key_is_rotated_and_everybody_goes_on(
    command: Command, stage: Stage, behind: asyncpg.Connection, tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    await filled(tenant)
    before = (stage.home / "master.key").read_bytes()

    done = await asyncio.to_thread(command, "secrets", "rotate", "--master", "-o", "json")

    after = (stage.home / "master.key").read_bytes()
    assert before != after
    assert done.one["master_key"] == str(crypto.identify(after))
    assert (stage.home / f"master.key.{crypto.identify(before)}").read_bytes() == before
    wrapped = {crypto.keyed_by(row["wrapped"]) for row in await behind.fetch("SELECT wrapped FROM data_keys")}
    assert wrapped == {crypto.identify(after)}
    assert (await client.get("/api/v1/clients")).status_code == 200
    other = await stage.tenant()
    await filled(other)
    assert (await asyncio.to_thread(command, "secrets", "rotate", "--tenant", other.slug)).one["left"] == 0
    async with opened(stage.settings, stage.dsns, work=False, name="test") as fresh:
        assert fresh.vault.pepper == (await stage.vault()).pepper


async def test_a_master_key_that_is_away_for_a_while_ends_nothing(process: Process, stage: Stage) -> None:
    process.vault.masters = FileMasters(stage.home / "nowhere.key")
    looking = asyncio.create_task(Rotation(process.log, process.vault, every=0.01).run())
    done, _ = await asyncio.wait([looking], timeout=0.5)
    assert not done
    looking.cancel()


async def test_a_master_key_that_is_not_the_installations_is_one_sentence(command: Command, stage: Stage) -> None:
    pool = await asyncpg.create_pool(stage.dsns.app, min_size=1, max_size=2)
    other = stage.home / "other.key"
    other.write_bytes(bytes(32))
    other.chmod(0o600)
    with pytest.raises(ConfigurationError, match="put it back"):
        await Vault.opened(pool, FileMasters(other))
    assert (await Vault.opened(pool, masters(stage.settings))).pepper
    await pool.close()
    done = await asyncio.to_thread(command, "doctor", "-o", "json", CROSSTIE_MASTER_KEY_FILE=str(other))
    assert (done.code, "put it back" in done.out) == (1, True)
