"""The auth service: an outside one that keeps tenants, outlets and people, and tells of them by events and calls.

Its tenants are tenants here, under the same id where that is a UUID. What it says is dated, so events may come in any
order and more than once; what is not there yet is waited for, as a reaction that fails is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid5

from crosstie.access import directory, tenant
from crosstie.access.issuer import TRUSTED_ISSUERS, USUAL
from crosstie.access.outlet import OUTLETS
from crosstie.access.user import User
from crosstie.db.statement import Statement
from crosstie.declare.module import Reaction
from crosstie.errors import Conflict, Fault, Invalid, NotFound, Unavailable
from crosstie.log import change
from crosstie.log.event import DIRECTORY, Event
from crosstie.log.unit import Unit

#: states of the service's own in which somebody may not act
ENDED = frozenset(("suspended", "inactive", "disabled", "deleted", "blocked", "locked", "deactivated"))
CODE = re.compile(r"[^A-Za-z0-9]+")

FIRM = Statement("SELECT * FROM tenants FOR UPDATE", ())
TAKEN = Statement("SELECT id FROM tenant_list() WHERE slug = $1::text AND id <> $2::uuid", ["slug", "tenant"])
TRUSTED = Statement(
    "SELECT roles, default_role FROM trusted_issuers WHERE issuer = $1::text ORDER BY id LIMIT 1", ["issuer"]
)
KEY = Statement("SELECT scopes FROM api_keys WHERE id = $1::text::uuid", ["id"])
OUTLET = Statement("SELECT * FROM outlets WHERE id = $1::uuid FOR UPDATE", ["id"])
CHANGE = Statement(
    "UPDATE tenants SET slug = $2::text, name = $3::text, status = $4::text, identity_issuer = $5::text,"
    " synced_at = $6::timestamptz, updated_at = now(), revision = revision + 1 WHERE id = $1::uuid",
    "123456",
)


@dataclass(frozen=True, slots=True)
class AuthService:
    """What follows from the auth service's word. `issuer` and `audience` are those of its tokens."""

    issuer: str = ""
    audience: str = ""

    @property
    def reactions(self) -> tuple[Reaction, ...]:
        """What its events bring about."""
        return (
            Reaction("auth.tenants", ("auth.tenant.created", "auth.tenant.updated"), self.tenant),
            Reaction("auth.users", ("auth.user.created", "auth.user.updated"), person),
        )

    async def tenant(self, unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
        """A tenant with keys, roles, outlets and trust in the service's tokens; all of it in one transaction."""
        if await _own(unit, event):
            return
        if not self.issuer:
            raise Unavailable("No auth service is known here: set AUTH_ISSUER.")
        rows = await unit.fetch(FIRM)
        if not rows:
            await self._free(unit, data.get("slug"))
            name = data.get("name") or data["slug"]
            await tenant.build(
                unit.connection, unit.log.cipher, unit.tenant_id, slug=data["slug"], name=name, actor=unit.actor
            )
            rows = await unit.fetch(FIRM)
        row = rows[0]
        if row["synced_at"] is not None and event.at <= row["synced_at"]:
            return
        slug = data.get("slug") or row["slug"]
        if slug != row["slug"]:
            await self._free(unit, slug)
        status = row["status"] if data.get("status") is None else "suspended" if data["status"] in ENDED else "active"
        name = data.get("name") or row["name"]
        unit.write(CHANGE, [unit.tenant_id, slug, name, status, self.issuer, event.at])
        if status != row["status"]:
            change.reroute(unit)
        await self._trust(unit)
        for each in data.get("outlets") or ():
            await _outlet(unit, each)

    async def _free(self, unit: Unit, slug: str | None) -> None:
        """Raise Invalid or Conflict unless a tenant may have this slug."""
        tenant.MADE.decode({"slug": slug, "name": "x"})
        if await unit.fetch(TAKEN, slug=slug, tenant=unit.tenant_id):
            raise Conflict(f"Another tenant has the slug {slug}.")

    async def _trust(self, unit: Unit) -> None:
        """One issuer serves all of its tenants: the claim in its tokens says which."""
        if not await unit.fetch(TRUSTED, issuer=self.issuer):
            claims = USUAL | {"tenant": "tenant_id"}
            values = {"issuer": self.issuer, "audience": self.audience, "claims": claims}
            await change.create(unit, TRUSTED_ISSUERS, TRUSTED_ISSUERS.creation.decode(values))


async def _own(unit: Unit, event: Event) -> bool:
    """Whether a tenant itself said this: an event like any other, by which nobody hands a tenant over.

    The auth service writes into the logs of others, with a key of another tenant or by a broker of the operator's.
    """
    if event.actor_type != "api_key":
        return event.actor_type != "broker"
    keys = await unit.fetch(KEY, id=event.actor_id)
    return bool(keys) and DIRECTORY not in keys[0]["scopes"]


async def _outlet(unit: Unit, each: Any) -> None:
    """An outlet of the tenant, known by the service's id for it."""
    if not isinstance(each, dict) or not isinstance(each.get("id"), str):
        return
    id = uuid5(unit.tenant_id, f"outlet {each['id']}")
    name = str(each.get("name") or each["id"])[:200]
    found = await unit.fetch(OUTLET, id=id)
    if found:
        row = OUTLETS.row.view(found[0])
        await change.update(unit, OUTLETS, row, {"name": name})
    else:
        code = CODE.sub("-", str(each.get("code") or name)).strip("-")[:21]
        values = {"name": name, "code": f"{code or 'outlet'}-{id.hex[:8]}", "external_ids": {"auth": each["id"]}}
        await change.create(unit, OUTLETS, OUTLETS.creation.decode(values) | {"id": id})


async def person(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """A user of the tenant, as the service knows him."""
    rows = await unit.fetch(FIRM)
    if not rows:
        raise NotFound("The tenant has not come yet.")
    if rows[0]["identity_issuer"] is not None:
        await told(unit, rows[0]["identity_issuer"], data, event.at)


def _named(name: Any) -> str | None:
    return name[:200] if isinstance(name, str) and name else None


async def told(unit: Unit, issuer: str, data: Mapping[str, Any], at: datetime) -> tuple[User, bool]:
    """The user whom the data tells of, and whether he is new. Raises Invalid, Conflict."""
    if not isinstance(data.get("email"), str):
        raise Invalid("A user needs an address.", errors=[Fault("/email", "required", "must be sent")])
    trusted = await unit.fetch(TRUSTED, issuer=issuer)
    names: Mapping[str, str] = trusted[0]["roles"] if trusted else {}
    listed = data.get("roles")
    return await directory.user(
        unit,
        directory.Person(
            issuer=issuer,
            subject=data.get("user_id"),
            email=data["email"],
            at=at,
            name=_named(data.get("full_name") or data.get("name")),
            roles=tuple(names.get(each, each) for each in listed if isinstance(each, str))
            if listed is not None
            else None,
            active=None if data.get("status") is None else data["status"] not in ENDED,
            default_role=trusted[0]["default_role"] if trusted else None,
        ),
        adopt=True,
    )
