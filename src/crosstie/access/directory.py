"""The directory: people and firms that another service keeps, however they become known here.

A token, an event of the auth service and a call of its sync endpoint may tell of the same person in any order, again
and again, and at the same moment: they take one lock per identity, and what is older than the last word changes
nothing.
A person is who his issuer says he is, by (issuer, subject) and never by e-mail address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from crosstie.access import user as users
from crosstie.access.role import BUILT_IN
from crosstie.access.user import USERS, User
from crosstie.db.statement import Statement, compiled
from crosstie.errors import Conflict
from crosstie.log import change
from crosstie.log.unit import Unit

#: the role of somebody whose own roles nobody here knows: an outsider's, which opens nothing
STRANGER = "client"

LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 7))", ["key"])
TOUCH = Statement("UPDATE users SET synced_at = $3::timestamptz WHERE tenant_id = $1::uuid AND id = $2::uuid", "123")
ROLES = Statement("SELECT name FROM roles WHERE name = ANY ($1::text[])", ["names"])
FIND = compiled(
    sa.select(User.__table__).where(
        User.__table__.c.issuer == sa.bindparam("issuer", type_=sa.Text),
        sa.or_(
            User.__table__.c.subject == sa.bindparam("subject", type_=sa.Text),
            sa.and_(User.__table__.c.subject.is_(None), User.__table__.c.email == sa.bindparam("email", type_=sa.Text)),
        ),
    )
)
NAMESAKE = compiled(sa.select(User.__table__).where(User.__table__.c.email == sa.bindparam("email", type_=sa.Text)))


@dataclass(frozen=True, slots=True)
class Person:
    """What an issuer says of somebody at a moment; None where it says nothing."""

    issuer: str
    subject: str | None
    email: str
    at: datetime
    name: str | None = None
    roles: tuple[str, ...] | None = None
    active: bool | None = None
    #: the role where no role is known
    default_role: str | None = None


async def user(unit: Unit, person: Person, *, adopt: bool = False) -> tuple[User, bool]:
    """The user that a person is, and whether he is new.

    `adopt`: one that Crosstie kept under this address so far becomes his; only the service that keeps all of the
    tenant's people may ask that. Raises Conflict where the address is another identity's.
    """
    email = person.email.lower()
    await unit.fetch(LOCK, key=f"{unit.tenant_id} {person.issuer} {person.subject or email}")
    await unit.fetch(LOCK, key=f"{unit.tenant_id} {email}")
    found = await unit.fetch(FIND, issuer=person.issuer, subject=person.subject, email=email)
    if not found:
        namesake = await unit.fetch(NAMESAKE, email=email)
        if namesake and not _his(namesake[0]["issuer"], person, adopt=adopt):
            raise Conflict(f"Another user has the address {email}: only an administrator can tell which one it is.")
        found = namesake
    if not found:
        return await _made(unit, person, email), True
    return await _updated(unit, User.view(found[0]), person, email), False


def _his(issuer: str | None, person: Person, *, adopt: bool) -> bool:
    """Whether the user with a person's address can be that person."""
    return adopt and (issuer is None or (issuer == person.issuer and person.subject is None))


async def _made(unit: Unit, person: Person, email: str) -> User:
    roles = await _roles(unit, person, person.roles or ())
    values = USERS.creation.decode({"email": email, "name": person.name, **roles})
    values |= {
        "issuer": person.issuer,
        "subject": person.subject,
        "synced_at": person.at,
        "status": "suspended" if person.active is False else "active",
    }
    made = await change.create(unit, USERS, values)
    await unit.flush()
    assert isinstance(made, User)
    return made


async def _updated(unit: Unit, row: User, person: Person, email: str) -> User:
    if row.synced_at is not None and person.at <= row.synced_at:
        return row
    told: dict[str, Any] = {"email": email, "issuer": person.issuer}
    if person.subject is not None:
        told["subject"] = person.subject
    if person.name is not None:
        told["name"] = person.name
    if person.roles is not None:
        told |= await _roles(unit, person, person.roles)
    fresh = {name: value for name, value in told.items() if row.__dict__[name] != value}
    after = row
    if fresh:
        # the issuer's own write names the issuer: another may not change these users
        changed = await change.update(unit, USERS, row, fresh | {"issuer": person.issuer, "synced_at": person.at})
        assert isinstance(changed, User)
        after = changed
    else:
        unit.write(TOUCH, [unit.tenant_id, row.id, person.at])
    if person.active is not None and person.active != (after.status == "active"):
        present = {"previous_status": after.status}
        after = unit.update(after, {"status": "active" if person.active else "suspended"})
        change.tell(unit, USERS, "user.activated" if person.active else "user.suspended", after, present)
    if fresh.keys() & {"role", "further_roles"} or after.status == "suspended":
        users.signed_out(unit, after)
    await unit.flush()
    return after


async def _roles(unit: Unit, person: Person, wanted: tuple[str, ...]) -> Mapping[str, Any]:
    """The columns of somebody's roles: those that exist here, else the usual one."""
    known = {row["name"] for row in await unit.fetch(ROLES, names=list(wanted))} | BUILT_IN.keys()
    kept = [role for role in dict.fromkeys(wanted) if role in known] or [person.default_role or STRANGER]
    return {"role": kept[0], "further_roles": kept[1:20]}
