"""Frames: what the server says, written once per process for all of its clients, whichever wire they are on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from crosstie.errors import Problem
from crosstie.kit import json
from crosstie.log.event import Event
from crosstie.log.read import Cursor

#: first byte of an unmasked text frame that is whole (RFC 6455 §5.2)
WHOLE_TEXT = 0x81


class Frame:
    """One message. `cursor` is the place that it brings a client to."""

    def __init__(self, body: bytes, cursor: str = "") -> None:
        self.body = body
        self.cursor = cursor

    @cached_property
    def socket(self) -> bytes:
        """As a WebSocket carries it."""
        size = len(self.body)
        if size < 126:
            head = bytes((WHOLE_TEXT, size))
        elif size < 1 << 16:
            head = bytes((WHOLE_TEXT, 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((WHOLE_TEXT, 127)) + size.to_bytes(8, "big")
        return head + self.body

    @cached_property
    def stream(self) -> bytes:
        """As server-sent events carry it: JSON has no line breaks but escaped ones."""
        place = f"id: {self.cursor}\n".encode() if self.cursor else b""
        return b"%bdata: %b\n\n" % (place, self.body)


class Entry(Frame):
    """One event of the log, as a frame."""

    def __init__(self, place: Cursor, event: Event) -> None:
        cursor = str(place)
        body = b'{"type":"event","cursor":"%b","event":%b}' % (cursor.encode(), event.envelope())
        super().__init__(body, cursor)
        self.place = place
        self.type = event.type
        self.kind = event.subject_type
        self.id = event.subject_id


def subscribed(topics: Iterable[str], place: Cursor) -> Frame:
    """The topics in force, and where the client stands."""
    cursor = str(place)
    return Frame(json.dumps({"type": "subscribed", "topics": list(topics), "cursor": cursor}), cursor)


def refused(problem: Problem, docs: str, request_id: str, topic: str | None = None) -> Frame:
    """What is wrong; `topic` is the one that it is about."""
    found: dict[str, Any] = {"type": "error", "problem": problem.document(docs, request_id)}
    return Frame(json.dumps(found if topic is None else found | {"topic": topic}))
