"""Logistics service: shipments."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import answered, ask, own, sent
from crosstie.contracts.fact import amount, flag, id, many, moment, thing, words
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Queued, Service, Stale

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

SERVICE = Service(
    "logistics",
    "Shipments and where they are.",
    (
        Operation(
            "create_shipment", "POST", "/shipments", "Have an order shipped.",
            answered(
                own("shipment-uuid"), words("tracking_code", "SHIP-2024-17", required=True),
                words("status", "created", required=True), id("order_id"), words("carrier", "Rider Express"),
            ),
            sent(
                id("order_id", required=True), thing("ship_to", {"name": "Otieno", "city": "Kisumu"}),
                many("parcels", {"weight_kg": 2.5}), id("warehouse_id"), words("shipment_type", "parcel"),
                id("source_facility_id"), id("destination_facility_id"), amount("temperature_min", 2),
                amount("temperature_max", 8), many("handling", "fragile"), words("seal_number", "S-4411"),
                moment("planned_dispatch_at"), words("external_reference", "SO-1042"),
            ),
            status=201, fallback=Queued(),
        ),
        Operation(
            "get_tracking", "GET", "/shipments/{id}/tracking", "Where a shipment is, and where it has been.",
            answered(
                words("tracking_code", "SHIP-2024-17", required=True), words("status", "in_transit", required=True),
                many("status_history", {"status": "created", "at": "2024-12-05T10:30:00Z", "place": "Nairobi"}),
                moment("estimated_delivery_at"), thing("proof", {"signed_by": "Achieng"}),
                thing("rider", {"name": "Kamau"}), thing("pickup", {"city": "Nairobi"}),
                thing("dropoff", {"city": "Kisumu"}), flag("live", example=True),
            ),
            asks=(ask(own("shipment-uuid"), "The shipment's id."),),
            fallback=Stale(3600),
            cached=Cached(30, ("logistics.shipment.*",)),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.logistics", "The logistics service.", events=EVENTS, services=(SERVICE,))
