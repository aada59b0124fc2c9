"""Treasury service: invoices, bills, payments, expenses, tax returns; what it does and what it refuses."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import answered, ask, listed, money, one_of, own, rows, sent
from crosstie.contracts.fact import amount, currency, flag, id, moment, thing, words
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Queued, Service, Stale

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

_LINE = sent(
    words("description", "Geyser replaced", required=True), amount("quantity", 1, required=True),
    amount("unit_price", 10000.0, required=True), words("tax_code", "VAT16"), amount("tax_rate", 16),
    amount("discount_amount", 0),
)  # fmt: skip
_ABOUT = (words("reference_type", "opportunity"), id("reference_id"))
_TOTALS = (
    money("subtotal", "10000.00"), money("tax_amount", "1600.00"), money("total_amount", "11600.00", required=True),
    currency(required=True),
)  # fmt: skip
_INVOICE = answered(
    own("invoice-uuid"), words("invoice_number", "INV-2024-0017", required=True), *_TOTALS,
    words("status", "sent", required=True), words("payment_status", "unpaid"), *_ABOUT,
)  # fmt: skip

SERVICE = Service(
    "treasury",
    "Invoices, bills, payments, expenses and accounts.",
    (
        Operation(
            "create_invoice", "POST", "/invoices", "Make an invoice.", _INVOICE,
            sent(
                id("customer_id", required=True), one_of("invoice_type", "standard", "proforma", "recurring"),
                moment("invoice_date", "2024-12-05"), moment("due_date", "2025-01-04"), currency(required=True),
                *_ABOUT, rows("lines", _LINE), thing("metadata", {"note": "won on Thursday"}),
            ),
            status=201, fallback=Queued(), found_by="find_invoice",
        ),
        Operation(
            "find_invoice", "GET", "/invoices/by-reference/{reference_type}/{reference_id}",
            "Find the invoice of an opportunity, an order or a job.", _INVOICE,
            asks=(ask(_ABOUT[0], "What the invoice is for."), ask(_ABOUT[1], "Which one.")),
        ),
        Operation(
            "create_bill", "POST", "/bills", "Record what a vendor is owed.",
            answered(
                own("bill-uuid"), words("bill_number", "BILL-2024-0009", required=True), *_TOTALS,
                words("status", "pending", required=True),
            ),
            sent(
                id("vendor_id", required=True), one_of("document_type", "bill", "credit_note"),
                moment("bill_date", "2024-12-05"), moment("due_date", "2025-01-04", required=True),
                currency(required=True), *_ABOUT, rows("lines", _LINE), thing("metadata", {}),
            ),
            status=201, fallback=Queued(),
        ),
        Operation(
            "create_payment", "POST", "/payments", "Pay or collect an amount.",
            answered(
                own("payment-uuid"), words("status", "pending", required=True), money("amount", "10000.00"),
                currency(), words("initiate_url", "https://treasury.example.com/pay/payment-uuid"),
            ),
            sent(
                words("reference_type", "invoice", required=True), id("reference_id", required=True),
                amount("amount", 10000.0, required=True), currency(required=True),
                words("payment_method", "mpesa", required=True), words("source_service", "erp"),
                words("description", "Invoice INV-2024-0017"), words("customer_email", "wanjiku@example.com"),
                words("customer_phone", "+254712345678"), words("callback_url", "https://erp.example.com/paid"),
                thing("metadata", {}),
            ),
            status=201,
        ),
        Operation(
            "record_expense", "POST", "/expenses", "Record an expense.",
            answered(own("expense-uuid"), words("status", "draft", required=True), money("amount", "1500.00")),
            sent(
                id("category_id"), words("description", "Taxi to the client", required=True),
                amount("amount", 1500.0, required=True), amount("tax_amount", 0), currency(required=True),
                moment("expense_date", "2024-12-05"), words("receipt_url", "https://erp.example.com/receipt.jpg"),
                id("vendor_id"), id("account_id"), id("cost_center_id"), *_ABOUT, thing("metadata", {}),
            ),
            status=201, fallback=Queued(),
        ),
        Operation(
            "list_accounts", "GET", "/accounts", "List bank accounts and the like.",
            listed(
                "bank_accounts", own("account-uuid"),
                one_of("account_type", "bank", "mobile_money", "cash", "gateway", required=True),
                words("account_name", "Operations"), words("bank_name", "KCB"), words("account_number", "****4521"),
                currency(), money("balance", "250000.00"),
            ),
            fallback=Stale(), cached=Cached(60, ("treasury.payment.*",)),
        ),
        Operation(
            "list_tax_codes", "GET", "/tax-codes", "List tax codes with their rates.",
            listed(
                "tax_codes", own("tax-code-uuid"), words("code", "VAT16", required=True), words("name", "VAT 16 %"),
                money("rate", "16", required=True), words("tax_type", "vat"), words("country", "KE"),
                words("kra_code", "A"), moment("valid_from", "2020-01-01"), moment("valid_until", "2030-12-31"),
                flag("is_default", example=True), flag("is_active", example=True),
            ),
            fallback=Stale(604_800), cached=Cached(3600),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.treasury", "The treasury service.", events=EVENTS, services=(SERVICE,))
