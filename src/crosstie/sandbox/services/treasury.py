"""Treasury: invoices, bills, expenses, and payments that are decided a little later."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from crosstie.kit import money
from crosstie.sandbox.books import Document, Shelf, fresh, stamp
from crosstie.sandbox.verb import Counterpart, Given, Refused, Rejection, Verb, minor, quantity, scaled

#: seconds until a payment is decided
DECIDES = 2.0
ACCOUNTS = (
    ("bank", "Operations", "KCB", "****4521", 25_000_000),
    ("mobile_money", "Till 174379", "M-Pesa", "****4379", 3_275_050),
)
TAX_CODES = (
    ("VAT16", "VAT 16 %", "16", "KE", "A"),
    ("VAT15", "VAT 15 %", "15", "ZA", None),
    ("ZERO", "Zero", "0", "KE", "C"),
)


def seed(shelf: Shelf) -> None:
    """Two accounts and some tax codes."""
    for kind, name, bank, number, balance in ACCOUNTS:
        id = fresh()
        account = {"id": id, "account_type": kind, "account_name": name, "bank_name": bank, "account_number": number}
        shelf.put("account", id, account | {"currency": "KES", "minor": balance})
    for code, name, rate, country, kra in TAX_CODES:
        shelf.put("tax_code", code, {
            "id": fresh(), "code": code, "name": name, "rate": rate, "tax_type": "vat", "country": country,
            "kra_code": kra, "valid_from": "2020-01-01", "valid_until": None, "is_default": code == "VAT16",
            "is_active": True,
        })  # fmt: skip


def create_invoice(shelf: Shelf, given: Given) -> Document:
    """Make an invoice of its lines and tell of it."""
    id, number = fresh(), shelf.number("invoice")
    invoice = {
        "id": id, "invoice_number": f"INV-{stamp()[:4]}-{number:04}",
        **_totals(shelf, given["lines"], given["currency"]), "status": "sent", "payment_status": "unpaid",
        "reference_type": given.get("reference_type"), "reference_id": given.get("reference_id"),
        "customer_id": given["customer_id"], "created_at": stamp(),
    }  # fmt: skip
    shelf.put("invoice", id, invoice)
    shelf.tell("invoice.created", invoice_id=id, status="sent", **_of(given, "opportunity"))
    return invoice


def find_invoice(shelf: Shelf, given: Given) -> Document:
    """The invoice of something."""
    return _known(shelf.find("invoice", reference_type=given["reference_type"], reference_id=given["reference_id"]))


def create_bill(shelf: Shelf, given: Given) -> Document:
    """Record what a vendor is owed and tell of it."""
    id, number = fresh(), shelf.number("bill")
    bill = {
        "id": id, "bill_number": f"BILL-{stamp()[:4]}-{number:04}", **_totals(shelf, given["lines"], given["currency"]),
        "status": "pending", "vendor_id": given["vendor_id"], "due_date": given["due_date"],
    }  # fmt: skip
    shelf.put("bill", id, bill)
    total = Decimal(bill["total_amount"])
    shelf.tell("bill.created", bill_id=id, status="pending", total=total, **_of(given, "purchase_order"))
    return bill


def create_payment(shelf: Shelf, given: Given) -> Document:
    """Begin a payment, which is decided a little later; nobody pays more than an invoice asks for."""
    amount = minor(given["amount"], given["currency"])
    if amount <= 0:
        raise Refused("amount", "A payment is of more than nothing.")
    id = fresh()
    payment = {
        "id": id, "status": "pending", "amount": money.format(amount, given["currency"]), "currency": given["currency"],
        "reference_type": given["reference_type"], "reference_id": given["reference_id"], "minor": amount,
        "method": given["payment_method"], "initiate_url": f"https://treasury.example.com/pay/{id}",
    }  # fmt: skip
    invoice = shelf.get("invoice", given["reference_id"]) if given["reference_type"] == "invoice" else None
    if invoice is not None and _paid(shelf, invoice["id"]) + amount > minor(invoice["total_amount"], given["currency"]):
        raise Refused("overpaid", "That is more than the invoice asks for.")
    shelf.put("payment", id, payment)
    shelf.later(DECIDES, "decide", id=id, refusal=shelf.refusal)
    return payment


def decide(shelf: Shelf, document: Document) -> None:
    """A payment that waited succeeds, or fails where somebody wants it to; the books follow."""
    payment = shelf.get("payment", document["id"])
    assert payment is not None
    told = {"payment_id": payment["id"]} | {
        name: payment[name] for name in ("reference_type", "reference_id", "currency", "method")
    }
    told["amount"] = Decimal(payment["amount"])
    if document["refusal"]:
        code, reason = document["refusal"]
        shelf.put("payment", payment["id"], payment | {"status": "failed"})
        shelf.tell("payment.failed", **told, status="failed", code=code, reason=reason)
        return
    shelf.put("payment", payment["id"], payment | {"status": "succeeded"})
    invoice = shelf.get("invoice", payment["reference_id"])
    sign = 1 if invoice else -1
    if invoice is not None:
        whole = _paid(shelf, invoice["id"]) == minor(invoice["total_amount"], payment["currency"])
        shelf.put("invoice", invoice["id"], invoice | {"payment_status": "paid" if whole else "partly_paid"})
    account = shelf.all("account")[0]
    shelf.put("account", account["id"], account | {"minor": account["minor"] + sign * payment["minor"]})
    shelf.tell("payment.succeeded", **told, status="succeeded")
    shelf.tell("payment.processed", **told, status="succeeded")


def record_expense(shelf: Shelf, given: Given) -> Document:
    """Record an expense and tell of it."""
    id, amount = fresh(), minor(given["amount"], given["currency"])
    expense = {"id": id, "status": "draft", "amount": money.format(amount, given["currency"])}
    shelf.put("expense", id, expense | {"currency": given["currency"], "description": given["description"]})
    source = given.get("reference_id") if given.get("reference_type") == "expense" else id
    shelf.tell("expense.recorded", expense_id=source, amount=Decimal(expense["amount"]), currency=given["currency"],
               status="approved")  # fmt: skip
    return expense


def list_accounts(shelf: Shelf, given: Given) -> Document:
    """Accounts with what is on them now."""
    found = []
    for account in shelf.all("account"):
        balance = account.pop("minor")
        found.append(account | {"balance": money.format(balance, account["currency"])})
    return {"bank_accounts": found, "total": len(found)}


def list_tax_codes(shelf: Shelf, given: Given) -> Document:
    """Tax codes."""
    found = shelf.all("tax_code")
    return {"tax_codes": found, "total": len(found)}


def _totals(shelf: Shelf, lines: Sequence[Given], currency: str) -> Document:
    """The sums of lines, each rounded to the minor unit."""
    subtotal = tax = 0
    for line in lines:
        net = scaled(minor(line["unit_price"], currency), quantity(line["quantity"]))
        net -= minor(line.get("discount_amount") or 0, currency)
        subtotal += net
        tax += scaled(net, _rate(shelf, line) / 100)
    sums = {"subtotal": subtotal, "tax_amount": tax, "total_amount": subtotal + tax}
    return {name: money.format(value, currency) for name, value in sums.items()} | {"currency": currency}


def _rate(shelf: Shelf, line: Given) -> Decimal:
    if line.get("tax_rate") is not None:
        return quantity(line["tax_rate"])
    if line.get("tax_code") is None:
        return Decimal(0)
    code = shelf.get("tax_code", line["tax_code"])
    if code is None:
        raise Refused("tax_code_unknown", f"There is no tax code {line['tax_code']}.")
    return Decimal(code["rate"])


def _paid(shelf: Shelf, invoice: str) -> int:
    payments = [each for each in shelf.all("payment") if each["reference_id"] == invoice]
    return sum(int(each["minor"]) for each in payments if each["status"] != "failed")


def _of(given: Given, kind: str) -> Document:
    """The reference as the events name it: `opportunity_id`."""
    return {f"{kind}_id": given["reference_id"]} if given.get("reference_type") == kind else {}


def _known(thing: Document | None) -> Document:
    if thing is None:
        raise Refused("not_found", "There is no such thing.", 404)
    return thing


def rejected(kind: str, event: str) -> Any:
    """The event of a refusal, where the call was for something of that kind."""

    def follow(given: Given) -> Rejection | None:
        return (event, _of(given, kind)) if given.get("reference_type") == kind and given.get("reference_id") else None

    return follow


REFERENCE = ("reference_type", "reference_id")
COUNTERPART = Counterpart(
    "treasury",
    {
        "create_invoice": Verb(create_invoice, REFERENCE, rejected("opportunity", "invoice.rejected")),
        "find_invoice": Verb(find_invoice, REFERENCE),
        "create_bill": Verb(create_bill, REFERENCE, rejected("purchase_order", "bill.rejected")),
        "create_payment": Verb(
            create_payment, (*REFERENCE, "description"), rejected("payroll", "payroll.rejected"), decides=True
        ),
        "record_expense": Verb(record_expense, REFERENCE, rejected("expense", "expense.rejected")),
        "list_accounts": Verb(list_accounts),
        "list_tax_codes": Verb(list_tax_codes),
    },
    seed,
    {"decide": decide},
)
