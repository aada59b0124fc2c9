"""Users: the people of a tenant, their roles and outlets, and who keeps their identity (checklist §1.1: RBAC)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import link, password, scope
from crosstie.access.role import BUILT_IN, NAME, scopes_of
from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import noun_event
from crosstie.declare.field import Field, choice, many, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Action, Resource
from crosstie.declare.row import Record
from crosstie.declare.sealed import sealed
from crosstie.declare.shape import fault
from crosstie.errors import IdentityElsewhere, LinkExpired, NotFound
from crosstie.log import change
from crosstie.log.event import SYSTEM
from crosstie.log.unit import Unit

EMAIL = r"^[^@\s]{1,64}@[^@\s]{1,189}$"
#: how long a link to set a password works
INVITATION = timedelta(days=7)
INVITATIONS = "invitations"
#: how long a link works that somebody asked for who forgot his password
RESET = timedelta(hours=1)
RESETS = "resets"


class User(Record):
    """A person who works with the tenant's records."""

    __tablename__ = "users"
    # a sign-in begins with an address, before its tenant is known
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "issuer", "subject", name="uq_users_issuer_subject"),
        sa.Index("ix_users_sign_in", "email"),
    )

    email: Mapped[str] = text(254, pattern=EMAIL, format="email", personal=True, doc="E-mail address; it names them.")
    name: Mapped[str | None] = text(200, min=1, nullable=True, personal=True, doc="What they are called.")
    phone: Mapped[str | None] = text(40, nullable=True, personal=True, doc="Telephone number.")
    role: Mapped[str] = text(60, pattern=NAME, doc="What they are to the firm: a built-in role or one of its own.")
    further_roles: Mapped[list[str]] = many(kinds.Text(60, pattern=NAME), max=20, doc="Roles beside that one.")
    outlet_ids: Mapped[list[str]] = many(kinds.Id("outlets"), max=500, doc="The outlets they work at.")
    status: Mapped[str] = choice("active", "suspended", doc="Whether they may act.", default="active")
    issuer: Mapped[str | None] = text(
        500, nullable=True, doc="Who keeps this identity: the address of the issuer; null where Crosstie does."
    )
    subject: Mapped[str | None] = text(255, nullable=True, doc="Their id at that issuer.")
    # without a field: nothing that reads or writes records by their declaration ever sees these
    #: the moment of the issuer's last word about them
    synced_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    password_hash: Mapped[str | None] = mapped_column(sa.Text)
    #: the one link that may set a password now
    invited_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    #: the same, of one who forgot his
    reset_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    #: the sealed seed of the authenticator app, when it was confirmed, and the last step that was used
    totp: Mapped[bytes | None] = sealed(nullable=True)
    totp_since: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    totp_step: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: keyed hashes of recovery codes that are left
    recovery: Mapped[list[str] | None] = mapped_column(JSONB)


OWN_ROLES = "SELECT name, scopes FROM roles WHERE NOT built_in AND name = ANY ($1::text[])"


async def scopes(unit: Unit, roles: Iterable[str]) -> frozenset[str]:
    """What somebody in these roles may do. Raises Invalid for a role that does not exist."""
    named = set(roles)
    own = {}
    if named - BUILT_IN.keys():
        await unit.flush()
        own = {row["name"]: row["scopes"] for row in await unit.connection.fetch(OWN_ROLES, sorted(named))}
    unknown = sorted(named - BUILT_IN.keys() - own.keys())
    if unknown:
        raise fault("/role", "role", f"there is no role {unknown[0]}")
    return scopes_of(named, own)


def roles(row: User) -> tuple[str, ...]:
    """The names of somebody's roles, the main one first."""
    return (row.role, *(role for role in row.further_roles if role != row.role))


async def _rule(unit: Unit, before: User | None, values: dict[str, Any]) -> None:
    """Addresses are compared without regard to case (as every mail provider of note does).

    Nobody gives more than he may do himself; Crosstie itself, on behalf of whoever keeps the identities, does.
    """
    if "email" in values:
        values["email"] = values["email"].lower()
    if "issuer" not in values or values["issuer"] is None:
        await _kept_here(unit, before, values)
    if before is not None:
        await _below(unit, before)
    if before is None or values.keys() & {"role", "further_roles"}:
        kept = before.__dict__ if before else {}
        named = [values.get("role", kept.get("role")), *values.get("further_roles", kept.get("further_roles") or ())]
        wanted = await scopes(unit, named)
        if unit.actor != SYSTEM:
            scope.within(unit.actor, wanted)
    if values.get("outlet_ids"):
        await _outlets(unit, values["outlet_ids"])


