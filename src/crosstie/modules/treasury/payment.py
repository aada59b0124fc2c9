"""Payments: money that was received. A gateway that says so twice has said one thing."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.declare.field import choice, data, moment, money, ref, text
from crosstie.declare.resource import Events, Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import fault
from crosstie.log.unit import Unit

METHODS = ("cash", "card", "bank_transfer", "mobile_money", "other")


class Payment(Record):
    """Money that was received. A record of fact: it is never changed or deleted."""

    __tablename__ = "payments"
    __table_args__ = ({"info": {"app": "SELECT, INSERT"}},)

    job_id: Mapped[UUID | None] = ref("jobs", nullable=True, doc="The job that it is for.")
    client_id: Mapped[UUID | None] = ref("clients", nullable=True, doc="Who paid.")
    invoice_reference: Mapped[str | None] = text(100, nullable=True, doc="The invoice that it pays.")
    amount: Mapped[int] = money(doc="How much.")
    currency: Mapped[str] = text(3, pattern="^[A-Z]{3}$", doc="The currency of the amount.")
    method: Mapped[str] = choice(*METHODS, doc="How it was paid.", default="other")
    gateway: Mapped[str] = text(60, min=1, default="manual", doc="Who took it: stripe, mpesa …; manual, for a person.")
    gateway_reference: Mapped[str | None] = text(
        200, min=1, nullable=True, doc="The gateway's own id of the payment; a repeat of it gives the same payment."
    )
    received_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was received; now, unless sent.")
    external_ids: Mapped[dict[str, Any]] = data(doc="Its ids in other systems.")


async def _rule(unit: Unit, before: Payment | None, values: dict[str, Any]) -> None:
    if values["amount"] <= 0:
        raise fault("/amount", "range", "must be more than nothing")
    if values.get("received_at") is None:
        values["received_at"] = unit.now


PAYMENTS = Resource(
    row=Payment,
    name="payments",
    retained="books must be kept for the tax authority",
    read=(
        Payment.id,
        Payment.job_id,
        Payment.client_id,
        Payment.invoice_reference,
        Payment.amount,
        Payment.currency,
        Payment.method,
        Payment.gateway,
        Payment.gateway_reference,
        Payment.received_at,
        Payment.external_ids,
        Payment.created_at,
        Payment.updated_at,
    ),
    write=(
        Payment.job_id,
        Payment.client_id,
        Payment.invoice_reference,
        Payment.amount,
        Payment.method,
        Payment.gateway,
        Payment.gateway_reference,
        Payment.received_at,
        Payment.external_ids,
    ),
    filter=(
        Payment.job_id,
        Payment.client_id,
        Payment.invoice_reference,
        Payment.amount,
        Payment.method,
        Payment.gateway,
        Payment.gateway_reference,
        Payment.received_at,
    ),
    sort=(Payment.received_at, Payment.amount),
    natural=(Payment.gateway, Payment.gateway_reference),
    verbs=frozenset(("list", "create", "retrieve", "bulk")),
    events=Events(created="payment.received", updated=None, deleted=None),
    rule=_rule,
)
