"""The event that a provider's own message becomes."""

from __future__ import annotations

from typing import Any

from crosstie.declare.catalogue import SAMPLE_ID, SAMPLE_TIME
from crosstie.declare.event import EventType
from crosstie.deliver.inbound.dialect import DIALECTS

NAME = "inbound.received"
_TEXT: dict[str, Any] = {"type": "string"}
_PERHAPS: dict[str, Any] = {"type": ["string", "null"]}
RECEIVED = EventType(
    NAME,
    "A webhook came in that speaks its sender's own form.",
    {
        "type": "object",
        "properties": {
            "inbound_request_id": _TEXT | {"format": "uuid"},
            "source_id": _TEXT | {"format": "uuid"},
            "source": _TEXT | {"description": "The name of the source."},
            "dialect": {"enum": list(DIALECTS)},
            "provider_event_id": _PERHAPS | {"description": "What the sender calls the event."},
            "provider_event_type": _PERHAPS | {"description": "What kind of event the sender says it is."},
            "received_at": _TEXT | {"format": "date-time"},
            "headers": {"type": "object", "description": "Those of the sender's headers that mean something."},
            "body": {"description": "JSON as it came; the fields of a form; else the text."},
            "confirmation": {"type": ["object", "null"], "description": "What the provider said when it was asked."},
        },
        "required": [
            "inbound_request_id", "source_id", "source", "dialect", "provider_event_id", "provider_event_type",
            "received_at", "headers", "body", "confirmation",
        ],
        "additionalProperties": True,
    },
    {
        "inbound_request_id": SAMPLE_ID,
        "source_id": SAMPLE_ID,
        "source": "Payments",
        "dialect": "stripe",
        "provider_event_id": "evt_1Pgafz",
        "provider_event_type": "payment_intent.succeeded",
        "received_at": SAMPLE_TIME,
        "headers": {},
        "body": {"id": "evt_1Pgafz", "type": "payment_intent.succeeded", "data": {"object": {"amount": 120000}}},
        "confirmation": None,
    },
    direction="in",
    personal=("body",),
)  # fmt: skip