async def _kept_here(unit: Unit, before: User | None, values: Mapping[str, Any]) -> None:
    """Raise IdentityElsewhere where another owns what is written. The owner's own writes name the issuer.

    What only Crosstie knows of a user, his outlets, stays ours to write.
    """
    owner = before.issuer if before else None
    if owner is None:
        await unit.flush()
        owner = await unit.connection.fetchval("SELECT identity_issuer FROM tenants")
    if owner is not None and (before is None or values.keys() - {"outlet_ids"}):
        raise IdentityElsewhere(f"{owner} keeps this tenant's people: make and change users there.")


async def _below(unit: Unit, row: User) -> None:
    """Raise InsufficientScope where somebody touches a user who may do more than himself."""
    if unit.actor != SYSTEM and "*" not in unit.actor.scopes:
        scope.within(unit.actor, await scopes(unit, roles(row)))


async def _outlets(unit: Unit, wanted: Iterable[str]) -> None:
    asked = [UUID(str(each)) for each in wanted]
    await unit.flush()
    known = {row["id"] for row in await unit.connection.fetch("SELECT id FROM outlets WHERE id = ANY ($1)", asked)}
    for number, each in enumerate(asked):
        if each not in known:
            raise fault(f"/outlet_ids/{number}", "reference", "there is no such record")


async def _guarded(unit: Unit, row: User, given: Mapping[str, Any]) -> None:
    """What every verb on a user asks first."""
    await _kept_here(unit, row, {"status": ""})
    await _below(unit, row)


FORGET = Statement("DELETE FROM passkeys WHERE tenant_id = $1::uuid AND user_id = $2::uuid", "12")
CLEAR = Statement("DELETE FROM sessions WHERE tenant_id = $1::uuid AND user_id = $2::uuid", "12")


async def _unbound(unit: Unit, row: User, given: Mapping[str, Any]) -> None:
    await _guarded(unit, row, given)
    unit.write(CLEAR, [unit.tenant_id, row.id])
    unit.write(FORGET, [unit.tenant_id, row.id])
    await unit.flush()


async def invite(unit: Unit, row: User, given: Mapping[str, Any]) -> dict[str, Any]:
    """A link to set a password: the newest alone works, once."""
    await _guarded(unit, row, given)
    now = unit.now.replace(microsecond=0)
    if row.invited_at is not None and row.invited_at >= now:  # two links of one second are two links
        now = row.invited_at + timedelta(seconds=1)
    after = unit.update(row, {"invited_at": now})
    change.tell(unit, USERS, "user.invited", after)
    return {"url": invitation(unit, after), "expires_at": now + INVITATION}


def invitation(unit: Unit, row: User) -> str | None:
    """The address at which a user sets a password; None where nobody invited him, or it is over."""
    return _opening(unit, row, INVITATIONS, "invitation", row.invited_at, INVITATION)


def resetting(unit: Unit, row: User) -> str | None:
    """The address at which a user who forgot his password sets another; None where none was asked for lately."""
    return _opening(unit, row, RESETS, "reset", row.reset_at, RESET)


def _opening(unit: Unit, row: User, purpose: str, path: str, since: datetime | None, good: timedelta) -> str | None:
    if since is None or since + good <= unit.now:
        return None
    about = {"user": str(row.id), "at": int(since.timestamp())}
    token = link.make(unit.log.cipher, purpose, unit.tenant_id, about, since + good)
    return f"{unit.log.address}/{path}/{token}"


async def forgot(unit: Unit, id: UUID) -> None:
    """Have a link to set another password sent to a user: the newest alone works, once."""
    row = await unit.get(User, id, lock=True)
    now = unit.now.replace(microsecond=0)
    if row.reset_at is not None and row.reset_at >= now:
        now = row.reset_at + timedelta(seconds=1)
    change.tell(unit, USERS, "user.reset_requested", unit.update(row, {"reset_at": now}))


END = Statement(
    "UPDATE sessions SET ended_at = $3::timestamptz, updated_at = $3::timestamptz, revision = revision + 1"
    " WHERE tenant_id = $1::uuid AND user_id = $2::uuid AND ended_at IS NULL",
    "123",
)


async def _sign_out(unit: Unit, row: User, given: Mapping[str, Any]) -> User:
    """Every sign-in of the user ends, in every process at once."""
    await _below(unit, row)
    signed_out(unit, row)
    return row


def signed_out(unit: Unit, row: User) -> None:
    """End every sign-in of a user."""
    unit.write(END, [unit.tenant_id, row.id, unit.now])
    change.tell(unit, USERS, "user.signed_out", row)


async def reset_factor(unit: Unit, row: User, given: Mapping[str, Any]) -> User:
    """Second factor and passkeys are forgotten: the phone is lost."""
    await _guarded(unit, row, given)
    after = unit.update(row, NO_FACTOR)
    unit.write(FORGET, [unit.tenant_id, row.id])
    unit.write(END, [unit.tenant_id, row.id, unit.now])
    change.tell(unit, USERS, "user.factor_reset", after)
    return after


