"""Roles: one table of who may read and write which noun; and the roles that a tenant makes for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Mapped

from crosstie.access import scope
from crosstie.declare import kind as kinds
from crosstie.declare.field import flag, many, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.errors import Conflict, Forbidden, StillReferenced
from crosstie.log.unit import Log, Unit

NAME = r"^[a-z][a-z0-9_]{0,59}$"

#: The roles that every tenant has. An outsider's role opens no list of the tenant: outsiders act by links that are
#: signed for one record, and by what portals narrow to their own records.
BUILT_IN = {
    "admin": "Runs the tenant: everything, other people's rights and all secrets included.",
    "developer": "Connects other systems: keys, webhooks, secrets, connections; reads the business.",
    "owner": "Owns the firm: all of its business, its people and outlets.",
    "staff": "Works in the office: clients, jobs, quotes, visits, documents, payments.",
    "technician": "Works on site: reads the work, sends photos, documents and certificates.",
    "viewer": "Reads the business, writes nothing.",
    "client": "A customer of the firm; an outsider.",
    "estate_manager": "Manages property that the firm works on; an outsider.",
    "supplier": "Supplies the firm; an outsider.",
    "insurer": "Insures clients of the firm; an outsider.",
}
OFFICE = "owner staff"
ON_SITE = "owner staff technician"
INSIDE = "developer owner staff technician viewer"
BUSINESS = "developer owner staff viewer"
TECHNICAL = "developer"

#: noun → (who reads it, who writes it). `admin` stands in no line: he may do everything. A noun without a line is his
#: alone; a test demands a line for each.
TABLE: dict[str, tuple[str, str]] = {
    "tenants": (INSIDE, "owner"),
    "users": (INSIDE, "owner"),
    "roles": ("developer owner", ""),
    "outlets": (INSIDE, "owner"),
    "sessions": ("owner", "owner"),
    "api-keys": (TECHNICAL, TECHNICAL),
    "oauth-apps": (TECHNICAL, TECHNICAL),
    "trusted-issuers": (TECHNICAL, ""),
    "secrets": (TECHNICAL, TECHNICAL),
    "settings": (INSIDE, "owner"),
    "webhook-endpoints": (TECHNICAL, TECHNICAL),
    "inbound-sources": (TECHNICAL, TECHNICAL),
    "inbound-requests": (TECHNICAL, TECHNICAL),
    "deliveries": (TECHNICAL, TECHNICAL),
    "dead-letters": (TECHNICAL, TECHNICAL),
    "integrations": ("developer owner", ""),
    "alert-rules": ("developer owner", "developer owner"),
    "alerts": ("developer owner", "developer owner"),
    "event-types": (BUSINESS, TECHNICAL),
    "events": ("developer owner", TECHNICAL),
    "audit-entries": ("owner", ""),
    "exports": ("owner", "owner"),
    "legal-holds": ("owner", "owner"),
    "privacy-requests": ("owner", "owner"),
    "operations": (BUSINESS, TECHNICAL),
    "service-providers": (TECHNICAL, TECHNICAL),
    "service-calls": (BUSINESS, TECHNICAL),
    "clients": (INSIDE, OFFICE),
    "sites": (INSIDE, OFFICE),
    "jobs": (INSIDE, ON_SITE),
    "quotes": (BUSINESS, OFFICE),
    "schedules": (INSIDE, ON_SITE),
    "media": (INSIDE, ON_SITE),
    "documents": (INSIDE, ON_SITE),
    "certificates": (INSIDE, ON_SITE),
    "payments": (BUSINESS, OFFICE),
    "messages": ("developer owner staff", "developer owner"),
    "notices": (INSIDE, INSIDE),
    "message-templates": (BUSINESS, "developer owner"),
    "notification-preferences": (INSIDE, INSIDE),
    "notification-rules": ("developer owner", "developer owner"),
    "notification-providers": (TECHNICAL, ""),
    "suppressions": ("developer owner staff", "developer owner"),
    # services, by the same rule: who reads from one, who has it change something
    "treasury": (BUSINESS, OFFICE),
    "inventory": (INSIDE, ON_SITE),
    "logistics": (INSIDE, OFFICE),
    "pos": (INSIDE, OFFICE),
    "iot": (INSIDE, OFFICE),
    "projects": (INSIDE, OFFICE),
    "notifications": (BUSINESS, OFFICE),
    "auth": (TECHNICAL, TECHNICAL),
}
#: whoever has one of these can give rights to others: a second factor is asked of him
PRIVILEGED = frozenset(
    ("*", "users:write", "roles:write", "api-keys:write", "oauth-apps:write", "trusted-issuers:write")
)


def _built() -> dict[str, frozenset[str]]:
    """Scopes by built-in role, as the table has them."""
    found: dict[str, set[str]] = {role: set() for role in BUILT_IN}
    found["admin"] = {"*"}
    for noun, (readers, writers) in TABLE.items():
        for role in readers.split():
            found[role].add(f"{noun}:read")
        for role in writers.split():
            found[role].add(f"{noun}:write")
    return {role: frozenset(scopes) for role, scopes in found.items()}


SCOPES = _built()
NONE: Mapping[str, Iterable[str]] = {}


def scopes_of(roles: Iterable[str], own: Mapping[str, Iterable[str]] = NONE) -> frozenset[str]:
    """What somebody in these roles may do. `own` has the scopes of the tenant's own roles; an unknown role has none."""
    found: set[str] = set()
    for role in roles:
        found |= SCOPES[role] if role in SCOPES else set(own.get(role, ()))
    return frozenset(found)


