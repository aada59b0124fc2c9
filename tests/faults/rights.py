"""What the database's catalogue says of rights, held against the declarations: every difference is a finding."""

from __future__ import annotations

import re
from collections.abc import Sequence

import asyncpg
import sqlalchemy as sa

from crosstie.db import policies
from crosstie.db.policies import Roles

ROLES = Roles()
SERVING = (ROLES.app, ROLES.worker)
#: tables that are nobody's noun, and that no serving role reaches
BARE = {"alembic_version"}

FLAGS = """
SELECT c.relname || ' is not under forced row-level security' FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1)
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"""
VIEWS = """
SELECT r || ' may read the view ' || c.relname FROM pg_class c CROSS JOIN unnest($1::text[]) AS r
  WHERE c.relnamespace = 'public'::regnamespace AND has_table_privilege(r, c.oid, 'SELECT') AND (c.relkind IN ('m', 'f')
    OR c.relkind = 'v' AND NOT coalesce(c.reloptions::text ~* 'security_invoker=(true|on|1|yes)', false))"""
DEFINERS = """
SELECT r AS role, p.proname AS name, coalesce(array_to_string(p.proconfig, ';'), '') AS settings,
    pg_get_userbyid(p.proowner) AS owner
  FROM pg_proc p CROSS JOIN unnest($1::text[]) AS r
  WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND has_function_privilege(r, p.oid, 'EXECUTE')"""
KEYS = """
SELECT i.indexrelid::regclass || ' is unique over all tenants' FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
    AND i.indexrelid::regclass::text <> ALL ($2) AND NOT EXISTS (SELECT FROM pg_attribute a
      WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id' AND a.attnum = ANY (i.indkey::int2[]))
UNION ALL SELECT conname || ' of ' || conrelid::regclass || ' refers across tenants' FROM pg_constraint k
  WHERE contype = 'f' AND conrelid::regclass::text = ANY ($1) AND NOT EXISTS (SELECT FROM pg_attribute a
    WHERE a.attrelid = k.conrelid AND a.attname = 'tenant_id' AND a.attnum = ANY (k.conkey))"""
ROLE = """
SELECT rolname || ' is above row-level security' FROM pg_roles
  WHERE rolname = ANY ($1) AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)
UNION ALL SELECT pg_get_userbyid(member) || ' is a member of ' || pg_get_userbyid(roleid) FROM pg_auth_members
  WHERE pg_get_userbyid(member) = ANY ($2)
UNION ALL SELECT pg_get_userbyid(relowner) || ' owns ' || relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) = ANY ($2)
UNION ALL SELECT r || ' may create in the schema' FROM unnest($2::text[]) AS r
  WHERE has_schema_privilege(r, 'public', 'CREATE')"""
GRANTS = """
SELECT c.relname, coalesce(r.rolname, 'PUBLIC') AS role, g.privilege_type AS privilege, NULL AS attribute
  FROM pg_class c CROSS JOIN aclexplode(c.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
  WHERE c.relnamespace = 'public'::regnamespace AND g.grantee <> c.relowner
UNION ALL SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), g.privilege_type, a.attname
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN aclexplode(a.attacl) g
  LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE c.relnamespace = 'public'::regnamespace"""
POLICIES = """
SELECT c.relname AS table, p.polname AS name, p.polpermissive AS permissive, p.polcmd::text AS command,
    ARRAY(SELECT coalesce(rolname, 'PUBLIC') FROM unnest(p.polroles) u LEFT JOIN pg_roles ON pg_roles.oid = u) AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS seen, pg_get_expr(p.polwithcheck, p.polrelid) AS written
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace"""

Grant = tuple[str, str, str, str | None]


