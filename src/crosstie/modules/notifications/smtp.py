"""E-mail by SMTP: over TLS, and told apart by stage, so that it is known whether a message may have been taken."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException

from crosstie.kit.blob import Away, Blobs, Missing
from crosstie.kit.egress import Address, Forbidden, Guard
from crosstie.kit.resolver import Resolver, Unresolved
from crosstie.modules.notifications import mail
from crosstie.modules.notifications.letter import Attachment, Letter, Verdict

#: seconds for the whole exchange, and for one answer
WHOLE, ANSWER = 60.0, 20.0
Security = Literal["starttls", "tls", "none"]
#: RFC 3463: 5.1.x says that there is no such address, 5.2.1 that the mailbox is closed
GONE = re.compile(r"\b5\.(1\.[0-9]{1,3}|2\.1)\b")
ENHANCED = re.compile(r"\b[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
NO_SUCH = (550, 551, 553)


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and how it is spoken to. `sender` is the address that mails come from."""

    host: str
    port: int
    security: Security
    sender: str
    username: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str, sender: str) -> Server:
        """The server of a URL: smtps:// is TLS at once, smtp:// STARTTLS; `?security=none` speaks in the clear."""
        parts = urlsplit(url)
        security: Security = "tls" if parts.scheme == "smtps" else "starttls"
        if parts.query == "security=none":
            security = "none"
        port = parts.port or (465 if security == "tls" else 587)
        user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
        return cls(parts.hostname or "", port, security, sender, user, password)


class Smtp:
    """A provider of the channel `email`. With `guard` the server is somebody's choice who may not choose any."""

    def __init__(
        self,
        name: str,
        server: Server,
        trust: ssl.SSLContext,
        guard: tuple[Guard, Resolver] | None = None,
        blobs: Blobs | None = None,
    ) -> None:
        self.name = name
        self._server = server
        self._trust = trust
        self._guard = guard
        self._blobs = blobs

    async def send(self, letter: Letter) -> Verdict:
        """One attempt, over a connection of its own."""
        stage = ["connect"]
        try:
            files = [await self._file(each) for each in letter.attachments]
        except Missing:
            return Verdict(False, "attachment_gone", "a file of it is no longer there", final=True)
        except Away as error:
            return Verdict(False, "attachment_away", f"the file store cannot be reached: {error}")
        try:
            async with asyncio.timeout(WHOLE):
                return await self._exchange(letter, files, stage)
        except SMTPResponseException as error:
            return _refused(stage[0], error.code, error.message)
        except (Forbidden, Unresolved) as error:
            return Verdict(False, getattr(error, "code", "connect"), str(error))
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            code = "timeout" if isinstance(error, TimeoutError) else stage[0]
            return Verdict(False, code, str(error)[:300] or type(error).__name__, uncertain=stage[0] == "taken")

    async def _file(self, attachment: Attachment) -> bytes:
        assert self._blobs is not None
        return b"".join([piece async for piece in await self._blobs.read(attachment.blob)])

    async def _exchange(self, letter: Letter, files: Sequence[bytes], stage: list[str]) -> Verdict:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=None if self._guard else server.port,
            sock=await self._socket() if self._guard else None,
            timeout=ANSWER,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._trust,
            username=server.username,
            password=server.password,
            local_hostname=server.sender.rpartition("@")[2],
        )
        async with client:
            stage[0] = "mail"
            options = []
            if not letter.address.isascii():
                await client.ehlo()
                if not client.supports_extension("smtputf8"):
                    return Verdict(False, "unsupported_address", "the server takes no such address", final=True)
                options = ["SMTPUTF8"]
            await client.mail(server.sender, options=options, encoding="utf-8" if options else "ascii")
            stage[0] = "recipient"
            await client.rcpt(letter.address, encoding="utf-8" if options else "ascii")
            written = mail.written(letter, server.sender, files)
            stage[0] = "taken"
            answer = await client.data(written.as_bytes(policy=mail.POLICY.clone(utf8=bool(options))))
            return Verdict(True, provider_message_id=str(written["Message-ID"]), message=answer.message[:300])

    async def _socket(self) -> socket.socket:
        """A connection to the server, where its address has passed the guard."""
        assert self._guard is not None
        guard, resolver = self._guard
        server = self._server
        scheme: Literal["http", "https"] = "http" if server.security == "none" else "https"
        port = 443 if server.port in (25, 465, 587) else server.port
        try:
            addresses: tuple[Address, ...] = (ip_address(server.host),)
        except ValueError:
            addresses = await resolver.resolve(server.host, port, scheme)
        for address in addresses:
            guard.check_address(address, scheme, port)
        for address in addresses[:-1]:
            try:
                return await _connected(address, server.port)
            except (OSError, TimeoutError):
                continue
        return await _connected(addresses[-1], server.port)


async def _connected(address: Address, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    found.setblocking(False)
    try:
        async with asyncio.timeout(ANSWER):
            await asyncio.get_running_loop().sock_connect(found, (str(address), port))
    except BaseException:
        found.close()
        raise
    return found


def _refused(stage: str, code: int, message: str) -> Verdict:
    """What an answer of the server means: 4xx passes, 5xx does not, and of an address it says that there is none."""
    said = f"{code} {message}"[:300]
    if code < 500 or stage in ("connect", "mail"):  # the server or we are at fault: another provider may do better
        return Verdict(False, f"smtp_{code}", said, status=code)
    named = ENHANCED.search(message) is not None
    if stage == "recipient" and (GONE.search(message) or (not named and code in NO_SUCH)):
        return Verdict(False, "hard_bounce", said, final=True, status=code)
    return Verdict(False, "refused", said, final=True, status=code)
