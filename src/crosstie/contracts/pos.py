"""Point-of-sale service: orders at the till."""

from __future__ import annotations

from dataclasses import replace

from crosstie.contracts.fact import amount, currency, fact, id, many
from crosstie.declare.module import Module

_CREATED = fact(
    "pos.order.created", "An order was made at a till.",
    id("pos_order_id"), id("outlet_id"), many("lines", {"sku": "PIPE-22", "quantity": 1, "unit_price": 450.0}),
    amount("total", 450.0), currency(), many("payments", {"method": "cash", "amount": 450.0}),
    subject="pos_order",
)  # fmt: skip
#: the service calls its own id `order_id`, the guide's entity `pos_order_id`: either will do
_EITHER = [{"required": ["pos_order_id"]}, {"required": ["order_id"]}]

EVENTS = (replace(_CREATED, data_schema=_CREATED.data_schema | {"anyOf": _EITHER}),)
MODULE = Module("contracts.pos", "Events of the point-of-sale service.", events=EVENTS)
