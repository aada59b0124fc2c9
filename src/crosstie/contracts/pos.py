"""Point-of-sale service: orders, sales and payments at the till."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, currency, either, id, many, moment, words
from crosstie.declare.module import Module

fact = partial(facts.fact, producers=("pos",), consumers=("erp",))
_ORDER = (
    id("pos_order_id"), id("outlet_id"), many("lines", {"sku": "PIPE-22", "quantity": 1, "unit_price": 450.0}),
    amount("total", 450.0), currency(), many("payments", {"method": "cash", "amount": 450.0}),
)  # fmt: skip
#: the service calls its own id `order_id`, the guide's entity `pos_order_id`: either will do
_EITHER = (("pos_order_id",), ("order_id",))

EVENTS = (
    either(fact("pos.order.created", "An order was made at a till.", *_ORDER, subject="pos_order"), *_EITHER),
    either(fact("pos.sale.finalized", "A sale was completed at a till.", *_ORDER, subject="pos_order"), *_EITHER),
    fact(
        "pos.payment.recorded", "A payment was taken at a till.",
        id("payment_id", required=True), id("order_id"), amount("amount", 450.0), currency(), words("method", "cash"),
        subject="pos_payment",
    ),
    fact(
        "pos.drawer.closed", "The drawer of a till was counted and closed.",
        id("drawer_id", required=True), id("outlet_id"), amount("expected", 9000.0), amount("counted", 8990.0),
        currency(), moment("closed_at"),
        subject="pos_drawer",
    ),
    fact(
        "pos.product.rejected", "A product of the catalogue was not taken over.",
        id("product_id", required=True), words("code", "tax_code_unknown"),
        words("reason", "There is no such tax code.", required=True),
        subject="product",
    ),
)  # fmt: skip
MODULE = Module("contracts.pos", "Events of the point-of-sale service.", events=EVENTS)
