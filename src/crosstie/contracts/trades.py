"""Trades: what happens around a job outside Crosstie's own nouns (checklist §3). Partners may send all of it."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, count, currency, id, many, moment, thing, words
from crosstie.declare.module import Module

fact = partial(facts.fact, direction="both", producers=("partners",), consumers=("subscribers",))
_JOB = id("job_id")
_MONEY = (_JOB, id("client_id"), amount("amount", 1200.0), currency(), moment("due_on", "2026-03-31"))
_INVOICE = (id("invoice_id", required=True), words("number", "INV-2026-17"), *_MONEY)
_PAYMENT = (
    id("payment_id", required=True), id("invoice_id"), _JOB, amount("amount", 1200.0), currency(),
    words("method", "card"), words("gateway_reference", "ch_17"),
)  # fmt: skip
_CHECKLIST = (id("checklist_id", required=True), _JOB, words("standard", "SANS 10142-1:2024"), id("technician_id"))
_ORDER = (
    id("purchase_order_id", required=True), _JOB, id("vendor_id"),
    many("lines", {"sku": "PIPE-22", "quantity": 2, "unit_price": 450.0}), amount("total", 900.0), currency(),
)  # fmt: skip
_PLACE = (id("property_id"), id("estate_id"), words("unit", "12"), words("system", "geyser"))
_CLAIM = (
    id("claim_id", required=True), words("claim_ref", "CLM-17"), words("policy", "HOME-4711"), _JOB,
    moment("loss_at"), words("loss_cause", "burst pipe"),
    many("evidence_manifest", {"media_id": "media-uuid", "sha256": "a1b2c3d4" * 8}),
)  # fmt: skip
_DISPUTE = (id("dispute_id", required=True), _JOB, id("client_id"), words("status", "open"))
#: ids only: a message's words stay where they are
_MESSAGE = (id("message_id", required=True), _JOB, id("client_id"), words("channel", "whatsapp"))

MONEY = (
    fact("deposit.requested", "A deposit was asked for.", id("deposit_id", required=True), *_MONEY, subject="deposit"),
    fact("invoice.sent", "An invoice was sent.", *_INVOICE, subject="invoice"),
    fact("invoice.paid", "An invoice was paid in full.", *_INVOICE, moment("paid_at"), subject="invoice"),
    fact("invoice.overdue", "An invoice was not paid in time.", *_INVOICE, subject="invoice"),
    fact(
        "payment.failed", "A payment failed.", *_PAYMENT, words("reason", "The card was declined."), subject="payment"
    ),
    fact("payment.refunded", "Money was given back.", *_PAYMENT, words("reason", "goodwill"), subject="payment"),
    fact(
        "expense.logged", "An expense was noted on a job.", id("expense_id", required=True), _JOB,
        amount("amount", 350.0), currency(), words("category", "fuel"),
        subject="expense_entry",
    ),
)  # fmt: skip
COMPLIANCE = (
    fact("compliance.checklist.created", "A checklist was begun.", *_CHECKLIST, subject="checklist"),
    fact(
        "compliance.checklist.completed", "Every item was passed: a job that is scheduled is dispatched.", *_CHECKLIST,
        subject="checklist", consumers=("crosstie", "subscribers"),
    ),
    fact(
        "compliance.checklist.failed", "An item was not passed: no certificate.", *_CHECKLIST,
        many("failed_items", "earth leakage"), subject="checklist",
    ),
    fact(
        "certificate.expiring", "A certificate ends soon.", id("certificate_id", required=True), _JOB,
        words("number", "COC-17"), words("type", "electrical"), moment("expires_at"),
        subject="certificate",
    ),
    fact(
        "regulation.updated", "A standard got a new edition.", id("standard_id", required=True),
        words("edition", "2024"), words("title", "The wiring of premises"), moment("in_force_from", "2024-07-01"),
        subject="regulation",
    ),
)  # fmt: skip
SUPPLY = (
    fact("purchase_order.created", "A purchase order was made.", *_ORDER, subject="supply_order"),
    fact("purchase_order.sent", "It went to the supplier.", *_ORDER, subject="supply_order"),
    fact(
        "purchase_order.confirmed", "The supplier confirmed it.", *_ORDER, moment("expected_on", "2026-03-04"),
        subject="supply_order",
    ),
    fact("purchase_order.received", "The goods are here.", *_ORDER, subject="supply_order"),
    fact(
        "vendor.price.updated", "A supplier's price changed.", words("sku", "PIPE-22", required=True), id("vendor_id"),
        amount("price", 450.0), amount("previous_price", 430.0), currency(), moment("valid_from"),
        subject="vendor_price",
    ),
    fact(
        "stock.low", "Too little is left of something.", words("sku", "PIPE-22", required=True), id("location_id"),
        amount("on_hand", 3), amount("reorder_point", 10),
        subject="stock",
    ),
)  # fmt: skip
CARE = (
    fact(
        "assessment.completed", "A property was assessed.", id("assessment_id", required=True), _JOB, *_PLACE,
        amount("score", 82), subject="assessment",
    ),
    fact(
        "report.generated", "A report was written.", id("report_id", required=True), _JOB, *_PLACE,
        words("sha256", "a1b2c3d4" * 8), subject="report",
    ),
    fact(
        "contract.signed", "A care contract was signed.", id("contract_id", required=True), id("client_id"), *_PLACE,
        moment("starts_on", "2026-04-01"), moment("ends_on", "2027-03-31"), subject="care_contract",
    ),
    fact(
        "maintenance.due", "A visit is due.", id("maintenance_id", required=True), *_PLACE,
        moment("next_visit", "2026-06-01"), subject="maintenance",
    ),
    fact(
        "estate.request.routed", "A request of an estate was given to somebody.", id("request_id", required=True),
        _JOB, *_PLACE, words("status", "routed"), subject="estate_request",
    ),
    fact(
        "estate.request.updated", "A request of an estate went on.", id("request_id", required=True), _JOB, *_PLACE,
        words("status", "in_progress"), subject="estate_request",
    ),
    fact(
        "estate.health.updated", "The state of an estate's systems changed.", id("estate_id", required=True),
        words("system", "borehole pump"), words("status", "degraded"), amount("score", 64), count("open_requests", 2),
        subject="estate",
    ),
)  # fmt: skip
TRUST = (
    fact("claim.submitted", "A claim went to the insurer.", *_CLAIM, subject="claim"),
    fact(
        "claim.acknowledged", "The insurer has the claim.", *_CLAIM[:4], words("insurer_reference", "FNOL-9"),
        subject="claim",
    ),
    fact(
        "warranty.registered", "A warranty was registered.", id("warranty_id", required=True), _JOB,
        many("serials", "SN-1"), moment("ends_on", "2031-03-01"), subject="warranty",
    ),
    fact("dispute.opened", "A client objects.", *_DISPUTE, words("reason", "The leak is back."), subject="dispute"),
    fact(
        "dispute.resolved", "A dispute was settled.", *_DISPUTE[:3], words("status", "resolved"),
        thing("outcome", {"refund": "300.00"}), subject="dispute",
    ),
    fact(
        "review.submitted", "A client judged the work.", id("review_id", required=True), _JOB, id("client_id"),
        count("rating", 5), subject="review",
    ),
)  # fmt: skip
TALK = (fact("message.received", "A client wrote.", *_MESSAGE, subject="client_message"),)
EVENTS = MONEY + COMPLIANCE + SUPPLY + CARE + TRUST + TALK
MODULE = Module("contracts.trades", "Events around a job that outside parties send.", events=EVENTS)
