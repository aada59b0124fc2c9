"""The live stream as commands read it: one place in the log, kept over every loss of the connection."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from websockets.asyncio import client as waiting
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync import client as blocking

from crosstie.command import out
from crosstie.command.http import Refused, Way
from crosstie.kit import json

PATH = "/api/v1/stream"
#: seconds between attempts while the server is away
AWAY = 2.0
#: bytes of one frame: an event is as large as a request may be, and its envelope
SIZE = 16 << 20

Heard = tuple[str, dict[str, Any]]


class Reader:
    """What is read, and from where on. Without a cursor it begins with what comes next."""

    def __init__(self, way: Way, types: Sequence[str] = (), after: str | None = None) -> None:
        self._topics = list(types) or ["*"]
        self.place = after
        self.url = way.url.replace("http", "ws", 1).rstrip("/") + PATH
        context = way.trust if isinstance(way.trust, ssl.SSLContext) else None
        self.options: dict[str, Any] = {"additional_headers": way.headers, "ssl": context, "max_size": SIZE}
        if way.direct:
            self.options["proxy"] = None

    def order(self) -> str:
        """The frame that subscribes."""
        return json.dumps({"action": "subscribe", "topics": self._topics, "after": self.place}).decode()

    def heard(self, message: str | bytes) -> Heard | None:
        """The event in a frame, with its cursor. Raises Refused."""
        frame = json.loads(message.encode() if isinstance(message, str) else message)
        if frame["type"] == "error":
            raise Refused(frame["problem"]["status"], frame["problem"])
        self.place = frame.get("cursor", self.place)
        return (frame["cursor"], frame["event"]) if frame["type"] == "event" else None

    def lost(self, error: Exception) -> None:
        """What a lost connection means: a wait, where it was not refused. Raises Refused."""
        if isinstance(error, InvalidStatus) and error.response.status_code < 500:
            answer = error.response
            problem = "json" in answer.headers.get("content-type", "")
            raise Refused(answer.status_code, json.loads(bytes(answer.body)) if problem else {}) from error


#: what ends a connection, or keeps one from being made
GONE = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError)


def read(reader: Reader) -> Iterator[Heard]:
    """Events as they happen, for ever."""
    while True:
        try:
            with blocking.connect(reader.url, **reader.options) as socket:
                socket.send(reader.order())
                for message in socket:
                    found = reader.heard(message)
                    if found:
                        yield found
        except GONE as error:
            reader.lost(error)
            out.note(f"The stream was lost ({error}). Trying again.")
        time.sleep(AWAY)


async def follow(reader: Reader) -> AsyncIterator[Heard]:
    """The same without blocking, and without a word about it."""
    while True:
        try:
            async with waiting.connect(reader.url, **reader.options) as socket:
                await socket.send(reader.order())
                async for message in socket:
                    found = reader.heard(message)
                    if found:
                        yield found
        except GONE as error:
            reader.lost(error)
        await asyncio.sleep(AWAY)
