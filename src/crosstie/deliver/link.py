"""One connection to a receiver: one POST at a time over HTTP/1.1, one answer each.

The parser is llhttp (Node's, by httptools). Around it stands only what a webhook needs: an answer is counted, cut and
handed over; nothing is unpacked, followed or remembered.
"""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from crosstie.deliver.sender import READ, Code

HEAD = 65_536
"""Bytes that may arrive before the status is known, interim answers included."""

MOST = 8 * READ
"""Bytes that may arrive in all, so that chunks of one byte, their extensions and trailers have an end as well."""


class Broken(Exception):
    """There is no complete answer, and no connection any more."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class Answer:
    """What has arrived so far; `status` is set once the whole header is there."""

    __slots__ = ("body", "framed", "headers", "received", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.framed = False
        self.received = 0


class Link(asyncio.Protocol):
    """A connection. While `open`, it takes the next request; `used` is the loop's time of its last answer."""

    def __init__(self) -> None:
        self.open = True
        self.used = 0.0
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] | None = None
        self._answer = Answer()
        self._parser = httptools.HttpResponseParser(self)
        # What RFC 9112 lets a client forgive, and every browser does: lines that end in LF alone, folded headers.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    async def exchange(self, request: bytes, answer: Answer) -> None:
        """Send a whole request and fill in its answer.

        Raises:
            Broken: the answer is not complete; what of it has arrived stands in `answer`.
        """
        self._answer = answer
        self._done = self._loop.create_future()
        self._transport.write(request)
        try:
            await self._done
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._done = None
        self.used = self._loop.time()

    def abort(self) -> None:
        """Hang up, without waiting for anybody."""
        self.open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._done is None:
            self.abort()  # an answer that nobody asked for would be taken for the next one
            return
        answer = self._answer
        answer.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish(last=True)
        except httptools.HttpParserError as error:
            self._break("protocol", str(error))
        if answer.received > HEAD and answer.status is None:
            self._break("too_large", f"more than {HEAD} bytes of header")
        elif answer.received > MOST:
            self._finish(last=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if exc is None and self._answer.status is not None and not self._answer.framed:
            self._finish(last=True)
        else:
            self._break("reset", str(exc or "closed before the answer was complete"))

    def on_message_begin(self) -> None:
        if self._done is None or self._done.done():
            self.abort()  # a second answer, in the same packet as the first

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers.append((name, value))
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._answer.framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._answer.headers.clear()
            return
        self._answer.status = status
        if not self._parser.should_keep_alive():
            self.open = False

    def on_body(self, body: bytes) -> None:
        self._answer.body += body
        if len(self._answer.body) >= READ:
            self._finish(last=True)

    def on_message_complete(self) -> None:
        if self._answer.status is not None:
            self._finish(last=not self.open)

    def _finish(self, last: bool) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
            self._answer = Answer()  # what follows belongs to nobody
        if last:
            self.abort()

    def _break(self, code: Code, message: str) -> None:
        self.abort()
        if self._done is not None and not self._done.done():
            self._done.set_exception(Broken(code, message))
