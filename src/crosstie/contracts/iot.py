"""IoT service: telemetry and alerts of devices."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import ask, listed, own, paged
from crosstie.contracts.fact import Part, amount, id, moment, words
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Service, Stale

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

SERVICE = Service(
    "iot",
    "What devices measure.",
    (
        Operation(
            "get_telemetry", "GET", "/devices/{id}/telemetry", "The measurements of a device, newest first.",
            listed(
                "readings", words("metric", "temperature", required=True), _VALUE, words("unit", "C"),
                moment("measured_at", required=True),
            ),
            asks=(
                ask(own("device-uuid"), "The device's id."),
                ask(words("metric", "temperature"), "One metric only."),
                ask(moment("from", "2024-12-05T00:00:00Z"), "From then on."),
                ask(moment("to", "2024-12-06T00:00:00Z"), "Until then."),
                ask(words("interval", "5m"), "One value per so long, such as 5m or 1h."),
                *paged(),
            ),
            fallback=Stale(3600), cached=Cached(10, ("iot.telemetry.received",)),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.iot", "The IoT service.", events=EVENTS, services=(SERVICE,))
