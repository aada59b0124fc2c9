"""One tenant's rows are no other's: on every table and every partition that the catalogue knows, for every role."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.faults.rig import Rig
from tests.faults.rights import BARE

APP, WORKER = "crosstie_app", "crosstie_worker"
TABLES = """
SELECT c.relname AS name, coalesce(p.relname, c.relname) AS declared,
    (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns
  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1) ORDER BY 1"""
COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attnotnull AS needed,
    (SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint k
      WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)) AS rule
  FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"""
PLAIN = {"text": "x", "uuid": None, "boolean": "true", "bytea": "\\x00", "json": "{}", "jsonb": "{}"}


@dataclass(frozen=True)
class Table:
    """A table or partition; `key` is the column that names the tenant, if there is one."""

    name: str
    declared: str
    key: str | None


@dataclass(frozen=True)
class World:
    """Two tenants with a row each in every table, in a transaction that is rolled back."""

    connection: asyncpg.Connection
    tables: list[Table]
    mine: UUID
    theirs: UUID


@pytest.fixture(scope="module")
def homes() -> tuple[UUID, UUID]:
    return uuid4(), uuid4()


@pytest.fixture
async def world(cluster: Rig, homes: tuple[UUID, UUID]) -> AsyncIterator[World]:
    connection = await cluster.stage.superuser()
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")  # rows without those they refer to
        tables = [_table(row) for row in await connection.fetch(TABLES, list(BARE))]
        for table in tables:
            if table.key and table.name == table.declared:
                for tenant in homes:
                    await _fill(connection, table, tenant)
        await connection.execute("SET LOCAL session_replication_role = origin")
        yield World(connection, tables, *homes)
    finally:
        await transaction.rollback()
        await connection.close()


def _table(row: asyncpg.Record) -> Table:
    return Table(row["name"], row["declared"], "tenant_id" if "tenant_id" in row["columns"] else None)


async def _fill(connection: asyncpg.Connection, table: Table, tenant: UUID) -> None:
    row = {}
    for column in await connection.fetch(COLUMNS, table.name):
        if column["name"] == "tenant_id" or (table.name == "tenants" and column["name"] == "id"):
            row[column["name"]] = str(tenant)
        elif column["needed"]:
            row[column["name"]] = _value(column)
    names = [f'"{name}"' for name in row]
    await connection.execute(
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join('r.' + name for name in names)}"
        f" FROM json_populate_record(NULL::{table.name}, $1::json) AS r",
        json.dumps(row),
    )


def _value(column: asyncpg.Record) -> Any:
    """Something that the column's type and check take."""
    listed = re.search(r"ARRAY\['([^']*)'", column["rule"] or "") or re.search(r"= '([^']*)'", column["rule"] or "")
    if listed:
        return listed[1]
    if column["type"] == "uuid":
        return str(uuid4())
    if column["type"] == "text":
        return f"x{uuid4()}"
    if column["type"] in PLAIN:
        return json.loads("{}") if column["type"].startswith("json") else PLAIN[column["type"]]
    return "2026-01-01" if column["type"].startswith(("timestamp", "date")) else 1


async def become(world: World, role: str, tenants: Iterable[UUID]) -> None:
    """Go on as a serving role, for these tenants."""
    listed = list(tenants)
    one = str(listed[0]) if len(listed) == 1 and role == APP else ""
    await world.connection.execute(f"SET LOCAL ROLE {role}")
    await world.connection.execute("SELECT set_config('app.tenant', $1, true)", one)
    many = "{" + ",".join(map(str, listed)) + "}" if role == WORKER and listed else ""
    await world.connection.execute("SELECT set_config('app.tenants', $1, true)", many)


async def tried(world: World, statement: str, *arguments: Any) -> Any:
    """The value of a statement, or None where the right to it is missing; what it did is undone."""
    transaction = world.connection.transaction()
    await transaction.start()
    try:
        return await world.connection.fetchval(statement, *arguments)
    except asyncpg.InsufficientPrivilegeError:
        return None
    except asyncpg.IntegrityConstraintViolationError:
        return True  # the policy had let it pass: constraints are looked at after it
    finally:
        await transaction.rollback()


