"""Treasury service: invoices, payments and bills."""

from __future__ import annotations

from crosstie.contracts.fact import amount, currency, fact, id, words
from crosstie.declare.module import Module

EVENTS = (
    fact(
        "treasury.invoice.created", "An invoice was made.",
        id("invoice_id", required=True), id("opportunity_id"), words("status", "sent", required=True),
        subject="treasury_invoice",
    ),
    fact(
        "treasury.payment.processed", "A payment was processed.",
        id("payment_id", required=True), words("reference_type", "invoice"), id("reference_id"),
        amount("amount", 10000.0), currency(), words("status", "succeeded"), words("method", "mpesa"),
        subject="treasury_payment",
    ),
    fact(
        "treasury.bill.created", "A bill was made.",
        id("bill_id", required=True), id("purchase_order_id"), words("status", "pending"), amount("total", 5000.0),
        subject="treasury_bill",
    ),
)  # fmt: skip
MODULE = Module("contracts.treasury", "Events of the treasury service.", events=EVENTS)
