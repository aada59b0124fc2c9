"""Secrets of the first tier: credentials that developers give and programs use. They come in, and never go out again.

What can be seen of one is its last four characters, a fingerprint by which equal ones are known, and its age. Code that
needs one asks `reveal`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from crosstie.db.statement import compiled
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, integer, moment, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Action, Resource
from crosstie.declare.row import Record
from crosstie.declare.sealed import sealed
from crosstie.errors import NotFound
from crosstie.kit.crypto import Secret as Hidden
from crosstie.log import change
from crosstie.log.trail import Act
from crosstie.log.unit import Unit

TABLE = "secrets"
NAME = r"^[a-z0-9]+(?:[._/-][a-z0-9]+)*$"
#: a value that is shorter shows nothing of itself
LONG = 16
#: how precisely the last use is known
USED = timedelta(minutes=1)


class Secret(Record):
    """A credential or key that the firm's integrations use. Its value is never shown."""

    __tablename__ = TABLE

    name: Mapped[str] = text(100, min=1, pattern=NAME, doc="By which programs ask for it, such as xero/client-secret.")
    kind: Mapped[str] = choice(
        "database", "integration", "encryption_key", "service_key", "other", doc="What it opens.", default="integration"
    )
    description: Mapped[str | None] = text(500, doc="What it is for.", nullable=True)
    status: Mapped[str] = state("active", "due", "expired", doc="Whether it is to be renewed, or past its end.")
    last4: Mapped[str] = text(4, doc="Its last four characters; empty where it is short.")
    fingerprint: Mapped[str] = text(32, doc="The same for equal values of this tenant, and for no others.")
    rotation_days: Mapped[int] = integer(doc="Days after which it is to be renewed.", min=1, max=3650, default=90)
    rotated_at: Mapped[datetime] = moment(doc="When it got its present value.")
    due_at: Mapped[datetime] = moment(doc="When it is to be renewed.")
    expires_at: Mapped[datetime | None] = moment(doc="When it stops working at its issuer.", nullable=True)
    overlap_until: Mapped[datetime | None] = moment(doc="Until when the value before works, too.", nullable=True)
    last_used_at: Mapped[datetime | None] = moment(doc="When a program asked for it, to the minute.", nullable=True)
    value: Mapped[bytes] = sealed()
    old_value: Mapped[bytes | None] = sealed(nullable=True)


async def _rule(unit: Unit, before: Secret | None, values: dict[str, Any]) -> None:
    if before is None:
        await unit.log.cipher.ready(unit.connection, unit.tenant_id)
        values |= _sealed(unit, values, values.pop("value"), values["rotation_days"])
    elif "rotation_days" in values:
        values["due_at"] = before.rotated_at + timedelta(days=values["rotation_days"])


def _sealed(unit: Unit, row: Mapping[str, Any], value: str, days: int) -> dict[str, Any]:
    """The columns of a new value."""
    cipher = unit.log.cipher
    named = hmac.digest(cipher.derive("secret fingerprints"), unit.tenant_id.bytes + value.encode(), "sha256")
    return {
        "value": cipher.seal(unit.tenant_id, value.encode(), TABLE, "value", row["id"]),
        "last4": value[-4:] if len(value) >= LONG else "",
        "fingerprint": named.hex()[:32],
        "rotated_at": unit.now,
        "due_at": unit.now + timedelta(days=days),
    }


async def _rotate(unit: Unit, row: Secret, given: Mapping[str, Any]) -> Secret:
    """A new value; programs that still hold the one before are right until the overlap is over."""
    cipher = unit.log.cipher
    await cipher.ready(unit.connection, unit.tenant_id)
    plain = await cipher.unseal(unit.connection, unit.tenant_id, row.value, TABLE, "value", row.id)
    fresh = _sealed(unit, row.__dict__, given["value"], row.rotation_days)
    fresh |= {"old_value": None, "overlap_until": None, "expires_at": given.get("expires_at"), "status": "active"}
    if given["overlap_seconds"]:
        fresh["old_value"] = cipher.seal(unit.tenant_id, plain, TABLE, "old_value", row.id)
        fresh["overlap_until"] = unit.now + timedelta(seconds=given["overlap_seconds"])
    after = unit.update(row, fresh)
    change.tell(unit, SECRETS, "secret.rotated", after)
    return after


_BY_NAME = compiled(
    sa.select(Secret.__table__)
    .where(Secret.__table__.c.name == sa.bindparam("name", type_=sa.Text()))
    .with_for_update()
)


async def reveal(unit: Unit, name: str) -> tuple[Hidden[str], ...]:
    """The value of a secret, and after it the one before while their overlap lasts. The use is noted.

    Raises NotFound; Unsealable where somebody changed what is stored.
    """
    found = await unit.fetch(_BY_NAME, name=name)
    if not found:
        raise NotFound(f"There is no secret {name}.")
    row = Secret.view(found[0])
    unit.note(Act("secrets.reveal", "secret", str(row.id), after={"name": name}))
    values = [("value", row.value)]
    if row.old_value is not None and row.overlap_until is not None and row.overlap_until > unit.now:
        values.append(("old_value", row.old_value))
    if row.last_used_at is None or row.last_used_at < unit.now - USED:
        unit.update(row, {"last_used_at": unit.now})
    cipher = unit.log.cipher
    opened = [
        await cipher.unseal(unit.connection, unit.tenant_id, kept, TABLE, column, row.id) for column, kept in values
    ]
    return tuple(Hidden(plain.decode()) for plain in opened)


_VALUE = Field(kinds.Text(16_000, min=1), name="value", doc="The secret itself; never shown.", write_only=True)

SECRETS = Resource(
    row=Secret,
    name="secrets",
    tier=1,
    read=(
        Secret.id,
        Secret.name,
        Secret.kind,
        Secret.description,
        Secret.status,
        Secret.last4,
        Secret.fingerprint,
        Secret.rotation_days,
        Secret.rotated_at,
        Secret.due_at,
        Secret.expires_at,
        Secret.overlap_until,
        Secret.last_used_at,
        Secret.created_at,
        Secret.updated_at,
    ),
    write=(Secret.name, Secret.kind, Secret.description, Secret.rotation_days, Secret.expires_at),
    once=(_VALUE,),
    filter=(Secret.name, Secret.kind, Secret.status),
    sort=(Secret.name, Secret.due_at),
    unique=((Secret.name,),),
    machine=Machine(
        Secret.status,
        (
            Move("fall-due", ("active",), "due", "secret.due", "A secret is to be renewed.", due=Secret.due_at,
                 inner=True),
            Move("expire", ("active", "due"), "expired", "secret.expired", "A secret stopped working at its issuer.",
                 due=Secret.expires_at, inner=True),
        ),
    ),
    rule=_rule,
    actions=(
        Action(
            "rotate",
            _rotate,
            "A secret got a new value; the one before is good until the overlap is over.",
            given=(
                _VALUE,
                Field(kinds.Integer(0, 604_800), name="overlap_seconds", doc="How long both are good.", default=86_400),
                Field(kinds.Moment(), name="expires_at", doc="When the new one stops working.", nullable=True),
            ),
            events=("secret.rotated",),
        ),
    ),
)  # fmt: skip
