"""What delivery declares: webhook endpoints, and the event that warns of one that was disabled."""

from __future__ import annotations

from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.event import EventType
from crosstie.declare.field import Field
from crosstie.declare.module import Module
from crosstie.declare.shape import Shape
from crosstie.deliver import verbs
from crosstie.deliver.endpoint import ENDPOINTS

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
MODULE = Module("deliver", "Webhook endpoints.", resources=(ENDPOINTS,), events=(AUTO_DISABLED, TEST))
