"""Names by which a firm is found: a domain leads to one tenant, and the operator alone says to which.

Whoever may choose the domain that his tenant is found by could take another firm's.
"""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from crosstie.access import audit
from crosstie.db import session
from crosstie.declare.row import Row
from crosstie.errors import Conflict, Fault, Invalid, NotFound
from crosstie.kit import ids
from crosstie.log.event import OPERATOR
from crosstie.log.trail import Act
from crosstie.log.unit import Cipher

#: a host name with a dot, in lower case; those of other scripts as DNS has them (RFC 5890, xn--…)
FORM = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")

tenant_domains = sa.Table(
    "tenant_domains",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("domain", sa.Text, nullable=False),
    # unique across tenants, as slugs are: only the operator gives them
    sa.Index("uq_tenant_domains_domain", "domain", unique=True),
    info={"app": "SELECT, INSERT, DELETE"},
)


async def listed(pool: asyncpg.Pool, tenant_id: UUID) -> list[str]:
    """The domains of a tenant."""
    async with session.of_tenant(pool, tenant_id) as connection:
        rows = await connection.fetch("SELECT domain FROM tenant_domains ORDER BY domain")
    return [row["domain"] for row in rows]


async def give(pool: asyncpg.Pool, vault: Cipher, tenant_id: UUID, domain: str) -> None:
    """Have a tenant found by a domain. Raises Invalid, and Conflict for one that leads to a tenant already."""
    name = domain.lower().rstrip(".")
    if FORM.fullmatch(name) is None:
        fault = Fault("/domain", "domain", "must be a host name such as shop.acme.example")
        raise Invalid(f"{domain} is no domain.", errors=[fault])
    try:
        async with session.of_tenant(pool, tenant_id) as connection:
            await connection.execute("INSERT INTO tenant_domains VALUES ($1, $2, $3)", tenant_id, ids.uuid7(), name)
            act = Act("tenants.give_domain", "tenant", str(tenant_id), after={"domain": name})
            await audit.write(connection, vault, tenant_id, OPERATOR, act)
    except asyncpg.UniqueViolationError:
        raise Conflict(f"{name} leads to a tenant already.") from None


async def take(pool: asyncpg.Pool, vault: Cipher, tenant_id: UUID, domain: str) -> None:
    """Have a tenant found by a domain no more. Raises NotFound."""
    name = domain.lower().rstrip(".")
    async with session.of_tenant(pool, tenant_id) as connection:
        if not await connection.fetch("DELETE FROM tenant_domains WHERE domain = $1 RETURNING id", name):
            raise NotFound(f"The tenant has no domain {name}.")
        act = Act("tenants.take_domain", "tenant", str(tenant_id), before={"domain": name})
        await audit.write(connection, vault, tenant_id, OPERATOR, act)
