"""Notices: messages inside Crosstie, which a user reads and puts away."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.declare.field import described, identifier, moment, ref, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import READ_ONLY, Events, Resource
from crosstie.declare.row import Record
from crosstie.log.blank import ERASED
from crosstie.log.unit import Unit


class Notice(Record):
    """A message to a user inside Crosstie. People see their own."""

    __tablename__ = "notices"

    user_id: Mapped[UUID] = ref("users", doc="Who is told.")
    message_id: Mapped[UUID] = identifier(doc="The message.")
    category: Mapped[str] = text(60, doc="What it is about.")
    event_id: Mapped[str | None] = text(128, nullable=True, doc="The event that it follows from.")
    locale: Mapped[str] = text(8, doc="Its language.")
    title: Mapped[str] = text(300, personal=True, doc="Its subject.")
    body: Mapped[str] = text(100_000, personal=True, doc="What it says.")
    status: Mapped[str] = state("unread", "read", "archived", doc="Whether it was read, or put away.")
    read_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was read.")


async def _forget(unit: Unit, row: Notice) -> dict[str, str]:
    """What was said to a person who was erased."""
    return {"title": ERASED, "body": ERASED}


NOTICES = Resource(
    row=Notice,
    name="notices",
    read=(Notice.id, Notice.user_id, Notice.message_id, Notice.category, Notice.event_id, Notice.locale, Notice.status,
          Notice.read_at, Notice.created_at, Notice.updated_at),
    own=Notice.user_id,
    filter=(Notice.user_id, Notice.status, Notice.category),
    verbs=READ_ONLY,
    events=Events(updated=None, deleted=None),
    machine=Machine(
        Notice.status,
        (
            Move("read", ("unread",), "read", "notice.read", "A user read a notice.", stamp=Notice.read_at),
            Move("archive", ("unread", "read"), "archived", "notice.archived", "A user put a notice away."),
        ),
    ),
    extra=lambda row, log: {"title": row.title, "body": row.body},
    extra_fields=(described(Notice.title), described(Notice.body)),
    forget=_forget,
)  # fmt: skip
