"""Logistics service: shipments."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import id, moment, thing, words
from crosstie.declare.module import Module

fact = partial(facts.fact, producers=("logistics",), consumers=("erp",))
_SHIPMENT = (
    id("shipment_id", required=True), id("order_id"), words("tracking_code", "SHIP-2024-17"),
    words("carrier", "Rider Express"),
)  # fmt: skip
_REFUSED = (words("code", "address_unknown"), words("reason", "Nobody lives there.", required=True))

EVENTS = (
    fact("logistics.shipment.created", "A shipment was made.", *_SHIPMENT, subject="logistics_shipment"),
    fact(
        "logistics.shipment.delivered", "A shipment was delivered.",
        *_SHIPMENT, moment("delivered_at"), thing("proof", {"signed_by": "Achieng"}),
        subject="logistics_shipment", personal=("proof",),
    ),
    fact(
        "logistics.shipment.failed", "A shipment could not be delivered.", *_SHIPMENT, *_REFUSED,
        subject="logistics_shipment",
    ),
    fact(
        "logistics.shipment.rejected", "No shipment was made for an order.",
        id("order_id", required=True), *_REFUSED, subject="order",
    ),
)  # fmt: skip
MODULE = Module("contracts.logistics", "Events of the logistics service.", events=EVENTS)
