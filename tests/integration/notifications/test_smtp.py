"""SMTP with real servers: over TLS or not at all, and never in doubt whether a message was taken."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from uuid import UUID

import pytest

from crosstie.kit.egress import Guard
from crosstie.kit.resolver import Resolver
from crosstie.modules.notifications.letter import Letter
from crosstie.modules.notifications.smtp import Security, Server, Smtp
from crosstie.modules.notifications.template import Content
from tests.parts.authority import Authority
from tests.parts.post import Mailbox, mailbox
from tests.stage import free_port

ID = UUID("01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e")
FIRM = 'Björn, "Söhne" & <Co>\r\nBcc: x@y.example'


def letter(to: str = "thandi@example.com") -> Letter:
    content = Content("Größe \u2068x\u2069", "Text", "Text", None)
    return Letter(
        ID,
        ID,
        "email",
        to,
        "en",
        "general",
        content,
        FIRM,
        datetime(2026, 3, 1, tzinfo=UTC),
        None,
        "https://x.example/u",
    )


def server(box: Mailbox, security: Security, password: str | None = None, host: str = "127.0.0.1") -> Server:
    return Server(host, box.port, security, "no-reply@acme.example", "acme" if password else None, password)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_over_tls_with_a_password(security: Security) -> None:
    authority = Authority()
    options = {"tls_context": authority.serve("127.0.0.1"), "require_starttls": True}
    if security == "tls":
        options = {"ssl_context": authority.serve("127.0.0.1")}
    box = Mailbox()
    with mailbox(box, authenticator=box.authenticate, auth_require_tls=security != "tls", **options):
        found = await Smtp("x", server(box, security, "let me in"), authority.trust()).send(letter())
        assert (found.ok, found.provider_message_id) == (True, f"<{ID}@acme.example>")
        wrong = await Smtp("x", server(box, security, "guess"), authority.trust()).send(letter())
        assert (wrong.ok, wrong.final, wrong.uncertain, wrong.status) == (False, False, False, 535)
        (mail,) = box.mails
        assert str(mail["Subject"]) == "Größe \u2068x\u2069"
        assert mail["From"].addresses[0].display_name == FIRM.replace("\r\n", " ")
        assert mail["Bcc"] is None
        assert set(box.names) == {("acme", "let me in"), ("acme", "guess")}
        tries = len(box.names)
        # a certificate that nobody vouches for
        strange = await Smtp("x", server(box, security, "let me in"), ssl.create_default_context()).send(letter())
        assert (strange.ok, strange.uncertain, strange.final) == (False, False, False)
        assert len(box.names) == tries


async def test_a_server_without_tls_hears_no_password() -> None:
    with mailbox() as box:
        found = await Smtp("x", server(box, "starttls", "let me in"), Authority().trust()).send(letter())
        assert (found.ok, found.uncertain, box.mails, box.names) == (False, False, [], [])


async def test_the_same_bytes_at_every_attempt() -> None:
    with mailbox() as box:
        for _ in range(2):
            assert (await Smtp("x", server(box, "none"), ssl.create_default_context()).send(letter())).ok
        first, second = (mail.as_bytes() for mail in box.mails)
        boundary = box.mails[0].get_boundary(), box.mails[1].get_boundary()
        assert first.replace(str(boundary[0]).encode(), b"") == second.replace(str(boundary[1]).encode(), b"")


async def test_an_address_beyond_ascii_where_the_server_takes_it() -> None:
    to = "ثاندي@مثال.example"
    with mailbox(enable_SMTPUTF8=True) as box:
        assert (await Smtp("x", server(box, "none"), ssl.create_default_context()).send(letter(to))).ok
        assert box.recipients == [to]
    with mailbox(enable_SMTPUTF8=False) as box:
        found = await Smtp("x", server(box, "none"), ssl.create_default_context()).send(letter(to))
        assert (found.code, found.final, box.mails) == ("unsupported_address", True, [])


async def test_a_server_that_takes_a_message_and_says_nothing() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        data = False
        while line := await reader.readline():
            if data and line == b".\r\n":
                break
            if not data:
                data = line.startswith(b"DATA")
                writer.write(b"354 go on\r\n" if data else b"250 OK\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        own = Server("127.0.0.1", port, "none", "no-reply@acme.example")
        found = await Smtp("x", own, ssl.create_default_context()).send(letter())
    assert (found.ok, found.final, found.uncertain) == (False, False, True)


async def test_nobody_listens() -> None:
    own = Server("127.0.0.1", free_port(), "none", "no-reply@acme.example")
    found = await Smtp("x", own, ssl.create_default_context()).send(letter())
    assert (found.ok, found.final, found.uncertain) == (False, False, False)


@pytest.mark.parametrize(
    ("allow", "security", "host", "sent"),
    [
        ((), "none", "127.0.0.1", False),
        ((), "starttls", "10.0.0.1", False),
        ((), "none", "localhost", False),
        (("127.0.0.0/8",), "none", "127.0.0.1", True),
        (("127.0.0.0/8", "::1/128"), "none", "localhost", True),
        (("10.0.0.0/8",), "none", "127.0.0.1", False),
        (("127.0.0.0/8",), "none", "169.254.169.254", False),
    ],
)
async def test_a_tenants_server_is_where_the_operator_allows(
    allow: tuple[str, ...], security: Security, host: str, sent: bool
) -> None:
    guard = Guard(allow)
    resolver = Resolver(guard)
    try:
        with mailbox() as box:
            own = server(box, security, host=host)
            found = await Smtp("x", own, ssl.create_default_context(), (guard, resolver)).send(letter())
            assert (found.ok, len(box.mails)) == (sent, int(sent))
            assert sent or found.code == "egress_forbidden"
    finally:
        await resolver.close()
