"""Row-level security, derived from the declared tables: grants, policies, definer functions.

Each table says in its `info` who reaches it:
    "tenant" (the default)   the application role, one tenant per transaction
    "batch"                  the application role as above, and the worker role for the tenants of its batch
    "closed"                 nobody but definer functions
The owner reaches rows only where `app.owner` is on: inside definer functions, and while a backup runs. No policy is
`true`, and nobody who serves owns a table. The text is committed as spec/policies.sql and reconciled by `migrate`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import sqlalchemy as sa

ONE = "(SELECT nullif(current_setting('app.tenant', true), '')::uuid)"
BATCH = "ANY ((SELECT coalesce(nullif(current_setting('app.tenants', true), ''), '{}')::uuid[])::uuid[])"
OWNER = "(SELECT current_setting('app.owner', true) = 'on')"


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the three database roles."""

    owner: str = "crosstie_owner"
    app: str = "crosstie_app"
    worker: str = "crosstie_worker"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of one table: for a role, a condition that rows must meet to be seen and to be written."""

    table: str
    name: str
    role: str
    condition: str

    def digest(self) -> str:
        """By which a policy in the database is told from this one: kept as its comment."""
        return blake2b(self.sql().encode(), digest_size=12).hexdigest()

    def comment(self) -> str:
        """The statement that keeps the digest."""
        return f"COMMENT ON POLICY {self.name} ON {self.table} IS '{self.digest()}';"

    def sql(self) -> str:
        """The statement that makes it."""
        return (
            f"CREATE POLICY {self.name} ON {self.table} TO {self.role}\n"
            f"  USING ({self.condition})\n  WITH CHECK ({self.condition});"
        )


def key(table: sa.Table) -> str:
    """The column that names a row's tenant."""
    return "tenant_id" if "tenant_id" in table.c else "id"


def policies(table: sa.Table, roles: Roles) -> list[Policy]:
    """The policies of one table."""
    reach = table.info.get("reach", "tenant")
    found = [Policy(table.name, "owner", roles.owner, OWNER)]
    if reach != "closed":
        found.append(Policy(table.name, "tenant", roles.app, f"{key(table)} = {ONE}"))
    if reach == "batch":
        found.append(Policy(table.name, "batch", roles.worker, f"{key(table)} = {BATCH}"))
    return found


def grants(table: sa.Table, roles: Roles) -> list[str]:
    """The rights of the serving roles on one table: `app` and `batch` in its info narrow them."""
    reach = table.info.get("reach", "tenant")
    if reach == "closed":
        return []
    rights = table.info.get("app", "SELECT, INSERT, UPDATE, DELETE")
    found = [
        f"REVOKE ALL ON {table.name} FROM {roles.app}, {roles.worker};",
        f"GRANT {rights} ON {table.name} TO {roles.app};",
    ]
    if reach == "batch":
        found.append(
            f"GRANT {table.info.get('batch', 'SELECT, INSERT, UPDATE, DELETE')} ON {table.name} TO {roles.worker};"
        )
    return found


def render(tables: Iterable[sa.Table], functions: str, roles: Roles) -> list[str]:
    """Every statement that makes the database's rights equal to the declarations, in order."""
    found = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        f"GRANT USAGE ON SCHEMA public TO {roles.app}, {roles.worker};",
    ]
    for table in tables:
        found += [
            f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY;",
            f"ALTER TABLE {table.name} FORCE ROW LEVEL SECURITY;",
        ]
        found += [policy.sql() for policy in policies(table, roles)]
        found += grants(table, roles)
    return found + definers(functions, roles)


def definers(text: str, roles: Roles) -> list[str]:
    """The owner's functions, and who may call each: the line `-- for: app worker` stands above it."""
    found = []
    for part in text.split("-- for: ")[1:]:
        callers, body = part.split("\n", 1)
        statement = body.strip()
        signature = statement.split("FUNCTION ", 1)[1].split(")", 1)[0] + ")"
        name, arguments = signature.split("(", 1)
        types = ", ".join(" ".join(a.split()[1:]) for a in arguments.rstrip(")").split(",") if a.strip())
        found += [statement, f"REVOKE ALL ON FUNCTION {name}({types}) FROM PUBLIC;"]
        found += [f"GRANT EXECUTE ON FUNCTION {name}({types}) TO {getattr(roles, c)};" for c in callers.split()]
    return found
