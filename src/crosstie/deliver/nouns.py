"""What delivery declares: webhook endpoints with the event that warns of a disabled one, and what comes in."""

from __future__ import annotations

from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.event import EventType
from crosstie.declare.field import Field
from crosstie.declare.module import Module
from crosstie.declare.shape import Shape
from crosstie.deliver import verbs
from crosstie.deliver.broker.roster import brokers
from crosstie.deliver.endpoint import ENDPOINTS
from crosstie.deliver.inbound.event import RECEIVED
from crosstie.deliver.inbound.request import INBOUND_REQUESTS
from crosstie.deliver.inbound.source import INBOUND_SOURCES

_DISABLED = (
    Field(kinds.Id(), name="webhook_endpoint_id", doc="The endpoint."),
    Field(kinds.Text(2000, format="uri"), name="url", doc="Its address."),
    Field(kinds.Text(), name="reason", doc="Why it was disabled."),
)
AUTO_DISABLED = EventType(
    "webhook_endpoint.auto_disabled",
    "Crosstie disabled an endpoint that is gone or kept failing.",
    Shape(_DISABLED).schema(output=True),
    {field.name: example(field) for field in _DISABLED},
    subject="webhook_endpoint",
    subject_field="webhook_endpoint_id",
)
_TEST = (
    Field(kinds.Id(), name="webhook_endpoint_id", doc="The endpoint."),
    Field(kinds.Text(), name="message", doc="What the test says."),
)
TEST = EventType(
    verbs.TEST,
    "A test of one endpoint; it goes there alone.",
    Shape(_TEST).schema(output=True),
    {field.name: example(field) for field in _TEST},
    subject="webhook_endpoint",
    subject_field="webhook_endpoint_id",
)
MODULE = Module(
    "deliver",
    "Webhooks out and in.",
    resources=(ENDPOINTS, INBOUND_SOURCES, INBOUND_REQUESTS),
    tables=(brokers,),
    events=(AUTO_DISABLED, TEST, RECEIVED),
)
