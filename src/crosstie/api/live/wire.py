"""The WebSocket of a connection: uvicorn's protocol, with a way to send frames that are written once for all."""

from __future__ import annotations

from collections.abc import Iterable

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

#: the ASGI extension: sends bytes that are frames already, and waits while the other side does not read
FRAMES = "crosstie.frames"
#: bytes of a message that a client sends; seconds between pings, and for the answer to one
SIZE, PING, PONG = 65_536, 25.0, 20.0
#: seconds for the last bytes to leave once a client is given up
LAST = 5.0
#: the code by which whoever serves it hears of that: no client can send it (RFC 6455 §7.4.1)
SILENT = 1006


class Wire(WebSocketsSansIOProtocol):
    """uvicorn's protocol without compression: so the same bytes suit every client."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][FRAMES] = {"send": self._frames, "abort": self._abort}

    async def _frames(self, pieces: Iterable[bytes]) -> None:
        """Send frames, not more at once than the connection takes. Raises ClientDisconnected."""
        for piece in pieces:
            await self.writable.wait()
            if self.disconnected or self.close_sent or self.transport.is_closing():
                raise ClientDisconnected
            self.transport.write(piece)

    def _abort(self) -> None:
        """End it now, whatever has not been taken."""
        self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Give up a client that does not answer, and what it has not read of; whoever serves it is told at once."""
        super().keepalive_timeout()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": SILENT})
        self.loop.call_later(LAST, self.transport.abort)
