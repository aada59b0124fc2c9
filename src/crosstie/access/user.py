"""Users: the people of a tenant, each in one role (checklist §1.1: RBAC)."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare.field import choice, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.log import change
from crosstie.log.unit import Unit

ROLES = ("owner", "technician", "client", "estate_manager", "supplier", "insurer", "admin")
EMAIL = r"^[^@\s]{1,64}@[^@\s]{1,189}$"


class User(Record):
    """A person who works with the tenant's records."""

    __tablename__ = "users"

    email: Mapped[str] = text(254, pattern=EMAIL, format="email", personal=True, doc="E-mail address; it names them.")
    name: Mapped[str | None] = text(200, min=1, nullable=True, personal=True, doc="What they are called.")
    phone: Mapped[str | None] = text(40, nullable=True, personal=True, doc="Telephone number.")
    role: Mapped[str] = choice(*ROLES, doc="What they are to the firm.")
    status: Mapped[str] = choice("active", "suspended", doc="Whether they may act.", default="active")
    # no field: nothing that reads or writes records by their declaration ever sees it
    password_hash: Mapped[str | None] = mapped_column(sa.Text)


async def _rule(unit: Unit, before: User | None, values: dict[str, Any]) -> None:
    """Addresses are compared without regard to case (as every mail provider of note does)."""
    if "email" in values:
        values["email"] = values["email"].lower()


USERS = Resource(
    row=User,
    name="users",
    read=(User.id, User.email, User.name, User.phone, User.role, User.status, User.created_at, User.updated_at),
    write=(User.email, User.name, User.phone, User.role),
    filter=(User.email, User.role, User.status),
    sort=(User.email, User.name),
    search=(User.email, User.name),
    unique=((User.email,),),
    machine=Machine(
        User.status,
        (
            Move("suspend", ("active",), "suspended", "user.suspended", "A user may act no more."),
            Move("activate", ("suspended",), "active", "user.activated", "A user may act again."),
        ),
    ),
    rule=_rule,
)


async def make(unit: Unit, *, email: str, role: str, name: str | None = None, password: str | None = None) -> User:
    """A new user, with a password where one is given.

    Raises Invalid for a bad address or role, Conflict for an address that is known.
    Argon2id takes tens of milliseconds by design: it runs in a thread.
    """
    values = USERS.creation.decode({"email": email, "role": role, "name": name})
    if password is not None:
        values["password_hash"] = await asyncio.to_thread(PasswordHasher().hash, password)
    made = await change.create(unit, USERS, values)
    await unit.flush()
    assert isinstance(made, User)
    return made
