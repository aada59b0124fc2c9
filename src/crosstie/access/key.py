"""API keys: shown once, kept as a keyed hash, narrowed by scopes, addresses and time, rolled with an overlap."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import scope, usage
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import noun_event
from crosstie.declare.field import Field, many, moment, text
from crosstie.declare.resource import Action, Events, Resource
from crosstie.declare.row import Record
from crosstie.errors import Fault, Invalid
from crosstie.kit import crypto, ids
from crosstie.log import change
from crosstie.log.unit import Unit


class ApiKey(Record):
    """A key with which a program acts for the tenant."""

    __tablename__ = "api_keys"

    name: Mapped[str] = text(100, min=1, doc="What the key is for.")
    scopes: Mapped[list[str]] = many(kinds.Text(100), doc="What it may do; `*` is everything.", min=1)
    prefix: Mapped[str] = text(20, doc="How the key begins: its kind.")
    last4: Mapped[str] = text(4, doc="Its last four characters.")
    ips: Mapped[list[str]] = many(
        kinds.Text(49), doc="Addresses or networks it may be used from; empty: from anywhere."
    )
    expires_at: Mapped[datetime | None] = moment(doc="When it stops working.", nullable=True)
    revoked_at: Mapped[datetime | None] = moment(doc="When it was revoked.", nullable=True)
    last_used_at: Mapped[datetime | None] = moment(doc="When it was last used, to the minute.", nullable=True)
    secret_at: Mapped[datetime] = moment(doc="When its present secret was made; roll it every quarter.")
    #: when its age was last told of
    warned_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary, index=True)
    old_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary, index=True)
    old_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


async def _rule(unit: Unit, before: ApiKey | None, values: dict[str, Any]) -> None:
    if "scopes" in values:
        scope.known(values["scopes"], scope.grantable(unit.actor, unit.log.catalogue.scopes))
        scope.within(unit.actor, values["scopes"])
    for number, network in enumerate(values.get("ips") or ()):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise Invalid(
                "An address cannot be read.", errors=[Fault(f"/ips/{number}", "ip", "must be an address or a network")]
            ) from None
    if before is None and "hash" not in values:
        values |= _fresh(unit, sandbox=await _is_sandbox(unit))


async def _is_sandbox(unit: Unit) -> bool:
    found = await unit.connection.fetchval("SELECT sandbox FROM tenants")
    return bool(found)


def _fresh(unit: Unit, *, sandbox: bool) -> dict[str, Any]:
    """The columns of a new secret. The secret itself is left with the unit, to be shown once."""
    prefix = "ct_test" if sandbox else "ct_live"
    token = ids.token(prefix)
    unit.shown["key"] = token
    return {
        "prefix": prefix,
        "last4": token[-4:],
        "secret_at": unit.now,
        "warned_at": None,
        "hash": crypto.digest(unit.log.cipher.pepper, token),
    }


async def _roll(unit: Unit, row: ApiKey, given: Mapping[str, Any]) -> ApiKey:
    """A new secret; the old one works on for the overlap."""
    until = unit.now + timedelta(seconds=given["overlap_seconds"])
    fresh = _fresh(unit, sandbox=row.prefix == "ct_test")
    after = unit.update(row, fresh | {"old_hash": row.hash, "old_until": until})
    change.tell(unit, API_KEYS, "api_key.rolled", after)
    return after


async def _revoke(unit: Unit, row: ApiKey, given: Mapping[str, Any]) -> ApiKey:
    """It stops working within seconds, in every process."""
    after = unit.update(row, {"revoked_at": row.revoked_at or unit.now})
    change.tell(unit, API_KEYS, "api_key.revoked", after)
    return after


async def _usage(unit: Unit, row: ApiKey, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Requests by day, the newest first."""
    return [dict(found) for found in await unit.fetch(usage.READ, key=row.id)]


async def _forget(unit: Unit, row: ApiKey, given: Mapping[str, Any]) -> None:
    unit.write(usage.FORGET, [unit.tenant_id, row.id])


API_KEYS = Resource(
    row=ApiKey,
    name="api-keys",
    tier=1,
    read=(
        ApiKey.id,
        ApiKey.name,
        ApiKey.scopes,
        ApiKey.prefix,
        ApiKey.last4,
        ApiKey.ips,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.last_used_at,
        ApiKey.secret_at,
        ApiKey.created_at,
        ApiKey.updated_at,
    ),
    write=(ApiKey.name, ApiKey.scopes, ApiKey.ips, ApiKey.expires_at),
    sort=(ApiKey.name,),
    rule=_rule,
    before_delete=_forget,
    actions=(
        Action(
            "roll",
            _roll,
            "The key got a new secret; the old one works until the overlap is over.",
            given=(
                Field(
                    kinds.Integer(0, 604800),
                    name="overlap_seconds",
                    doc="How long the old secret works on.",
                    default=86400,
                ),
            ),
            events=("api_key.rolled",),
        ),
        Action(
            "usage",
            _usage,
            "How many requests came with the key, day by day (UTC).",
            answer=(
                Field(kinds.Day(), name="day", doc="The day."),
                Field(
                    kinds.Integer(0), name="requests", doc="Requests of that day, those of the last seconds left out."
                ),
            ),
            many=True,
            method="GET",
            scope="read",
        ),
        Action("revoke", _revoke, "The key was revoked.", events=("api_key.revoked",)),
    ),
    events=Events(),
    shown_once=(Field(kinds.Text(100), name="key", doc="The key itself; shown this once."),),
)

AGED = noun_event(API_KEYS, "api_key.aged", "A key's secret is older than a quarter: roll it.")