class Role(Record):
    """What people in it may do; built-in ones cannot be changed."""

    __tablename__ = "roles"

    name: Mapped[str] = text(60, pattern=NAME, doc="Its name in users, tokens and events; permanent.")
    title: Mapped[str] = text(200, min=1, doc="What it is for.")
    scopes: Mapped[list[str]] = many(kinds.Text(100), doc="What people in it may do; `*` is everything.", max=200)
    built_in: Mapped[bool] = flag(doc="Whether every tenant has it.")


async def _rule(unit: Unit, before: Role | None, values: dict[str, Any]) -> None:
    """Nobody makes a role that may do more than himself, nor changes one that may."""
    if before is None:
        if values["name"] in BUILT_IN:
            raise Conflict(f"The role {values['name']} is built in: choose another name.")
    else:
        _own(before)
        scope.within(unit.actor, before.scopes)
    if "scopes" in values:
        scope.known(values["scopes"], unit.log.catalogue.scopes)
        scope.within(unit.actor, values["scopes"])


def _own(row: Role) -> None:
    if row.built_in:
        raise Forbidden(f"The role {row.name} is built in and stays as it is: make one of your own.")


async def _unused(unit: Unit, row: Role, given: Mapping[str, Any]) -> None:
    _own(row)
    scope.within(unit.actor, row.scopes)
    used = "SELECT true FROM users WHERE role = $1 OR further_roles @> to_jsonb($1::text) LIMIT 1"
    if await unit.connection.fetchval(used, row.name):
        raise StillReferenced("Users are in this role: give them another first.")


def _shown(row: Role, log: Log) -> dict[str, Any]:
    """A built-in role may do what the table says today, whatever it said when the tenant was made."""
    return {"scopes": sorted(SCOPES[row.name])} if row.built_in and row.name in SCOPES else {}


ROLES = Resource(
    row=Role,
    name="roles",
    read=(Role.id, Role.name, Role.title, Role.scopes, Role.built_in, Role.created_at, Role.updated_at),
    write=(Role.title, Role.scopes),
    once=(Role.name,),
    filter=(Role.name,),
    sort=(Role.name,),
    unique=((Role.name,),),
    rule=_rule,
    before_delete=_unused,
    extra=_shown,
)

#: the built-in roles as rows of a new tenant
BUILD = (
    "INSERT INTO roles (tenant_id, id, name, title, scopes, built_in, created_at, updated_at, revision)"
    " SELECT $1, r.id, r.name, r.title, '[]', true, now(), now(), 1"
    " FROM unnest($2::uuid[], $3::text[], $4::text[]) AS r (id, name, title)"
)
