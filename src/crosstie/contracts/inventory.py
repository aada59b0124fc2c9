"""Inventory service: stock, movements and reservations."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, either, id, many, moment, words
from crosstie.declare.event import EventType
from crosstie.declare.module import Module

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
MODULE = Module("contracts.inventory", "Events of the inventory service.", events=EVENTS)
