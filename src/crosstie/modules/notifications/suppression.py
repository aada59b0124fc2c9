"""Suppressions: addresses that get nothing any more, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Mapped

from crosstie.db.statement import Statement
from crosstie.declare.field import choice, text
from crosstie.declare.resource import Events, Resource
from crosstie.declare.row import Record
from crosstie.log import change
from crosstie.log.event import Event
from crosstie.log.unit import Unit
from crosstie.modules.notifications.message import CHANNELS, Message

#: why a message failed → why its address gets nothing any more
FINAL = {"hard_bounce": "hard_bounce", "unknown_address": "hard_bounce", "complaint": "complaint", "stopped": "stopped"}


class Suppression(Record):
    """An address that gets no messages over a channel. Taking it away lets messages through again."""

    __tablename__ = "suppressions"

    channel: Mapped[str] = choice(*CHANNELS, doc="Which channel.")
    address: Mapped[str] = text(2000, min=3, personal=True, doc="The address, number or token.")
    reason: Mapped[str] = choice(
        "hard_bounce", "complaint", "stopped", "manual", default="manual",
        doc="It does not exist; its owner complained; its owner said stop; somebody here decided so.",
    )  # fmt: skip
    detail: Mapped[str | None] = text(500, nullable=True, doc="What the provider said.")
    message_id: Mapped[str | None] = text(36, nullable=True, doc="The message that it was found out with.")


async def _rule(unit: Unit, before: Suppression | None, values: dict[str, Any]) -> None:
    if "address" in values:
        values["address"] = values["address"].strip().lower() if values["channel"] == "email" else values["address"]


SUPPRESSIONS = Resource(
    row=Suppression,
    name="suppressions",
    read=(Suppression.id, Suppression.channel, Suppression.address, Suppression.reason, Suppression.detail,
          Suppression.message_id, Suppression.created_at, Suppression.updated_at),
    once=(Suppression.channel, Suppression.address, Suppression.reason, Suppression.detail),
    filter=(Suppression.channel, Suppression.address, Suppression.reason),
    unique=((Suppression.channel, Suppression.address),),
    verbs=frozenset(("list", "create", "retrieve", "delete")),
    events=Events(updated=None),
    rule=_rule,
)  # fmt: skip

_AMONG = Statement("SELECT channel, address, reason FROM suppressions WHERE address = ANY ($1::text[])", ["addresses"])


async def among(unit: Unit, addresses: list[str]) -> dict[tuple[str, str], str]:
    """(channel, address) → reason, of those of these addresses that get nothing."""
    rows = await unit.fetch(_AMONG, addresses=addresses)
    return {(row["channel"], row["address"]): row["reason"] for row in rows}


async def note(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """After a failure that will repeat itself: the address is left alone from now on."""
    reason = FINAL.get(data["reason"] or "")
    if reason is None:
        return
    row = await unit.get(Message, data["message_id"])
    if not row.address or (row.channel, row.address) in await among(unit, [row.address]):
        return
    values = {"channel": row.channel, "address": row.address, "reason": reason, "detail": row.detail}
    await change.create(unit, SUPPRESSIONS, values | {"message_id": str(row.id)})