async def findings(
    connection: asyncpg.Connection, tables: Sequence[sa.Table], functions: str, reviewed: Sequence[str] = ()
) -> list[str]:
    """Every difference between the rights of a database and the declarations. `reviewed`: unique on purpose."""
    names = [table.name for table in tables if "tenant_id" in table.c]
    found: list[str] = []
    for query, arguments in (
        (FLAGS, (sorted(BARE),)),
        (VIEWS, (SERVING,)),
        (KEYS, (names, list(reviewed))),
        (ROLE, ([ROLES.owner, *SERVING], SERVING)),
    ):
        found += [row[0] for row in await connection.fetch(query, *arguments)]
    return (
        found
        + await _policies(connection, tables)
        + await _grants(connection, tables)
        + await _definers(connection, functions)
    )


async def _policies(connection: asyncpg.Connection, tables: Sequence[sa.Table]) -> list[str]:
    """Each declared policy is made once more beside the one in place: then the server has spelt both."""
    have = {(row["table"], row["name"]): row for row in await connection.fetch(POLICIES)}
    children = {row[0] for row in await connection.fetch("SELECT relname FROM pg_class WHERE relispartition")}
    wanted = {(p.table, p.name): p for table in tables for p in policies.policies(table, ROLES)}
    found = [f"the policy {name} of {table} is missing" for table, name in wanted.keys() - have.keys()]
    async with connection.transaction():
        probes = [policies.Policy(p.table, f"probe_{p.name}", p.role, p.condition) for p in wanted.values()]
        await connection.execute("\n".join(probe.sql() for probe in probes))
        declared = {(row["table"], row["name"]): row for row in await connection.fetch(POLICIES)}
        await connection.execute("\n".join(f"DROP POLICY {probe.name} ON {probe.table};" for probe in probes))
    for table, name in wanted.keys() & have.keys():
        if dict(have[table, name]) | {"name": f"probe_{name}"} != dict(declared[table, f"probe_{name}"]):
            found.append(f"the policy {name} of {table} is not the declared one")
    for (table, name), row in have.items():
        partition = table in children and name == "owner" and row["roles"] == [ROLES.owner]
        if (table, name) not in wanted and not partition:
            found.append(f"the policy {name} of {table} is not declared")
    return found


async def _grants(connection: asyncpg.Connection, tables: Sequence[sa.Table]) -> list[str]:
    have: set[Grant] = {
        (row["relname"], row["role"], row["privilege"], row["attribute"]) for row in await connection.fetch(GRANTS)
    }
    wanted: set[Grant] = set()
    for table in tables:
        reach = table.info.get("reach", "tenant")
        everything = "SELECT, INSERT, UPDATE, DELETE"
        if reach != "closed":
            wanted |= _expected(table.name, ROLES.app, table.info.get("app", everything))
        if reach == "batch":
            wanted |= _expected(table.name, ROLES.worker, table.info.get("batch", everything))
    return [f"granted, not declared: {grant}" for grant in sorted(have - wanted, key=str)] + [
        f"declared, not granted: {grant}" for grant in sorted(wanted - have, key=str)
    ]


def _expected(table: str, role: str, rights: str) -> set[Grant]:
    found: set[Grant] = set()
    for right, attributes in re.findall(r"(\w+)(?:\s*\(([^)]*)\))?(?:,|$)", rights):
        for attribute in attributes.split(",") if attributes else [None]:
            found.add((table, role, right, attribute.strip() if attribute else None))
    return found


async def _definers(connection: asyncpg.Connection, functions: str) -> list[str]:
    declared = set()
    for callers, name in re.findall(r"-- for: ([\w ]+)\n(?:--[^\n]*\n)*CREATE OR REPLACE FUNCTION (\w+)", functions):
        declared |= {(getattr(ROLES, caller), name) for caller in callers.split()}
    found = []
    for row in await connection.fetch(DEFINERS, SERVING):
        if (row["role"], row["name"]) not in declared:
            found.append(f"{row['role']} may call the definer function {row['name']}")
        if "search_path=pg_catalog, public, pg_temp" not in row["settings"] or row["owner"] != ROLES.owner:
            found.append(f"the definer function {row['name']} has no fixed search_path or another owner")
    return found
