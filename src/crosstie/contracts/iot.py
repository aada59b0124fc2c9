"""IoT service: telemetry and alerts of devices."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import Part, amount, id, moment, words
from crosstie.declare.module import Module

fact = partial(facts.fact, producers=("iot",), consumers=("erp",))
_VALUE = Part("value", {"type": ["number", "string", "boolean", "null"]}, 21.5)

EVENTS = (
    fact(
        "iot.telemetry.received", "A device sent a measurement.",
        id("device_id", required=True), words("metric", "temperature"), _VALUE, words("unit", "C"),
        moment("measured_at"),
        subject="iot_device",
    ),
    fact(
        "iot.alert.triggered", "A device's measurement broke a rule.",
        id("alert_id", required=True), id("device_id"), words("severity", "critical"), words("rule", "above 30"),
        _VALUE, amount("limit", 30),
        subject="iot_alert",
    ),
)  # fmt: skip
MODULE = Module("contracts.iot", "Events of the IoT service.", events=EVENTS)
