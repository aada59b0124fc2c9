"""The live stream in the AsyncAPI document: its two channels, and the frames on them. Pure."""

from __future__ import annotations

from typing import Any

from crosstie.api.live import order
from crosstie.api.live.entrance import PROTOCOL

Document = dict[str, Any]
CURSOR = {"type": "string", "description": "A place in the log: give it as `after` to go on from it."}
TOPICS = {
    "type": "array",
    "minItems": 1,
    "maxItems": order.TOPICS,
    "items": {"type": "string"},
    "description": "Types of events (`job.*`), nouns (`jobs`) or subjects (`job:<id>`).",
}


def _frame(name: str, kind: str, summary: str, **properties: Document) -> Document:
    optional = {"after", "topic"}
    schema = {
        "type": "object",
        "required": [kind, *(each for each in properties if each not in optional)],
        "properties": {kind: {"const": name}, **properties},
    }
    return {"name": name, "title": summary, "contentType": "application/json", "payload": schema}


#: by the names that they have in the document
MESSAGES: dict[str, Document] = {
    "stream.subscribe": _frame(
        "subscribe", "action", "Hear of these topics too, behind a cursor or from now on.",
        topics=TOPICS, after={"anyOf": [CURSOR, {"type": "null"}]},
    ),
    "stream.unsubscribe": _frame("unsubscribe", "action", "Hear of these topics no more.", topics=TOPICS),
    "stream.subscribed": _frame(
        "subscribed", "type", "The topics in force, and the place to come back to.",
        topics={"type": "array", "items": {"type": "string"}}, cursor=CURSOR,
    ),
    "stream.event": _frame(
        "event", "type", "An event, and the place behind it.",
        cursor=CURSOR, event={"$ref": "#/components/schemas/Event"},
    ),
    "stream.error": _frame(
        "error", "type", "A frame, a topic or the connection itself was refused.",
        problem={"$ref": "#/components/schemas/Problem"}, topic={"type": "string"},
    ),
}  # fmt: skip
ASKED = ("stream.subscribe", "stream.unsubscribe")
SAID = ("stream.subscribed", "stream.event", "stream.error")


def channels(server: Document, http: Document) -> dict[str, Document]:
    """The WebSocket and its twin; each is given a reference to its server."""
    return {
        "stream": {
            "address": "/api/v1/stream",
            "title": "Live stream",
            "description": "One WebSocket; subscribe with topics and a cursor."
            f" A browser names the protocols {PROTOCOL} and bearer.<token> or ticket.<ticket>.",
            "servers": [server],
            "messages": {name: _message(name) for name in (*ASKED, *SAID)},
        },
        "stream.sse": {
            "address": "/api/v1/events/stream",
            "title": "Live stream as server-sent events",
            "description": "The same frames as `data`, the cursor as `id`; `Last-Event-ID` goes on from it."
            " Query: `topics`, parted by commas; `after`; `ticket`.",
            "servers": [http],
            "messages": {name: _message(name) for name in SAID},
        },
    }


def _message(name: str) -> Document:
    return {"$ref": f"#/components/messages/{name}"}
