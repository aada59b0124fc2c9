"""A real mail server for tests (aiosmtpd), which keeps what it got and refuses what it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.stage import free_port

PATIENCE = 60


@dataclass
class Mailbox:
    """What arrived, oldest first; `answers` are refusals by recipient, each list used up from its front."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    #: as they came, for those who do not trust a parser that mends
    raws: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    #: refusals of whole messages
    refusals: list[str] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    #: called when a message was taken, before that is said
    taking: Callable[[], None] = lambda: None

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answers = self.answers.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        found = message_from_bytes(envelope.content, policy=SMTPUTF8)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        self.raws.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        self.secure.append(session.ssl is not None)
        self.taking()
        return "250 2.0.0 taken"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.names.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"let me in", handled=False)

    def to(self, address: str) -> list[EmailMessage]:
        """What arrived for somebody."""
        return [mail for mail in self.mails if str(mail["To"]) == address]

    async def wait(self, address: str, count: int = 1) -> list[EmailMessage]:
        """So many mails to somebody, as soon as they are there."""
        end = time.monotonic() + PATIENCE
        while len(found := self.to(address)) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} mails to {address}"
            await asyncio.sleep(0.1)
        return found


@contextmanager
def mailbox(box: Mailbox | None = None, **options: Any) -> Iterator[Mailbox]:
    """A mail server on loopback; `options` are aiosmtpd's."""
    box = box or Mailbox()
    box.port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def texts(mail: EmailMessage) -> tuple[str, str]:
    """The plain and the HTML part."""
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return str(plain.get_content()), str(html.get_content())
