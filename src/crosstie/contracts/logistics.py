"""Logistics service: shipments."""

from __future__ import annotations

from crosstie.contracts.fact import fact, id, moment, thing, words
from crosstie.declare.module import Module

_SHIPMENT = (
    id("shipment_id", required=True), id("order_id"), words("tracking_code", "SHIP-2024-17"),
    words("carrier", "Rider Express"),
)  # fmt: skip

EVENTS = (
    fact("logistics.shipment.created", "A shipment was made.", *_SHIPMENT, subject="logistics_shipment"),
    fact(
        "logistics.shipment.delivered", "A shipment was delivered.",
        *_SHIPMENT, moment("delivered_at"), thing("proof", {"signed_by": "Achieng"}),
        subject="logistics_shipment", personal=("proof",),
    ),
)  # fmt: skip
MODULE = Module("contracts.logistics", "Events of the logistics service.", events=EVENTS)
