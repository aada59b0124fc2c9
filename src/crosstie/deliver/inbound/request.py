"""Inbound requests: what knocked, kept as it came, with what became of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, data, identifier, integer, moment, text
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Row
from crosstie.deliver.inbound.dialect import DIALECTS
from crosstie.deliver.inbound.source import InboundSource
from crosstie.errors import MoveRefused
from crosstie.kit import text as words
from crosstie.log.unit import Unit

STATES = ("accepted", "duplicate", "rejected", "pending")
#: bytes of a body that are shown
SHOWN = 65_536


class Body(kinds.Kind):
    """Bytes as they came: text, or a data URI where they are no UTF-8."""

    def column(self) -> sa.types.TypeEngine[Any]:
        return sa.LargeBinary()

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    @staticmethod
    def encode(value: Any) -> Any:
        shown = words.truncate(value, SHOWN)
        try:
            return shown.decode()
        except UnicodeDecodeError:
            return "data:application/octet-stream;base64," + base64.b64encode(shown).decode()


class InboundRequest(Row):
    """A request that came to an inbound source."""

    __tablename__ = "inbound_requests"
    __table_args__ = (
        sa.Index("ix_inbound_requests_due", "due_at", postgresql_where=sa.text("status = 'pending'")),
        # what is past its time, and what was refused, is looked for in all tenants at once
        sa.Index("ix_inbound_requests_age", "id"),
        sa.Index(
            "ix_inbound_requests_refused",
            "tenant_id",
            "source_id",
            "id",
            postgresql_where=sa.text("status = 'rejected' AND NOT verified"),
        ),
        {"info": {"reach": "batch", "app": "SELECT, UPDATE", "batch": "SELECT, INSERT, UPDATE"}},
    )

    source_id: Mapped[UUID] = identifier(doc="The source it came to.")
    received_at: Mapped[datetime] = moment(doc="When it came.")
    status: Mapped[str] = choice(*STATES, doc="What became of it; `pending`: it waits for the provider's word.")
    reason: Mapped[str | None] = text(100, doc="Why, in a word.", nullable=True)
    detail: Mapped[str | None] = text(2000, doc="The same in words.", nullable=True)
    event_id: Mapped[str | None] = text(128, doc="The event that it became.", nullable=True)
    provider_event_id: Mapped[str | None] = text(300, doc="What the sender calls the event.", nullable=True)
    provider_event_type: Mapped[str | None] = text(300, doc="What kind of event the sender says it is.", nullable=True)
    verified: Mapped[bool] = mapped_column(
        sa.Boolean, info={"field": Field(kinds.Flag(), doc="Whether it proved where it comes from.")}
    )
    ip: Mapped[str | None] = text(60, doc="The address that it came from.", nullable=True)
    headers: Mapped[dict[str, Any]] = data(doc="Its headers; credentials are masked.", keys=1000)
    body: Mapped[bytes] = mapped_column(
        sa.LargeBinary,
        info={"field": Field(Body(), doc="Its body, or the beginning; what is no UTF-8 as a data URI.", personal=True)},
    )
    size: Mapped[int] = integer(doc="Bytes of the body as it came.")
    attempts: Mapped[int] = integer(doc="How often it was looked at.")
    due_at: Mapped[datetime | None] = moment(doc="When a pending one is looked at again.", nullable=True)
    #: the last question to a provider who answers later, the answer that came, and the number of its question
    asked: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    answer: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    answered: Mapped[int | None] = mapped_column(sa.BigInteger)


async def _replay(unit: Unit, row: InboundRequest, given: Mapping[str, Any]) -> InboundRequest:
    """Look at it again as it was when it came, with the source as it is now. What counted counts once."""
    if row.event_id is not None and row.status != "rejected":
        return row
    source = await unit.get(InboundSource, row.source_id)
    if not row.verified and not DIALECTS[source.dialect].lasting:
        raise MoveRefused("Its credential came with it and was not kept: have it sent again.")
    if not row.verified and len(row.body) < row.size:
        raise MoveRefused("Only the beginning of its body was kept: have it sent again.")
    changes: dict[str, Any] = dict.fromkeys(("asked", "answer", "answered"))
    changes |= {"status": "pending", "reason": "replay", "detail": None, "attempts": 1, "due_at": unit.now}
    return unit.update(row, changes)


INBOUND_REQUESTS = Resource(
    row=InboundRequest,
    name="inbound-requests",
    read=(
        InboundRequest.id,
        InboundRequest.source_id,
        InboundRequest.received_at,
        InboundRequest.status,
        InboundRequest.reason,
        InboundRequest.detail,
        InboundRequest.event_id,
        InboundRequest.provider_event_id,
        InboundRequest.provider_event_type,
        InboundRequest.verified,
        InboundRequest.ip,
        InboundRequest.headers,
        InboundRequest.body,
        InboundRequest.size,
        InboundRequest.attempts,
        InboundRequest.due_at,
    ),
    filter=(
        InboundRequest.source_id,
        InboundRequest.status,
        InboundRequest.reason,
        InboundRequest.event_id,
        InboundRequest.provider_event_id,
        InboundRequest.received_at,
    ),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    actions=(Action("replay", _replay, "Look at a request again."),),
)
