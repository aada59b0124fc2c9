"""`/api/v1/stream`: the live channel as a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

import asyncpg
import structlog
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from crosstie.api.edge import drawn, refusal
from crosstie.api.live import order
from crosstie.api.live.client import Client, End
from crosstie.api.live.crowd import Kind
from crosstie.api.live.entrance import PROTOCOL, Entrance
from crosstie.api.live.frame import Frame
from crosstie.api.live.hub import FLOOD, INTERNAL
from crosstie.api.live.seat import Seat
from crosstie.api.live.wire import FRAMES, SILENT
from crosstie.db.engine import AWAY
from crosstie.errors import Invalid, NotFound, Problem, TooManyRequests, UnsupportedMedia
from crosstie.kit import ids

PATH = "/api/v1/stream"
WIRE: Kind = "websocket"
#: bytes that are written together
TOGETHER = 65_536
#: frames in a row that are refused for their number before the connection is closed
PATIENCE = 20

logger = structlog.get_logger()


class Socket:
    """The ASGI application behind every WebSocket."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = ids.fresh()
        accepted = False
        try:
            if scope["path"] != PATH:
                raise NotFound("There is nothing at this address.")
            shown, grant, _ = await self._entrance.enter(HTTPConnection(scope), request_id)
            async with self._entrance.hub.joined(shown, grant, request_id, WIRE) as client:
                await receive()  # websocket.connect
                await send({"type": "websocket.accept", "subprotocol": _chosen(scope["subprotocols"])})
                accepted = True
                seat = Seat(self._entrance.hub, client, grant)
                await Talk(self._entrance, seat, scope, receive, send).run()
        except ClientDisconnected:
            pass
        except Exception as error:  # the last place where an error can become an answer
            if drawn(error).status >= 500:
                logger.error("live.failed", request_id=request_id, exc_info=error)
            if not accepted:
                await self._refuse(error, send, request_id)

    async def _refuse(self, error: Exception, send: Send, request_id: str) -> None:
        """Answer the handshake with a problem document."""
        answer = refusal(drawn(error), self._entrance.hub.docs, request_id)
        headers = answer.headers | {"x-request-id": request_id, "cache-control": "no-store"}
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "websocket.http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "websocket.http.response.body", "body": answer.body})


class Talk:
    """One connection, from acceptance to close."""

    def __init__(self, entrance: Entrance, seat: Seat, scope: Scope, receive: Receive, send: Send) -> None:
        self._entrance = entrance
        self._crowd = entrance.hub.crowd
        self._seat = seat
        self._frames, self._abort = (scope["extensions"][FRAMES][name] for name in ("send", "abort"))
        self._receive = receive
        self._send = send

    async def run(self) -> None:
        """Hear and speak until one of the two is over."""
        client = self._seat.client
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._speak())]
        try:
            await client.served(*tasks)
            done = [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not done:
            self._abort()  # it does not even read that it is over
            return
        faults = [each for each in (task.exception() for task in done) if each is not None]
        if not faults and client.end is None:
            return  # the other side has gone
        code, reason = _reason(client)
        with suppress(ClientDisconnected, RuntimeError):  # uvicorn has closed it already
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        for fault in faults:
            raise fault

    async def _speak(self) -> None:
        async for frames in self._seat.client.frames():
            await self._frames(_pieces(frames))
            self._crowd.frames[WIRE] += len(frames)

    async def _hear(self) -> None:
        client, refused = self._seat.client, 0
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                if message.get("code") == SILENT:
                    self._crowd.away[WIRE, "silent"] += 1
                return
            try:
                await self._entrance.count(self._seat.grant)
                refused = 0
                await self._seat.take(order.read(_text(message.get("text"))))
            except (Problem, asyncpg.PostgresError, *AWAY) as error:
                problem = drawn(error)
                refused += isinstance(problem, TooManyRequests)
                if refused == PATIENCE:
                    client.send_away(End(FLOOD, problem))
                if problem.status >= 500:
                    logger.warning("live.order_failed", error=repr(error))
                await client.tell(partial(client.refusal, problem))


def _text(given: str | None) -> bytes:
    if given is None:
        raise UnsupportedMedia("Frames are JSON in text.")
    try:
        return given.encode()
    except UnicodeEncodeError:
        raise Invalid("The frame is no text.") from None


def _chosen(names: Sequence[str]) -> str | None:
    """The protocol that is answered: ours, else the first one, since a browser wants one of those it named."""
    return PROTOCOL if PROTOCOL in names else names[0] if names else None


def _reason(client: Client) -> tuple[int, str]:
    end = client.end or End(INTERNAL)
    return end.code, end.problem.code if end.problem else ""


def _pieces(frames: Sequence[Frame]) -> Iterator[bytes]:
    """The frames as bytes, joined to pieces of some size."""
    found: list[bytes] = []
    size = 0
    for frame in frames:
        found.append(frame.socket)
        size += len(found[-1])
        if size >= TOGETHER:
            yield b"".join(found)
            found, size = [], 0
    if found:
        yield b"".join(found)
