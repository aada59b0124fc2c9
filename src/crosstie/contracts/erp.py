"""The ERP's own events, which the partner services wait for. Open: the ERP may be an outside one."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, count, currency, flag, id, many, moment, thing, words
from crosstie.declare.module import Module

fact = partial(facts.fact, direction="out", producers=("erp",))
_LINE = {"item_id": "item-uuid", "sku": "PIPE-22", "quantity": 2, "unit_price": 450.0}
_WORK_ORDER = (
    id("work_order_id", required=True), id("product_id"), amount("planned_quantity", 50), amount("actual_quantity", 48),
    many("materials", {"item_id": "item-uuid", "quantity": 4}), id("warehouse_id"),
)  # fmt: skip
_EXPENSE = (
    id("expense_id", required=True), id("employee_id"), id("project_id"), amount("amount", 1500.0), currency(),
    words("category", "travel"),
)  # fmt: skip
_LEAVE = (
    id("leave_id", required=True), id("employee_id"), words("type", "annual"), moment("from", "2024-12-20"),
    moment("to", "2024-12-24"), amount("days", 3), id("approver_id"),
)  # fmt: skip

EVENTS = (
    fact(
        "erp.opportunity.won", "An opportunity was won: an invoice follows.",
        id("opportunity_id", required=True), id("customer_id", required=True),
        amount("amount", 10000.0, required=True), currency(required=True),
        subject="opportunity", consumers=("treasury",),
    ),
    fact(
        "erp.purchase_order.received", "The goods of a purchase order came in: a bill and stock follow.",
        id("purchase_order_id", required=True), id("vendor_id", required=True),
        amount("total_amount", 5000.0, required=True), currency(required=True),
        subject="purchase_order", consumers=("treasury", "inventory"),
    ),
    fact(
        "erp.payroll.processed", "A payroll was processed: payments follow.",
        id("payroll_id", required=True), words("period", "2024-12", required=True),
        amount("total_amount", 50000.0, required=True), count("employee_count", 10, required=True), currency(),
        subject="payroll", consumers=("treasury", "notifications"),
    ),
    fact(
        "erp.payroll.reversed", "A payroll was taken back: payments that wait are stopped.",
        id("payroll_id", required=True), words("period", "2024-12"), amount("total_amount", 50000.0), currency(),
        words("reason", "wrong rates"),
        subject="payroll", consumers=("treasury",),
    ),
    fact(
        "erp.leave.requested", "An employee asked for leave.", *_LEAVE,
        subject="leave", consumers=("notifications",),
    ),
    fact("erp.leave.approved", "Leave was granted.", *_LEAVE, subject="leave", consumers=("notifications",)),
    fact(
        "erp.leave.rejected", "Leave was refused.", *_LEAVE, words("reason", "The team is too small that week."),
        subject="leave", consumers=("notifications",),
    ),
    fact(
        "erp.order.created", "An order was made: stock is reserved.",
        id("order_id", required=True), id("customer_id"), currency(), amount("total_amount", 900.0),
        many("lines", _LINE), id("warehouse_id"),
        subject="order", consumers=("inventory", "notifications"),
    ),
    fact(
        "erp.campaign.sent", "A campaign was sent.",
        id("campaign_id", required=True), words("channel", "email"), count("recipient_count", 1200),
        words("template", "december-offer"),
        subject="campaign", consumers=("notifications",),
    ),
    fact(
        "erp.lead.qualified", "A lead was qualified.",
        id("lead_id", required=True), thing("contact", {"name": "Otieno", "email": "otieno@example.com"}),
        amount("value", 75000.0), id("owner_id"),
        subject="lead", consumers=("notifications",), personal=("contact",),
    ),
    fact(
        "erp.purchase_order.created", "A purchase order was made.",
        id("purchase_order_id", required=True), id("vendor_id"), many("lines", _LINE), amount("total_amount", 5000.0),
        currency(), moment("expected_date", "2024-12-12"),
        subject="purchase_order", consumers=("notifications",),
    ),
    fact(
        "erp.work_order.started", "A work order began: it uses materials.", *_WORK_ORDER,
        subject="work_order", consumers=("inventory",),
    ),
    fact(
        "erp.work_order.completed", "A work order is done: goods go to stock.", *_WORK_ORDER,
        subject="work_order", consumers=("inventory", "notifications"),
    ),
    fact(
        "erp.expense.approved", "An expense was approved: treasury records it.", *_EXPENSE,
        subject="expense", consumers=("treasury",),
    ),
    fact(
        "erp.expense_claim.approved", "An employee's claim was approved: treasury records it.", *_EXPENSE,
        subject="expense", consumers=("treasury",),
    ),
    fact(
        "erp.expense.created", "An expense was made: its project tracks it.", *_EXPENSE,
        subject="expense", consumers=("projects",),
    ),
    fact(
        "erp.order.fulfilled", "An order is ready for shipping.",
        id("order_id", required=True), thing("ship_to", {"name": "Otieno", "city": "Kisumu"}),
        many("parcels", {"weight_kg": 2.5}), id("warehouse_id"),
        subject="order", consumers=("logistics",), personal=("ship_to",),
    ),
    fact(
        "erp.product.updated", "A product of the catalogue changed.",
        id("product_id", required=True), words("sku", "PIPE-22"), words("name", "Pipe 22 mm"), amount("price", 450.0),
        currency(), words("tax_code", "VAT16"), flag("active", example=True), count("catalogue_version", 7),
        subject="product", consumers=("pos",),
    ),
    fact(
        "erp.email.requested", "A message shall be sent.",
        id("message_id", required=True), many("to", "otieno@example.com"), words("template", "december-offer"),
        thing("data", {"name": "Otieno"}),
        subject="message", consumers=("notifications",), personal=("to", "data"),
    ),
    fact(
        "erp.tax.assessed", "The tax of a document was worked out.",
        id("document_id", required=True), words("document_type", "invoice"), words("period", "2024-12"),
        words("tax_code", "VAT16"), amount("taxable", 10000.0), amount("tax", 1600.0), currency(),
        subject="tax_document", consumers=("treasury",),
    ),
    fact(
        "erp.tax.period_closed", "A tax period is closed: its return is due.",
        id("tax_return_id", required=True), words("period", "2024-12"), words("tax_type", "VAT"),
        amount("tax_due", 48000.0), currency(), moment("due_on", "2025-01-20"),
        subject="tax_return", consumers=("treasury",),
    ),
    fact(
        "erp.resource.requested", "A project asked for people or things.",
        id("allocation_id", required=True), id("project_id"), id("resource_id"), words("role", "electrician"),
        amount("share", 0.5), moment("from", "2024-12-09"), moment("to", "2024-12-20"),
        subject="allocation", consumers=("projects",),
    ),
)  # fmt: skip
MODULE = Module("contracts.erp", "Events of the ERP.", events=EVENTS)
