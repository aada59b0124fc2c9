"""What leaves: a message with all that a provider needs of it, and what a provider made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from crosstie.modules.notifications.template import Content


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along: where it lies, and an address for it."""

    name: str
    content_type: str
    blob: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way. `unsubscribe` is where its reader gives such messages up."""

    id: UUID
    tenant_id: UUID
    channel: str
    address: str
    locale: str
    category: str
    content: Content
    firm: str
    made_at: datetime
    reply_to: str | None = None
    unsubscribe: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one attempt at one provider.

    `final`: no attempt will succeed, for a reason that `code` names. `uncertain`: it may have been sent all the same,
    so that nobody but this provider may be asked again, under the same id.
    """

    ok: bool
    code: str | None = None
    message: str | None = None
    final: bool = False
    uncertain: bool = False
    provider_message_id: str | None = None
    status: int | None = None


class Provider(Protocol):
    """One way to send on a channel."""

    name: str

    async def send(self, letter: Letter) -> Verdict:
        """Make one attempt. Never raises for a fault of the other side."""
        ...