async def _forget(unit: Unit, row: User) -> dict[str, Any]:
    """Nobody can sign in as a user who was erased, and no key of his device is kept."""
    unit.write(END, [unit.tenant_id, row.id, unit.now])
    unit.write(FORGET, [unit.tenant_id, row.id])
    return dict(NO_FACTOR) | {
        "status": "suspended",
        "password_hash": None,
        "invited_at": None,
        "reset_at": None,
        "subject": None,
    }


USERS = Resource(
    row=User,
    name="users",
    read=(
        User.id,
        User.email,
        User.name,
        User.phone,
        User.role,
        User.further_roles,
        User.outlet_ids,
        User.status,
        User.issuer,
        User.subject,
        User.created_at,
        User.updated_at,
    ),
    write=(User.email, User.name, User.phone, User.role, User.further_roles, User.outlet_ids),
    filter=(User.email, User.role, User.status),
    sort=(User.email, User.name),
    search=(User.email, User.name),
    unique=((User.email,),),
    machine=Machine(
        User.status,
        (
            Move("suspend", ("active",), "suspended", "user.suspended", "A user may act no more.", run=_guarded),
            Move("activate", ("suspended",), "active", "user.activated", "A user may act again.", run=_guarded),
        ),
    ),
    rule=_rule,
    before_delete=_unbound,
    forget=_forget,
    actions=(
        Action(
            "invite",
            invite,
            "A link to set a password was made for the user.",
            answer=(
                Field(kinds.Text(2000, format="uri"), name="url", doc="Where the password is set; shown this once."),
                Field(kinds.Moment(), name="expires_at", doc="When that address ends."),
            ),
            events=("user.invited",),
        ),
        Action("sign-out", _sign_out, "All sign-ins of the user were ended.", events=("user.signed_out",)),
        Action("reset-factor", reset_factor, "The user's second factor was forgotten.", events=("user.factor_reset",)),
    ),
)


#: what happens to users on the pages where they sign in
EVENTS = tuple(
    noun_event(USERS, f"user.{name}", doc)
    for name, doc in (
        ("password_set", "A user set a password; earlier sign-ins were ended."),
        ("reset_requested", "Somebody asked for a link to set another password for the user."),
        ("factor_added", "A user signs in with a second factor from now on."),
        ("recovery_used", "A user signed in with a recovery code."),
        ("passkey_added", "A user can sign in with a passkey."),
        ("passkey_removed", "A passkey of a user was forgotten."),
    )
)
#: the columns of a second factor where there is none
NO_FACTOR: dict[str, Any] = {"totp": None, "totp_since": None, "totp_step": None, "recovery": None}


async def invited(unit: Unit, token: str, purpose: str = INVITATIONS) -> User:
    """The user whom a link lets set a password, locked. Raises LinkExpired: over, used, replaced or suspended."""
    claim = link.read(unit.log.cipher, purpose, token, unit.now)
    try:
        row = await unit.get(User, UUID(claim.about["user"]), lock=True)
    except NotFound:
        raise LinkExpired("The link has ended.") from None
    since = row.invited_at if purpose == INVITATIONS else row.reset_at
    if since is None or int(since.timestamp()) != claim.about["at"] or row.status != "active":
        raise LinkExpired("The link has ended.")
    await _kept_here(unit, row, {"status": ""})
    return row


async def set_password(unit: Unit, row: User, secret: str) -> User:
    """Give a user a password and end his sign-ins. Raises Invalid for a weak one."""
    firm = await unit.connection.fetchval("SELECT name || ' ' || slug FROM tenants")
    await password.refuse_weak(secret, (row.email, row.name, firm))
    after = unit.update(row, {"password_hash": await password.hashed(secret), "invited_at": None, "reset_at": None})
    unit.write(END, [unit.tenant_id, row.id, unit.now])
    change.tell(unit, USERS, "user.password_set", after)
    return after


async def of(unit: Unit, email: str) -> User:
    """The user with this address, locked. Raises NotFound."""
    await unit.flush()
    id = await unit.connection.fetchval("SELECT id FROM users WHERE email = $1", email.lower())
    if id is None:
        raise NotFound(f"There is no user {email}.")
    return await unit.get(User, id, lock=True)


async def make(unit: Unit, *, email: str, role: str, name: str | None = None, secret: str | None = None) -> User:
    """A new user, with a password where one is given.

    Raises Invalid for a bad address or role, Conflict for an address that is known, IdentityElsewhere.
    """
    values = USERS.creation.decode({"email": email, "role": role, "name": name})
    if secret is not None:
        values["password_hash"] = await password.hashed(secret)
    made = await change.create(unit, USERS, values)
    await unit.flush()
    assert isinstance(made, User)
    return made
