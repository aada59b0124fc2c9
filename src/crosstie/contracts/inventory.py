"""Inventory service: stock, movements and reservations."""

from __future__ import annotations

from crosstie.contracts.fact import amount, fact, id, many, moment, words
from crosstie.declare.module import Module

EVENTS = (
    fact(
        "inventory.stock.updated", "The stock of an item changed at a warehouse.",
        id("item_id", required=True), amount("stock_level", 100, required=True), id("warehouse_id", required=True),
        words("sku", "PIPE-22"), amount("available", 90), amount("reserved", 10),
        subject="inventory_item",
    ),
    fact(
        "inventory.movement.recorded", "A stock movement was recorded.",
        id("movement_id", required=True), id("item_id"), words("type", "purchase"), amount("quantity", 5),
        id("from_warehouse_id"), id("to_warehouse_id"), words("reference", "PO-1"),
        subject="inventory_movement",
    ),
    fact(
        "inventory.reservation.created", "Stock was reserved.",
        id("reservation_id", required=True), id("order_id"), many("items", {"sku": "PIPE-22", "quantity": 2}),
        moment("expires_at"), words("status", "confirmed"),
        subject="inventory_reservation",
    ),
)  # fmt: skip
MODULE = Module("contracts.inventory", "Events of the inventory service.", events=EVENTS)
