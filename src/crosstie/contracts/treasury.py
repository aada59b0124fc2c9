"""Treasury service: invoices, bills, payments, expenses, tax returns; what it does and what it refuses."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, currency, id, moment, words
from crosstie.declare.module import Module

fact = partial(facts.fact, producers=("treasury",), consumers=("erp",))
_REFUSED = (words("code", "customer_unknown"), words("reason", "There is no such customer.", required=True))
_PAYMENT = (
    id("payment_id", required=True), words("reference_type", "invoice"), id("reference_id"),
    amount("amount", 10000.0), currency(), words("status", "succeeded"), words("method", "mpesa"),
)  # fmt: skip

EVENTS = (
    fact(
        "treasury.invoice.created", "An invoice was made.",
        id("invoice_id", required=True), id("opportunity_id"), words("status", "sent", required=True),
        subject="treasury_invoice",
    ),
    fact(
        "treasury.invoice.rejected", "No invoice was made of a won opportunity.",
        id("opportunity_id", required=True), *_REFUSED, subject="opportunity",
    ),
    fact("treasury.payment.processed", "A payment was processed.", *_PAYMENT, subject="treasury_payment"),
    fact("treasury.payment.succeeded", "A payment succeeded.", *_PAYMENT, subject="treasury_payment"),
    fact(
        "treasury.payment.failed", "A payment failed.",
        *_PAYMENT[:-2], words("status", "failed"), words("method", "mpesa"), words("code", "insufficient_funds"),
        words("reason", "The account has too little money."),
        subject="treasury_payment",
    ),
    fact(
        "treasury.bill.created", "A bill was made.",
        id("bill_id", required=True), id("purchase_order_id"), words("status", "pending"), amount("total", 5000.0),
        subject="treasury_bill",
    ),
    fact(
        "treasury.bill.rejected", "No bill was made of a received purchase order.",
        id("purchase_order_id", required=True), *_REFUSED, subject="purchase_order",
    ),
    fact(
        "treasury.payroll.rejected", "A payroll was not paid, or not as a whole.",
        id("payroll_id", required=True), *_REFUSED, subject="payroll",
    ),
    fact(
        "treasury.expense.recorded", "An approved expense was recorded.",
        id("expense_id", required=True), amount("amount", 1500.0), currency(), words("status", "approved"),
        subject="expense",
    ),
    fact(
        "treasury.expense.rejected", "An approved expense was not recorded.",
        id("expense_id", required=True), *_REFUSED, subject="expense",
    ),
    fact(
        "treasury.tax_return.filed", "A tax return was filed with the authority.",
        id("tax_return_id", required=True), words("period", "2024-12"), words("authority", "KRA"),
        words("receipt", "KRA202412050001"), moment("filed_at"),
        subject="tax_return",
    ),
    fact(
        "treasury.tax_return.rejected", "The tax authority, or treasury itself, refused a tax return.",
        id("tax_return_id", required=True), words("period", "2024-12"), words("authority", "KRA"), *_REFUSED,
        subject="tax_return",
    ),
)  # fmt: skip
MODULE = Module("contracts.treasury", "Events of the treasury service.", events=EVENTS)
