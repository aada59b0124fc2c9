"""The AsyncAPI 3.0 document: webhooks, brokers and the stream, derived from the event types. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from crosstie import __version__
from crosstie.api.live import contract
from crosstie.api.openapi import FIXED
from crosstie.declare.catalogue import Catalogue, envelope_example
from crosstie.declare.event import EventType

Document = dict[str, Any]
#: those of Standard Webhooks 1.0
HEADERS = {
    "webhook-id": "The event's id: the same over all attempts.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "Signatures over id, timestamp and body, parted by spaces.",
}


def document(catalogue: Catalogue, server: str) -> Document:
    """The whole document; `server` is the address of the installation."""
    events = list(catalogue.events.values())
    parts = urlsplit(server)
    stream = {"http": "ws", "https": "wss"}.get(parts.scheme, "ws")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Crosstie events",
            "version": __version__,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "description": "What Crosstie tells, and what it hears: at least once, by webhook, broker or stream.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "receiver": {"host": "{host}", "protocol": "https", "description": "A subscriber's own webhook receiver.",
                         "variables": {"host": {"description": "Where the endpoint's URL leads."}}},
            "stream": {"host": parts.netloc, "protocol": stream, "description": "Events as they happen."},
            "http": {"host": parts.netloc, "protocol": parts.scheme, "description": "The same over HTTP."},
            "nats": {"host": "localhost:4222", "protocol": "nats", "description": "Streams CROSSTIE_OUT, CROSSTIE_IN."},
            "rabbitmq": {"host": "localhost:5672", "protocol": "amqp", "description": "Exchanges by direction."},
        },
        "channels": dict(_channels(events)),
        "operations": dict(_operations(events)),
        "components": {
            "messages": contract.MESSAGES | {event.name: _message(event) for event in events},
            "schemas": {name: FIXED[name] for name in ("Event", "Problem")},
        },
    }  # fmt: skip


def _channels(events: Iterable[EventType]) -> Iterable[tuple[str, Document]]:
    every = {event.name: _ref("components", "messages", event.name) for event in events}
    yield from contract.channels(_ref("servers", "stream"), _ref("servers", "http")).items()
    for event in events:
        messages = {event.name: every[event.name]}
        yield (
            f"webhook.{event.name}",
            {"address": None, "title": event.summary, "servers": [_ref("servers", "receiver")], "messages": messages},
        )
        for way in ("out", *(("in",) if event.open else ())):
            address = f"crosstie.{way}.{event.name}"
            yield (
                address,
                {
                    "address": address,
                    "title": event.summary,
                    "servers": [_ref("servers", "nats"), _ref("servers", "rabbitmq")],
                    "messages": messages,
                    "bindings": {
                        "amqp": {
                            "is": "routingKey",
                            "exchange": {"name": f"crosstie.{way}", "type": "topic", "durable": True},
                        }
                    },
                },
            )


def _operations(events: Iterable[EventType]) -> Iterable[tuple[str, Document]]:
    yield "stream", _operation("send", "stream", "Events of the topics that a client subscribed to.", contract.SAID)
    yield "stream.order", _operation("receive", "stream", "What a client wants to hear of.", contract.ASKED)
    yield "stream.sse", _operation("send", "stream.sse", "Events of the topics in the query.", contract.SAID)
    for event in events:
        name, summary = event.name, event.summary
        deliver = _operation("send", f"webhook.{name}", summary, [name])
        yield f"webhook.{name}", deliver | {"bindings": {"http": {"method": "POST"}}}
        yield f"publish.{name}", _operation("send", f"crosstie.out.{name}", summary, [name])
        if event.open:
            yield f"consume.{name}", _operation("receive", f"crosstie.in.{name}", summary, [name])


def _operation(action: str, channel: str, summary: str, messages: Iterable[str]) -> Document:
    return {
        "action": action,
        "channel": _ref("channels", channel),
        "summary": summary,
        "messages": [_ref("channels", channel, "messages", name) for name in messages],
    }


def _message(event: EventType) -> Document:
    payload = {"allOf": [_ref("components", "schemas", "Event"), {"properties": {"data": event.data_schema}}]}
    headers = {name: {"type": "string", "description": doc} for name, doc in HEADERS.items()}
    return {
        "name": event.name,
        "title": event.name,
        "summary": event.summary,
        "contentType": "application/json",
        "headers": {"type": "object", "properties": headers},
        "payload": payload,
        "examples": [{"name": event.name, "payload": envelope_example(event)}],
        "x-crosstie-producers": event.producers,
        "x-crosstie-consumers": event.consumers,
    } | ({"deprecated": True} if event.deprecated else {})


def _ref(*path: str) -> Document:
    return {"$ref": "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)}
