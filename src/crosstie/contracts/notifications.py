"""Notifications service: the only one that sends messages to people."""

from __future__ import annotations

from crosstie.contracts.call import answered, one_of, own, sent
from crosstie.contracts.fact import Part, many, thing, words
from crosstie.declare.catalogue import SAMPLE_ID
from crosstie.declare.module import Module
from crosstie.declare.service import Operation, Queued, Service

_TO = Part("to", {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "string", "minLength": 1,
           "maxLength": 320}}, ["wanjiku@example.com"], required=True)  # fmt: skip
#: a document or photo of the tenant by its id; services of others take files by address, too
_FILES = Part(
    "attachments",
    {
        "type": "array", "maxItems": 10,
        "items": {
            "type": "object", "additionalProperties": False, "minProperties": 1,
            "properties": {
                "document_id": {"type": "string", "format": "uuid"}, "media_id": {"type": "string", "format": "uuid"},
                "name": {"type": "string", "maxLength": 200}, "url": {"type": "string", "maxLength": 2000},
            },
        },
    },
    [{"document_id": SAMPLE_ID}],
)  # fmt: skip

SERVICE = Service(
    "notifications",
    "Messages to people: by e-mail, SMS, WhatsApp, push, in the app, or to a webhook.",
    (
        Operation(
            "send_message", "POST", "/messages", "Send a message.",
            answered(own("message-uuid", "request_id"), one_of("status", "queued", "duplicate", required=True)),
            sent(
                one_of("channel", "email", "sms", "whatsapp", "push", "in_app", "webhook", required=True),
                words("template", "order-confirmation", required=True), words("locale", "en"), _TO,
                many("cc", "otieno@example.com"), thing("data", {"order_number": "SO-1042"}),
                thing("metadata", {"subject": "Your order", "source_service": "erp", "reference": "SO-1042"}),
                _FILES,
            ),
            status=202, fallback=Queued(), files=("attachments",),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.notifications", "The notifications service.", services=(SERVICE,))
