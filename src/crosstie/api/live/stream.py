"""`/api/v1/events/stream`: the live channel as server-sent events; and tickets, the way in for browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from crosstie.api import filters
from crosstie.api.accept import accepts
from crosstie.api.entry import JSON, Api
from crosstie.api.live import order
from crosstie.api.live.client import Client
from crosstie.api.live.crowd import Kind
from crosstie.api.live.entrance import Entrance
from crosstie.api.live.seat import Seat
from crosstie.api.live.wire import PING
from crosstie.api.operation import Handler, Operation, Parameter
from crosstie.errors import Fault, NotAcceptable, UnknownParameter, UpgradeRequired
from crosstie.kit import clock, json
from crosstie.log.idempotency import Answer

WIRE: Kind = "sse"
KNOWN = frozenset({"topics", "after", "ticket"})
MEDIA = "text/event-stream"
HEADERS = {"content-type": MEDIA, "cache-control": "no-store", "x-accel-buffering": "no"}


class Stream:
    """The handlers."""

    def __init__(self, api: Api, entrance: Entrance) -> None:
        self._api = api
        self._entrance = entrance

    async def read(self, request: Request) -> Answer | Response:
        """Events of the topics in the query, from a cursor on, or from now on."""
        state = request.scope["state"]
        request_id = state["request_id"]
        shown, grant, standing = await self._entrance.enter(request, request_id)
        state["headers"] |= standing.headers()
        accept = request.headers.get("accept")
        if accept and not accepts(accept, MEDIA):
            raise NotAcceptable(f"The stream is {MEDIA}.")
        topics, after = _query(request)
        if request.method == "HEAD":
            return Response(headers=HEADERS)
        stack = AsyncExitStack()
        try:
            client = await stack.enter_async_context(self._entrance.hub.joined(shown, grant, request_id, WIRE))
            seat = Seat(self._entrance.hub, client, grant)
            found, faults = await seat.allowed(topics)
            for problem in faults.values():
                raise problem
            place = await self._entrance.hub.place(grant.tenant_id, after)
        except BaseException:
            await stack.aclose()
            raise
        client.tell(client.standing)
        client.add(dict.fromkeys(found, place))

        async def written() -> AsyncIterator[bytes]:
            async for frames in client.frames(PING):
                yield b"".join(frame.stream for frame in frames) or b": ping\n\n"
                self._entrance.hub.crowd.frames[WIRE] += len(frames)

        return Events(written(), stack, client)

    async def socket(self, request: Request) -> Answer:
        """The stream itself, asked for without an upgrade."""
        raise UpgradeRequired(
            "Connect with a WebSocket, or read /api/v1/events/stream.", headers={"Upgrade": "websocket"}
        )

    async def ticket(self, request: Request) -> Answer:
        """A ticket for the caller's credential."""
        grant = await self._api.enter(request, None)
        filters.none(request)
        ticket, until = self._entrance.tickets.make(self._entrance.gate.shown(request), grant.tenant_id)
        return Answer(201, json.dumps({"ticket": ticket, "expires_at": clock.format(until)}), JSON)


class Events(StreamingResponse):
    """A stream that leaves its seat however it ends."""

    def __init__(self, content: AsyncIterator[bytes], stack: AsyncExitStack, client: Client) -> None:
        super().__init__(content, headers=HEADERS)
        self._stack = stack
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            sending = asyncio.create_task(super().__call__(scope, receive, send))
            try:
                await self._client.served(sending)
            finally:
                sending.cancel()  # where it is over, and the client does not read that
            with suppress(asyncio.CancelledError):
                await sending


def _query(request: Request) -> tuple[tuple[str, ...], str | None]:
    """Topics, and the cursor: the one that a client which comes back has last."""
    parameters = request.query_params
    faults = [
        Fault(name, "unknown_parameter", "there is no such parameter") for name in parameters if name not in KNOWN
    ]
    if faults:
        raise UnknownParameter("A query parameter is unknown.", errors=faults)
    names = [name for given in parameters.getlist("topics") for name in given.split(",")] or ["*"]
    if len(names) > order.TOPICS:
        fault = Fault("topics", "length", f"must have {order.TOPICS} entries at most")
        raise UnknownParameter("There are too many topics.", errors=[fault])
    after = request.headers.get("last-event-id") or parameters.get("after")
    return tuple(dict.fromkeys(names)), after


def operations(stream: Stream) -> list[Operation]:
    """What is an ordinary request."""
    schema = {
        "type": "object",
        "required": ["ticket", "expires_at"],
        "properties": {
            "ticket": {
                "type": "string",
                "description": "For `?ticket=`, or the protocol `ticket.<ticket>`; works once.",
            },
            "expires_at": {"type": "string", "format": "date-time"},
        },
    }
    cursor = {"type": "string", "maxLength": order.CURSOR}
    topics = {"type": "array", "maxItems": order.TOPICS, "items": {"type": "string"}}
    return [
        Operation(
            "events.stream", "GET", "/api/v1/events/stream",
            "Hear of events as they happen, as server-sent events, without an end; /asyncapi.json has the frames.",
            stream.read,
            parameters=(
                Parameter("topics", topics, "Types of events (`job.*`), nouns (`jobs`) or subjects (`job:<id>`);"
                          " without any it is `*`. Each asks for the scope that reads it."),
                Parameter("after", cursor, "The cursor to go on behind; without one from now on."),
                Parameter("Last-Event-ID", cursor, "The same, as clients send it that come back; it comes first.",
                          "header"),
            ),
            answers={200: {"type": "string", "description": "Frames as `data`, with the cursor as `id`."}},
            answer_media=MEDIA, problems=(401, 403, 406, 410, 422, 429), tag="events", ticketed=True,
        ),
        Operation(
            "stream-tickets.create", "POST", "/api/v1/stream/tickets",
            "Get a way into the live stream for a browser, which can send no headers: it works once, for a minute.",
            stream.ticket, None, answers={201: schema}, problems=(400, 401, 403, 406, 429), tag="events",
        )
    ]  # fmt: skip


def routes(stream: Stream) -> list[tuple[str, str, Handler]]:
    """What is no request: described by the AsyncAPI document."""
    return [("/api/v1/stream", "GET", stream.socket)]
