"""Tenants: the firms that an installation serves. Made by the operator; a tenant sees itself."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import audit, scope, setting
from crosstie.access.role import BUILD, BUILT_IN
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.declare.field import choice, described, flag, text, zone
from crosstie.declare.resource import Events, Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Shape
from crosstie.errors import Conflict, NotFound, UnknownParameter
from crosstie.kit import ids
from crosstie.log import change
from crosstie.log.event import OPERATOR, SYSTEM, Actor
from crosstie.log.trail import Act
from crosstie.log.unit import Cipher, Unit

ID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
SLUG = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"


class Tenant(Record):
    """A firm that this installation serves. Its id is its tenant id."""

    __tablename__ = "tenants"
    # slugs are the one name that is unique across tenants: only the operator gives them
    __table_args__ = (sa.Index("uq_tenants_slug", "slug", unique=True), {"info": {"reach": "batch", "batch": "SELECT"}})

    slug: Mapped[str] = text(63, pattern=SLUG, doc="Short name for addresses and commands.")
    name: Mapped[str] = text(200, min=1, doc="The firm's name.")
    status: Mapped[str] = choice(
        "active", "suspended", doc="A suspended tenant's credentials get 403.", default="active"
    )
    sandbox: Mapped[bool] = flag(doc="Whether this is a tenant to try things in.")
    time_zone: Mapped[str] = zone(doc="Where days begin and end for this firm.", default="Africa/Johannesburg")
    currency: Mapped[str] = text(
        3, pattern="^[A-Z]{3}$", doc="The currency that the firm keeps its books in.", default="ZAR"
    )
    locale: Mapped[str] = choice("en", "ar", doc="Language of messages.", default="en")
    second_factor: Mapped[str] = choice(
        "required_of_admins", "required", "optional", default="required_of_admins",
        doc="Who must sign in with a second factor beside the password: those who can give rights to others, or all.",
    )  # fmt: skip
    identity_issuer: Mapped[str | None] = text(
        500, nullable=True, format="uri",
        doc="Who keeps this tenant's users: the address of the issuer; null where Crosstie does.",
    )  # fmt: skip
    #: the moment of the auth service's last word about it
    synced_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


async def _rule(unit: Unit, before: Tenant | None, values: dict[str, Any]) -> None:
    """How people sign in is for those who may do everything."""
    if unit.actor != SYSTEM and values.keys() & {"second_factor", "identity_issuer"}:
        scope.require(unit.actor, "*")


TENANTS = Resource(
    row=Tenant,
    name="tenants",
    read=(
        Tenant.id,
        Tenant.slug,
        Tenant.name,
        Tenant.status,
        Tenant.sandbox,
        Tenant.time_zone,
        Tenant.currency,
        Tenant.locale,
        Tenant.second_factor,
        Tenant.identity_issuer,
        Tenant.created_at,
        Tenant.updated_at,
    ),
    write=(
        Tenant.name,
        Tenant.time_zone,
        Tenant.currency,
        Tenant.locale,
        Tenant.second_factor,
        Tenant.identity_issuer,
    ),
    verbs=frozenset(("list", "retrieve", "update")),
    filter=(Tenant.slug,),
    events=Events(created=None, deleted=None),
    rule=_rule,
)

MADE = Shape([described(Tenant.slug), described(Tenant.name)])


async def make(
    pool: asyncpg.Pool,
    vault: Cipher,
    *,
    slug: str,
    name: str,
    sandbox: bool = False,
    second_factor: str = "required_of_admins",
) -> UUID:
    """A new tenant with a data key of its own and the built-in roles.

    Raises Invalid for a bad slug, Conflict for one that is taken.
    """
    id = ids.uuid7()
    await vault.refresh()
    try:
        async with session.of_tenant(pool, id) as connection:
            await build(connection, vault, id, slug=slug, name=name, sandbox=sandbox, second_factor=second_factor)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"A tenant with the slug {slug} exists.") from error
    return id


async def build(
    connection: Connection,
    vault: Cipher,
    id: UUID,
    *,
    slug: str,
    name: str,
    sandbox: bool = False,
    second_factor: str = "required_of_admins",
    actor: Actor = OPERATOR,
) -> None:
    """The rows of a new tenant, in a transaction of its own tenant."""
    MADE.decode({"slug": slug, "name": name})
    await connection.execute(
        "INSERT INTO tenants (tenant_id, id, slug, name, status, sandbox, time_zone, currency, locale,"
        " second_factor, created_at, updated_at, revision)"
        " VALUES ($1, $1, $2, $3, 'active', $4, 'Africa/Johannesburg', 'ZAR', 'en', $5, now(), now(), 1)",
        id,
        slug,
        name,
        sandbox,
        second_factor,
    )
    await connection.execute(BUILD, id, [ids.uuid7() for _ in BUILT_IN], list(BUILT_IN), [*BUILT_IN.values()])
    await vault.add_key(connection, id)
    await setting.begin(connection, id)
    after = {"slug": slug, "name": name, "sandbox": sandbox}
    await audit.write(connection, vault, id, actor, Act("tenants.create", "tenant", str(id), after=after))


async def find(pool: asyncpg.Pool, name: str) -> asyncpg.Record:
    """The tenant of a slug, a domain or an id: id, slug, name, status, sandbox. Raises NotFound."""
    key = UUID(name) if ID.fullmatch(name) else None
    found = await pool.fetchrow("SELECT * FROM tenant_find($1, $2)", name.lower(), key)
    if found is None:
        raise NotFound(f"There is no tenant {name}; `crosstie tenants list` shows those that are.")
    return found


async def listed(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    """Every tenant, oldest first."""
    return await pool.fetch("SELECT * FROM tenant_list() ORDER BY id")


async def set_status(pool: asyncpg.Pool, vault: Cipher, id: UUID, status: str) -> None:
    """Suspend a tenant, or make it active again. Its credentials and deliveries follow within seconds."""
    if status not in ("active", "suspended"):
        raise UnknownParameter("A tenant is active or suspended.")
    async with session.of_tenant(pool, id) as connection:
        await connection.execute(
            "UPDATE tenants SET status = $1, updated_at = now(), revision = revision + 1 WHERE id = $2", status, id
        )
        await connection.execute(change.REROUTE.text, id)
        verb = "suspend" if status == "suspended" else "resume"
        act = Act(f"tenants.{verb}", "tenant", str(id), after={"status": status})
        await audit.write(connection, vault, id, OPERATOR, act)
