"""The first bytes of a connection: heads bounded in size and time, and problems even for what is no HTTP."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from crosstie.api.body import WHOLE
from crosstie.errors import BadRequest, HeadTooLarge, Problem
from crosstie.kit import ids, json

#: bytes of request line and headers, seconds in which they must arrive, seconds for a whole body
HEAD, HEAD_SECONDS, BODY_SECONDS = 32_768, 10.0, 600.0


def bounded(docs: str) -> type[HttpToolsProtocol]:
    """The protocol that a server speaks; `docs` is the address of the error pages."""
    return type("Listener", (Bounded,), {"docs": docs})


class Bounded(HttpToolsProtocol):
    """uvicorn's protocol with bounds: one that sends nothing, or a byte now and then, does not stay for ever."""

    docs = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._size = 0
        self._refusal: type[Problem] = BadRequest
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = True
        self._within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._size += len(data)
        super().data_received(data)
        if self._deadline is None and not self.transport.is_closing():
            # what came whole in one piece, as most requests do, needs no clock
            if not self._in_head:
                self._within(BODY_SECONDS)
            elif self._size:
                self._within(HEAD_SECONDS)
        if self._in_head and self._size > HEAD and not self.transport.is_closing():
            self._refusal = HeadTooLarge
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD:
            self._refusal = HeadTooLarge
            raise ValueError("the head is too large")
        self._within(None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._within(None)
        self.scope["extensions"] = {WHOLE: {"answer": partial(self._answer, self.cycle)}}
        self._in_head, self._size = True, 0
        super().on_message_complete()

    def _answer(self, cycle: RequestResponseCycle, head: bytes, body: bytes) -> bool:
        """Write a whole answer at once, as uvicorn would in pieces. False where it cannot be taken now."""
        if self.flow.write_paused or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        if not cycle.disconnected:
            lines = [b"%b: %b\r\n" % pair for pair in self.server_state.default_headers]
            end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
            self.transport.write(b"".join((head, *lines, end, body)))
            if not cycle.keep_alive:
                self.transport.close()
        cycle.message_event.set()
        cycle.on_response()
        return True

    def handle_websocket_upgrade(self) -> None:
        self._within(None)
        self._in_head, self._size = True, 0
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and end the connection."""
        self._within(None)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or not cycle.response_started or cycle.response_complete:
            problem = self._refusal()
            body = json.dumps(problem.document(self.docs, str(ids.uuid7())))
            status = HTTPStatus(problem.status)
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()

    def _within(self, seconds: float | None) -> None:
        """Close the connection after so many seconds, unless told otherwise before."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.close) if seconds else None
