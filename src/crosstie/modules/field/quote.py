"""Quotes: what a job would cost. A version that was sent is never changed; a change after that is a new version."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, integer, many, moment, money, ref, state, text
from crosstie.declare.row import Record, Row
from crosstie.declare.shape import fault
from crosstie.errors import MoveRefused, NotFound
from crosstie.kit import money as minor
from crosstie.log.unit import Unit
from crosstie.modules.field import price
from crosstie.modules.field.job import Job

STATES = ("draft", "sent", "viewed", "approved", "declined", "expired")
#: states in which the client has seen a version, so that a change makes the next
ISSUED = ("sent", "viewed", "declined", "expired")
CURRENCY = r"^[A-Z]{3}$"


class Quote(Record):
    """What a job would cost, line by line, for the client to approve."""

    __tablename__ = "quotes"

    job_id: Mapped[UUID] = ref("jobs", doc="What it is for.")
    client_id: Mapped[UUID] = ref("clients", doc="Who is to approve it; the job's client unless another is named.")
    reference: Mapped[str | None] = text(60, nullable=True, doc="The firm's own number.")
    title: Mapped[str | None] = text(200, nullable=True, doc="The offer in a line.")
    notes: Mapped[str | None] = text(5000, nullable=True, doc="Terms and remarks for the client.")
    lines: Mapped[list[dict[str, Any]]] = many(price.LINE, max=500, doc="What is charged.")
    currency: Mapped[str] = text(3, pattern=CURRENCY, doc="The currency of all its amounts.")
    subtotal: Mapped[int] = money(doc="The sum of the lines' amounts, without tax.")
    tax_total: Mapped[int] = money(doc="The sum of their taxes.")
    total: Mapped[int] = money(doc="What is to be paid.")
    deposit: Mapped[int | None] = money(nullable=True, doc="What is to be paid before work begins.")
    valid_until: Mapped[datetime | None] = moment(nullable=True, doc="Until when it can be approved.")
    version: Mapped[int] = integer(min=1, default=1, doc="Rises with each change of a version that was sent.")
    status: Mapped[str] = state(*STATES, doc="How far it is.")
    sent_at: Mapped[datetime | None] = moment(nullable=True, doc="When this version was sent.")
    viewed_at: Mapped[datetime | None] = moment(nullable=True, doc="When the client first saw this version.")
    approved_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was approved.")
    approver: Mapped[str | None] = text(200, min=1, nullable=True, personal=True, doc="Who approved it.")
    declined_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was declined.")
    decline_reason: Mapped[str | None] = text(2000, nullable=True, doc="Why it was declined.")


class QuoteVersion(Row):
    """A version of a quote as it was sent. Rows are only ever added."""

    __tablename__ = "quote_versions"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "quote_id", "version"),
        {"info": {"app": "SELECT, INSERT"}},
    )

    quote_id: Mapped[UUID] = mapped_column(sa.Uuid)
    version: Mapped[int] = mapped_column(sa.Integer)
    sent_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    valid_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    title: Mapped[str | None] = mapped_column(sa.Text)
    notes: Mapped[str | None] = mapped_column(sa.Text)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(sa.dialects.postgresql.JSONB)
    currency: Mapped[str] = mapped_column(sa.Text)
    subtotal: Mapped[int] = mapped_column(sa.BigInteger)
    tax_total: Mapped[int] = mapped_column(sa.BigInteger)
    total: Mapped[int] = mapped_column(sa.BigInteger)
    deposit: Mapped[int | None] = mapped_column(sa.BigInteger)


VERSIONS = cast(sa.Table, QuoteVersion.__table__)

CURRENCY_GIVEN = Field(
    kinds.Text(3, pattern=CURRENCY),
    name="currency",
    doc="The currency of all its amounts; unless given, that of its amounts, or else the firm's.",
    nullable=True,
)
CLIENT_GIVEN = Field(
    kinds.Id("clients"), name="client_id", doc="Who is to approve it; unless given, the job's client.", nullable=True
)
LINES_SHOWN = Field(kinds.Many(price.PRICED, max=500), name="lines", doc="What is charged, with its amounts.")


async def rule(unit: Unit, before: Quote | None, values: dict[str, Any]) -> None:
    """Complete a quote: client, currency, totals; and the next version where one was sent."""
    if before is None:
        job = await _job(unit, values["job_id"])
        values["client_id"] = values.get("client_id") or job.client_id
        values["currency"] = await _currency(unit, values)
    elif values.get("currency", before.currency) != before.currency:
        raise fault("/currency", "currency", f"must stay {before.currency}: make a new quote for another currency")
    whole = (before.__dict__ if before else {}) | values
    if before is None or "lines" in values:
        values["lines"], totals = price.priced(whole["lines"], whole["currency"])
        values |= {"subtotal": totals.subtotal, "tax_total": totals.tax_total, "total": totals.total}
    whole |= values
    if whole.get("deposit") is not None and not 0 <= whole["deposit"] <= whole["total"]:
        raise fault("/deposit", "range", "must lie between nothing and the total")
    if before is not None:
        _revise(before, values)


def _revise(before: Quote, values: dict[str, Any]) -> None:
    if all(before.__dict__[name] == value for name, value in values.items()):
        return
    if before.status == "approved":
        raise MoveRefused("A quote that is approved cannot be changed: make a new one.")
    if before.status in ISSUED:
        seen = ("sent_at", "viewed_at", "declined_at", "decline_reason")
        values |= {"version": before.version + 1, "status": "draft"} | dict.fromkeys(seen)


async def _job(unit: Unit, id: UUID) -> Job:
    try:
        return await unit.get(Job, id)
    except NotFound:
        raise fault("/job_id", "reference", "there is no such record") from None


async def _currency(unit: Unit, values: dict[str, Any]) -> str:
    found = values.get("currency")
    for line in values["lines"]:
        found = found or line["unit_price"]["currency"]
    if found is None:
        found = await unit.connection.fetchval("SELECT currency FROM tenants")
    try:
        minor.decimals(found)
    except ValueError as error:
        raise fault("/currency", "currency", str(error)) from None
    return str(found)


async def before_delete(unit: Unit, row: Quote, values: dict[str, Any]) -> None:
    """An agreement is kept."""
    if row.status == "approved":
        raise MoveRefused("A quote that is approved cannot be deleted.")
