"""The ERP's own events, which the partner services wait for. Open: the ERP may be an outside one."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, count, currency, flag, id, many, moment, thing, words
from crosstie.declare.module import Module

fact = partial(facts.fact, direction="out")
_LINE = {"item_id": "item-uuid", "sku": "PIPE-22", "quantity": 2, "unit_price": 450.0}
_WORK_ORDER = (
    id("work_order_id", required=True), id("product_id"), amount("planned_quantity", 50), amount("actual_quantity", 48),
    many("materials", {"item_id": "item-uuid", "quantity": 4}), id("warehouse_id"),
)  # fmt: skip
_EXPENSE = (
    id("expense_id", required=True), id("employee_id"), id("project_id"), amount("amount", 1500.0), currency(),
    words("category", "travel"),
)  # fmt: skip

EVENTS = (
    fact(
        "erp.opportunity.won", "An opportunity was won: an invoice follows.",
        id("opportunity_id", required=True), id("customer_id", required=True),
        amount("amount", 10000.0, required=True), currency(required=True),
        subject="opportunity",
    ),
    fact(
        "erp.purchase_order.received", "The goods of a purchase order came in: a bill and stock follow.",
        id("purchase_order_id", required=True), id("vendor_id", required=True),
        amount("total_amount", 5000.0, required=True), currency(required=True),
        subject="purchase_order",
    ),
    fact(
        "erp.payroll.processed", "A payroll was processed: payments follow.",
        id("payroll_id", required=True), words("period", "2024-12", required=True),
        amount("total_amount", 50000.0, required=True), count("employee_count", 10, required=True), currency(),
        subject="payroll",
    ),
    fact(
        "erp.leave.requested", "An employee asked for leave.",
        id("leave_id", required=True), id("employee_id"), words("type", "annual"), moment("from", "2024-12-20"),
        moment("to", "2024-12-24"), amount("days", 3), id("approver_id"),
        subject="leave",
    ),
    fact(
        "erp.order.created", "An order was made: stock is reserved.",
        id("order_id", required=True), id("customer_id"), currency(), amount("total_amount", 900.0),
        many("lines", _LINE), id("warehouse_id"),
        subject="order",
    ),
    fact(
        "erp.campaign.sent", "A campaign was sent.",
        id("campaign_id", required=True), words("channel", "email"), count("recipient_count", 1200),
        words("template", "december-offer"),
        subject="campaign",
    ),
    fact(
        "erp.lead.qualified", "A lead was qualified.",
        id("lead_id", required=True), thing("contact", {"name": "Otieno", "email": "otieno@example.com"}),
        amount("value", 75000.0), id("owner_id"),
        subject="lead", personal=("contact",),
    ),
    fact(
        "erp.purchase_order.created", "A purchase order was made.",
        id("purchase_order_id", required=True), id("vendor_id"), many("lines", _LINE), amount("total_amount", 5000.0),
        currency(), moment("expected_date", "2024-12-12"),
        subject="purchase_order",
    ),
    fact("erp.work_order.started", "A work order began: it uses materials.", *_WORK_ORDER, subject="work_order"),
    fact("erp.work_order.completed", "A work order is done: goods go to stock.", *_WORK_ORDER, subject="work_order"),
    fact("erp.expense.approved", "An expense was approved: treasury records it.", *_EXPENSE, subject="expense"),
    fact("erp.expense.created", "An expense was made: its project tracks it.", *_EXPENSE, subject="expense"),
    fact(
        "erp.order.fulfilled", "An order is ready for shipping.",
        id("order_id", required=True), thing("ship_to", {"name": "Otieno", "city": "Kisumu"}),
        many("parcels", {"weight_kg": 2.5}), id("warehouse_id"),
        subject="order", personal=("ship_to",),
    ),
    fact(
        "erp.product.updated", "A product of the catalogue changed.",
        id("product_id", required=True), words("sku", "PIPE-22"), words("name", "Pipe 22 mm"), amount("price", 450.0),
        currency(), words("tax_code", "VAT16"), flag("active", example=True), count("catalogue_version", 7),
        subject="product",
    ),
)  # fmt: skip
MODULE = Module("contracts.erp", "Events of the ERP.", events=EVENTS)
