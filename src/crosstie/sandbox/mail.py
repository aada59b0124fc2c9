"""A mail server that keeps what it gets and shows it: the demo's mails go nowhere else."""

from __future__ import annotations

import asyncio
from collections import deque
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from itertools import count
from typing import Any

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from crosstie.sandbox.pages.page import draw, plain

KEPT = 100
#: a mail may look as it likes, and load, run and send nothing; its links may be followed
STRICT = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none';"
    " sandbox allow-popups allow-top-navigation-by-user-activation",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Got(msgspec.Struct, kw_only=True):
    """One mail that came."""

    number: int
    to: str
    sender: str
    subject: str
    headers: dict[str, str]
    text: str
    html: str


class Mail:
    """What came, newest first."""

    def __init__(self) -> None:
        self.got: deque[Got] = deque(maxlen=KEPT)
        self._numbers = count(1)

    async def listen(self, port: int) -> asyncio.Server:
        """Take mails on a port of this machine."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        """Keep a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=SMTPUTF8)
        self.got.appendleft(
            Got(
                number=next(self._numbers),
                to=", ".join(envelope.rcpt_tos),
                sender=str(mail["From"]),
                subject=str(mail["Subject"]),
                headers={name: str(value) for name, value in mail.items()},
                text=_part(mail, "plain"),
                html=_part(mail, "html"),
            )
        )
        return "250 OK"

    def routes(self) -> list[BaseRoute]:
        """Its page, the HTML of one mail, and all of it for programs."""
        return [
            Route("/mail", self.page),
            Route("/mail/{number:int}", self.whole),
            Route("/mails", self.listed),
        ]

    async def page(self, request: Request) -> Response:
        """The mails that came."""
        return draw(request, "mail", got=list(self.got))

    async def whole(self, request: Request) -> Response:
        """One mail as its reader sees it."""
        found = next((each for each in self.got if each.number == request.path_params["number"]), None)
        return HTMLResponse(found.html if found else "", 200 if found else 404, headers=STRICT)

    async def listed(self, request: Request) -> Response:
        """The mails, as JSON."""
        return plain({"data": list(self.got)})


def _part(mail: Any, kind: str) -> str:
    found = mail.get_body((kind,)) if isinstance(mail, EmailMessage) else None
    return str(found.get_content()) if found is not None else ""
