"""Inventory service: stock, movements and reservations."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import answered, ask, listed, one_of, own, rows, sent
from crosstie.contracts.fact import amount, either, flag, id, many, moment, words
from crosstie.declare.event import EventType
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Queued, Service, Stale

fact = partial(facts.fact, producers=("inventory",), consumers=("erp",))
_LEVEL = (
    id("item_id"), amount("stock_level", 100), id("warehouse_id"), words("sku", "PIPE-22"), amount("on_hand", 100),
    amount("available", 90), amount("reserved", 10),
)  # fmt: skip
_RESERVATION = (
    id("reservation_id", required=True), id("order_id"), many("items", {"sku": "PIPE-22", "quantity": 2}),
    moment("expires_at"), words("status", "confirmed"),
)  # fmt: skip
_REFUSED = (words("code", "out_of_stock"), words("reason", "Too few are left.", required=True))


def level(name: str, summary: str) -> EventType:
    """The guide names the item, its level and the warehouse; the service itself the SKU and what is on hand."""
    made = fact(name, summary, *_LEVEL, subject="inventory_item")
    return either(made, ("item_id", "stock_level", "warehouse_id"), ("item_id", "on_hand"), ("sku", "on_hand"))


EVENTS = (
    level("inventory.stock.updated", "The stock of an item changed at a warehouse."),
    level("inventory.stock.low", "The stock of an item fell below what must be there."),
    level("inventory.stock.out", "Nothing is left of an item."),
    either(
        fact(
            "inventory.stock.consumed", "Stock was used up.",
            id("item_id"), words("sku", "PIPE-22"), amount("quantity", 4), words("reference", "WO-7"),
            id("warehouse_id"),
            subject="inventory_item",
        ),
        ("item_id",), ("sku",),
    ),
    fact(
        "inventory.movement.recorded", "A stock movement was recorded.",
        id("movement_id", required=True), id("item_id"), words("type", "purchase"), amount("quantity", 5),
        id("from_warehouse_id"), id("to_warehouse_id"), words("reference", "PO-1"),
        subject="inventory_movement",
    ),
    fact(
        "inventory.movement.rejected", "A stock movement was refused.",
        words("reference", "PO-1", required=True), *_REFUSED, id("item_id"), amount("quantity", 5),
        subject="inventory_reference",
    ),
    fact("inventory.reservation.created", "Stock was reserved.", *_RESERVATION, subject="inventory_reservation"),
    fact("inventory.reservation.confirmed", "A reservation holds.", *_RESERVATION, subject="inventory_reservation"),
    fact(
        "inventory.reservation.released", "A reservation was given up.", *_RESERVATION[:-1],
        words("status", "released"), subject="inventory_reservation",
    ),
    fact(
        "inventory.reservation.rejected", "Stock could not be reserved for an order.",
        id("order_id", required=True), *_REFUSED, many("missing", {"sku": "PIPE-22", "quantity": 2}), subject="order",
    ),
)  # fmt: skip

_STOCK = (
    amount("on_hand", 100, required=True), amount("available", 90, required=True), amount("reserved", 10, required=True)
)  # fmt: skip
_WANTED = sent(id("item_id"), words("sku", "PIPE-22"), amount("quantity", 2, required=True))
_RESERVED = answered(
    own("reservation-uuid"), id("order_id", required=True),
    one_of("status", "confirmed", "pending", "released", "consumed", required=True),
    rows("items", answered(words("sku", "PIPE-22"), amount("quantity", 2)), required=False),
    id("warehouse_id"), moment("expires_at", "2030-12-05T10:30:00Z"),
)  # fmt: skip

SERVICE = Service(
    "inventory",
    "Stock, movements and warehouses.",
    (
        Operation(
            "get_stock", "GET", "/items/{id}/stock", "How much of an item there is, in all and by warehouse.",
            answered(
                id("item_id", required=True), words("sku", "PIPE-22"), *_STOCK, words("unit_of_measure", "piece"),
                rows("warehouses", answered(id("warehouse_id", required=True), *_STOCK), required=False),
                moment("updated_at"),
            ),
            asks=(
                ask(own("item-uuid"), "The item's id or SKU."),
                ask(id("warehouse_id"), "One warehouse only."),
            ),
            fallback=Stale(3600),
            cached=Cached(30, ("inventory.stock.*", "inventory.movement.*", "inventory.reservation.*")),
        ),
        Operation(
            "record_movement", "POST", "/movements", "Record that stock came, went or moved.",
            answered(own("movement-uuid"), words("status", "recorded", required=True), *_STOCK),
            sent(
                id("item_id", required=True), words("sku", "PIPE-22"),
                one_of("type", "receipt", "issue", "transfer", "return", required=True),
                amount("quantity", 5, required=True), id("from_warehouse_id"), id("to_warehouse_id"),
                words("reference_type", "purchase_order"), id("reference_id"), moment("moved_at"),
                words("notes", "two boxes"),
            ),
            status=201, fallback=Queued(),
        ),
        Operation(
            "record_adjustment", "POST", "/adjustments", "Correct the stock of an item.",
            answered(
                own("adjustment-uuid"), amount("quantity_before", 100), amount("quantity_change", -2),
                amount("quantity_after", 98), *_STOCK,
            ),
            sent(
                id("item_id"), words("sku", "PIPE-22", required=True), id("warehouse_id"),
                amount("adjustment", -2, required=True), words("reason", "damaged", required=True),
                words("reference", "COUNT-7"), words("notes", "bent in transport"), id("adjusted_by"),
            ),
            status=201, fallback=Queued(),
        ),
        Operation(
            "create_reservation", "POST", "/reservations", "Reserve what an order needs: everything or nothing.",
            _RESERVED,
            sent(
                id("order_id", required=True), rows("items", _WANTED), id("warehouse_id"),
                moment("expires_at", "2030-12-05T10:30:00Z"),
            ),
            status=201, fallback=Queued(), found_by="find_reservation",
        ),
        Operation(
            "find_reservation", "GET", "/reservations/by-order/{order_id}", "Find what is reserved for an order.",
            _RESERVED, asks=(ask(id("order_id"), "Which order."),),
        ),
        Operation(
            "list_warehouses", "GET", "/warehouses", "List warehouses.",
            listed(
                "warehouses", own("warehouse-uuid"), words("name", "Nairobi"), words("code", "NBO", required=True),
                words("address", "Enterprise Road 4"), amount("latitude", -1.3), amount("longitude", 36.8),
                flag("is_default", example=True), flag("is_active", example=True), id("outlet_id"),
            ),
            fallback=Stale(604_800), cached=Cached(3600),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.inventory", "The inventory service.", events=EVENTS, services=(SERVICE,))
