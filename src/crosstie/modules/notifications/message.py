"""Messages: what one person is told over one channel, from the moment it is asked for to what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import noun_event
from crosstie.declare.field import Field, choice, described, identifier, integer, many, moment, ref, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Nested
from crosstie.log import change
from crosstie.log.unit import Log, Unit
from crosstie.modules.notifications import template as templates
from crosstie.modules.notifications.template import CONTENT, PARTS

CHANNELS = ("email", "sms", "whatsapp", "push", "webhook", "in_app")
STATES = ("queued", "held", "collected", "sent", "delivered", "failed", "suppressed", "cancelled")
#: what stands for a value that opens something, wherever a message is shown
HIDDEN = "***"


class Message(Record):
    """One message to one person over one channel."""

    __tablename__ = "messages"
    __table_args__ = (
        # by the key a repeated request or event is known
        sa.UniqueConstraint("tenant_id", "key", name="uq_messages_key"),
        sa.Index("ix_messages_address", "tenant_id", "address"),
        sa.Index("ix_messages_age", "created_at"),
        {"info": {"reach": "batch", "batch": "SELECT, UPDATE"}},
    )

    request_id: Mapped[str] = text(128, doc="The request that it belongs to: one for all its recipients.")
    channel: Mapped[str] = choice(*CHANNELS, doc="How it goes.")
    template: Mapped[str] = text(100, doc="The template that it is made of.")
    template_id: Mapped[UUID | None] = identifier(nullable=True, doc="The tenant's own template, where it is one.")
    template_version: Mapped[int] = integer(doc="Which version of that; 0 of a built-in one.")
    category: Mapped[str] = text(60, doc="What it is about.")
    locale: Mapped[str] = text(8, doc="Its language.")
    user_id: Mapped[UUID | None] = ref("users", nullable=True, doc="The user that it is for, where it is one.")
    client_id: Mapped[UUID | None] = ref("clients", nullable=True, doc="The client that it is for, where it is one.")
    status: Mapped[str] = state(*STATES, doc="How far it is.")
    reason: Mapped[str | None] = text(
        200, nullable=True, doc="Why it waits, failed or was not sent: quiet_hours, unsubscribed, hard_bounce …"
    )
    due_at: Mapped[datetime | None] = moment(nullable=True, doc="Until when it is held.")
    digest_id: Mapped[UUID | None] = identifier(nullable=True, doc="The digest that it goes out with.")
    event_id: Mapped[str | None] = text(128, nullable=True, doc="The event that it follows from.")
    source: Mapped[str | None] = text(100, nullable=True, doc="The service that asked for it, in its own word.")
    reference: Mapped[str | None] = text(200, nullable=True, doc="What that service calls it.")
    provider: Mapped[str | None] = text(100, nullable=True, doc="The provider that took it, or may have.")
    provider_message_id: Mapped[str | None] = text(300, nullable=True, doc="What the provider calls it.")
    segments: Mapped[int | None] = integer(nullable=True, min=1, doc="Parts of a text message.")
    delivery_id: Mapped[UUID | None] = identifier(nullable=True, doc="Its delivery, where the attempts are.")
    sent_at: Mapped[datetime | None] = moment(nullable=True, doc="When a provider took it.")
    key: Mapped[str] = mapped_column(sa.Text)
    # what is personal is shown to whoever may read messages, and stands in no event
    address: Mapped[str] = text(2000, personal=True, doc="Where it goes: an address, a number, a token, a user's id.")
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attachments: Mapped[list[dict[str, str]]] = many(
        Nested(
            (Field(kinds.Text(20), name="noun", doc="Of which noun."), Field(kinds.Id(), name="id", doc="Which one."))
        ),
        doc="The files that go along.",
    )
    detail: Mapped[str | None] = text(500, nullable=True, personal=True, doc="What the provider said of a failure.")


async def _forget(unit: Unit, row: Message) -> dict[str, Any]:
    """What was said to a person who was erased, and where."""
    return {"address": "", "data": {}, "detail": None, "attachments": []}


async def _content(unit: Unit, row: Message, given: Mapping[str, Any]) -> dict[str, Any]:
    """The message as it reads. What would open something is hidden."""
    template = await templates.kept(unit, row.template, row.locale, row.template_id, row.template_version)
    (firm,) = await unit.fetch(templates.FIRM)
    also = {"firm": firm["name"]} | ({template.late: HIDDEN} if template.late else {})
    content = templates.filled(template, row.data, firm["time_zone"], also)
    return {name: getattr(content, name) for name in PARTS}


async def _again(unit: Unit, row: Message, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": None, "due_at": None}


def _shown(row: Message, log: Log) -> dict[str, Any]:
    return {"to": row.address, "detail": row.detail, "attachments": row.attachments}


MACHINE = Machine(
    Message.status,
    (
        Move("release", ("held",), "queued", "message.queued", "A message is ready to go.", due=Message.due_at,
             inner=True, born=True),
        Move("cancel", ("held", "collected"), "cancelled", "message.cancelled", "A message will not be sent."),
        Move("retry", ("failed",), "queued", "message.requeued", "A message that failed is tried again.", run=_again),
    ),
)  # fmt: skip
RELEASE, CANCEL, RETRY = MACHINE.moves
MESSAGES = Resource(
    row=Message,
    name="messages",
    read=(
        Message.id,
        Message.request_id,
        Message.channel,
        Message.template,
        Message.template_version,
        Message.category,
        Message.locale,
        Message.user_id,
        Message.client_id,
        Message.status,
        Message.reason,
        Message.due_at,
        Message.digest_id,
        Message.event_id,
        Message.source,
        Message.reference,
        Message.provider,
        Message.provider_message_id,
        Message.segments,
        Message.delivery_id,
        Message.sent_at,
        Message.created_at,
        Message.updated_at,
    ),
    filter=(Message.request_id, Message.channel, Message.category, Message.user_id, Message.status, Message.event_id,
            Message.reference, Message.due_at, Message.digest_id, Message.provider_message_id),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    machine=MACHINE,
    extra=_shown,
    extra_fields=(
        Field(described(Message.address).kind, name="to", doc="Where it goes.", personal=True),
        described(Message.detail),
        described(Message.attachments),
    ),
    forget=_forget,
    actions=(
        Action("content", _content, "What the message says.", answer=CONTENT, method="GET", scope="read"),
    ),
)  # fmt: skip
EVENTS = tuple(
    noun_event(MESSAGES, f"message.{name}", doc)
    for name, doc in (
        ("held", "A message waits for the end of quiet hours, or for its digest."),
        ("suppressed", "A message is not sent, for a reason that it names."),
        ("sent", "A provider took a message."),
        ("delivered", "A provider says that a message arrived."),
        ("failed", "A message could not be sent."),
    )
)


def tell(unit: Unit, event: str, row: Message) -> None:
    """Append an event about a message: ids, never words or addresses."""
    change.tell(unit, MESSAGES, f"message.{event}", row)
