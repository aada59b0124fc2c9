"""Point-of-sale service: orders, sales and payments at the till."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import answered, ask, listed, money, own, paged, rows, sent
from crosstie.contracts.fact import amount, count, currency, either, flag, id, many, moment, thing, words
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Queued, Service, Stale

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

_LINE = sent(
    id("catalog_item_id"), words("sku", "PIPE-22"), words("name", "Pipe 22 mm"), amount("quantity", 1, required=True),
    amount("unit_price", 450.0, required=True), amount("total_price", 450.0), words("tax_code", "VAT16"),
    amount("tax_amount", 62.07),
)  # fmt: skip

SERVICE = Service(
    "pos",
    "What tills sell, and their orders.",
    (
        Operation(
            "list_products", "GET", "/products", "List the products that tills sell.",
            listed(
                "products", own("product-uuid"), words("sku", "PIPE-22", required=True), words("name", "Pipe 22 mm"),
                money("price", "450.00"), currency(), words("tax_code", "VAT16"), words("barcode", "6001234567890"),
                flag("active", example=True), count("version", 7),
            ),
            asks=(*paged(), ask(count("since_version", 6), "Only what changed after this version.")),
            fallback=Stale(), cached=Cached(300, ("erp.product.updated",)),
        ),
        Operation(
            "create_order", "POST", "/orders", "Record an order of a till.",
            answered(
                own("pos-order-uuid"), words("order_number", "T1-0042"), words("status", "open", required=True),
                money("total", "450.00", required=True), currency(),
            ),
            sent(
                id("outlet_id", required=True), id("device_id"), words("order_number", "T1-0042"),
                words("client_reference", "till-1-42"), currency(required=True),
                rows("lines", _LINE),
                words("order_subtype", "retail"), words("customer_name", "Achieng"),
                words("customer_phone", "+254712345678"), amount("discount", 0), words("status", "open"),
                moment("ordered_at"), thing("metadata", {}),
            ),
            status=201, fallback=Queued(),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.pos", "The point-of-sale service.", events=EVENTS, services=(SERVICE,))