async def escapes(world: World, role: str, allowed: UUID | None) -> list[str]:
    """What a role gets of tenants that are not its own."""
    found = []
    for table in world.tables:
        strange = f"{table.key} IS DISTINCT FROM '{allowed}'" if table.key and allowed else "true"
        statements = {
            "sees": f"SELECT count(*) FROM {table.name} WHERE {strange}",
            "locks": f"SELECT count(*) FROM (SELECT FROM {table.name} WHERE {strange} FOR UPDATE) AS l",
            "deletes": f"WITH d AS (DELETE FROM {table.name} WHERE {strange} RETURNING 1) SELECT count(*) FROM d",
            "truncates": f"TRUNCATE {table.name}",
        }
        if table.key:
            statements["changes"] = (
                f"WITH u AS (UPDATE {table.name} SET {table.key} = {table.key} WHERE {strange} RETURNING 1)"
                " SELECT count(*) FROM u"
            )
            statements["copies"] = (
                f"WITH i AS (INSERT INTO {table.name} SELECT (json_populate_record(t, json_build_object('{table.key}',"
                f" '{world.theirs}'))).* FROM {table.name} t LIMIT 1 RETURNING 1) SELECT count(*) FROM i"
            )
            statements["gives away"] = (
                f"WITH u AS (UPDATE {table.name} SET {table.key} = '{world.theirs}' RETURNING 1) SELECT count(*) FROM u"
            )
        for what, statement in statements.items():
            if await tried(world, statement):
                found.append(f"{role} {what} rows of {table.name}")
    return found


async def visible(world: World) -> set[str]:
    """The tables of which the present role sees something."""
    return {t.name for t in world.tables if await tried(world, f"SELECT count(*) FROM {t.name}")}


@pytest.mark.parametrize("role", [APP, WORKER])
async def test_without_a_tenant_nothing_is_seen_and_nothing_is_taken(world: World, role: str) -> None:
    await become(world, role, [])
    assert await visible(world) == set()
    assert await escapes(world, role, None) == []
    assert await _refused(world) == []


async def _refused(world: World) -> list[str]:
    """Whole rows of another tenant that the present role could write."""
    await world.connection.execute("RESET ROLE")
    whole = {}
    for table in world.tables:
        if table.key:
            query = f"SELECT to_json(t)::text FROM {table.name} t WHERE tenant_id = $1 LIMIT 1"
            whole[table.name] = await world.connection.fetchval(query, world.theirs)
            await world.connection.execute(f"DELETE FROM {table.name} WHERE tenant_id = $1", world.theirs)
    found = []
    for name, row in whole.items():
        for role in (APP, WORKER):
            await become(world, role, [])
            if row and await tried(
                world,
                f"WITH i AS (INSERT INTO {name} SELECT * FROM json_populate_record(NULL::{name}, $1::json) RETURNING 1)"
                " SELECT count(*) FROM i",
                row,
            ):
                found.append(f"{role} writes {name}")
            await world.connection.execute("RESET ROLE")
    return found


@pytest.mark.parametrize("role", [APP, WORKER])
async def test_with_one_tenant_nothing_of_another_is_seen_or_touched(world: World, role: str) -> None:
    await become(world, role, [world.mine])
    seen = await visible(world)
    assert len(seen) >= (20 if role == APP else 6), f"the test sees too little itself: {seen}"
    assert await escapes(world, role, world.mine) == []


async def test_the_worker_sees_the_tenants_of_its_batch_and_no_more(world: World) -> None:
    await become(world, WORKER, [world.mine, world.theirs])
    count = "SELECT count(DISTINCT tenant_id) FROM deliveries"
    assert await tried(world, count) == 2
    await become(world, WORKER, [world.mine])
    assert await tried(world, count) == 1


async def test_the_owner_sees_rows_only_where_that_is_switched_on(world: World) -> None:
    """Inside definer functions, and while a backup runs."""
    await world.connection.execute("SET LOCAL ROLE crosstie_owner")
    assert await visible(world) == set()
    await world.connection.execute("SELECT set_config('app.owner', 'on', true)")
    assert len(await visible(world)) >= 30


async def test_the_probes_find_an_open_table(world: World) -> None:
    """What these tests look with is looked at: with a policy opened they must fail."""
    await world.connection.execute("ALTER POLICY tenant ON jobs USING (true) WITH CHECK (true)")
    await become(world, APP, [world.mine])
    found = await escapes(world, APP, world.mine)
    assert {f"{APP} {what} rows of jobs" for what in ("sees", "locks", "deletes", "changes", "gives away")} <= set(
        found
    )
