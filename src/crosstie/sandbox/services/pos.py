"""Point of sale: what tills sell, and their orders; one per reference of the till."""

from __future__ import annotations

from decimal import Decimal

from crosstie.kit import money
from crosstie.sandbox.books import Document, Shelf, fresh
from crosstie.sandbox.verb import Counterpart, Given, Refused, Verb, minor, page, quantity, scaled

PRODUCTS = (
    ("PIPE-22", "Pipe 22 mm", "450.00", 5), ("GEYSER-150", "Geyser 150 l", "48500.00", 6),
    ("CABLE-25", "Cable 2.5 mm", "85.50", 7),
)  # fmt: skip


def seed(shelf: Shelf) -> None:
    """Three products, each changed by another version of the catalogue."""
    for sku, name, price, version in PRODUCTS:
        shelf.put("product", sku, {
            "id": fresh(), "sku": sku, "name": name, "price": price, "currency": "KES", "tax_code": "VAT16",
            "barcode": f"60012345678{version:02}", "active": True, "version": version,
        })  # fmt: skip


def list_products(shelf: Shelf, given: Given) -> Document:
    """Products, all or those that changed."""
    since = int(given.get("since_version") or 0)
    found = [each for each in shelf.all("product") if each["version"] > since]
    return {"products": page(found, given), "total": len(found)}


def create_order(shelf: Shelf, given: Given) -> Document:
    """Record an order of a till; lines that do not add up are refused."""
    till = given.get("client_reference")
    known = shelf.find("order", client_reference=till) if till else None
    if known is not None:
        return known
    total = sum(_line(line, given["currency"]) for line in given["lines"])
    total -= minor(given.get("discount") or 0, given["currency"])
    if total < 0:
        raise Refused("discount", "The discount is more than the order.")
    id, number = fresh(), shelf.number("order")
    order = {
        "id": id, "order_number": given.get("order_number") or f"T1-{number:04}",
        "status": given.get("status") or "open", "total": money.format(total, given["currency"]),
        "currency": given["currency"], "client_reference": till,
    }  # fmt: skip
    shelf.put("order", id, order)
    shelf.tell("order.created", pos_order_id=id, outlet_id=given["outlet_id"], lines=list(given["lines"]),
               total=Decimal(order["total"]), currency=given["currency"])  # fmt: skip
    return order


def _line(line: Given, currency: str) -> int:
    due = scaled(minor(line["unit_price"], currency), quantity(line["quantity"]))
    said = line.get("total_price")
    if said is not None and minor(said, currency) != due:
        raise Refused("total_price", f"{line['quantity']} at {line['unit_price']} is not {said}.")
    return due


COUNTERPART = Counterpart(
    "pos", {"list_products": Verb(list_products), "create_order": Verb(create_order, ("client_reference",))}, seed
)
