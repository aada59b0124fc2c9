"""What a quote comes to: every line rounded half to even to the smallest unit of its currency, then added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.shape import Nested
from crosstie.errors import Fault, Invalid
from crosstie.kit import money

HUNDRED = Decimal(100)

GIVEN = (
    Field(kinds.Choice(("material", "labour", "travel", "other")), name="kind", doc="What is charged for."),
    Field(kinds.Text(500, min=1), name="description", doc="The line in words."),
    Field(kinds.Text(100), name="sku", doc="The article's number.", nullable=True),
    Field(kinds.Number(4, min=Decimal(0)), name="quantity", doc="How many; hours, for labour."),
    Field(kinds.Text(20), name="unit", doc="Of what: each, hour, km …", nullable=True),
    Field(kinds.Money(), name="unit_price", doc="The price of one, without tax."),
    Field(kinds.Money(), name="discount", doc="Taken off the line, without tax.", nullable=True),
    Field(kinds.Number(4, min=Decimal(0), max=HUNDRED), name="tax_rate", doc="Tax in per cent.", nullable=True),
)
WORKED_OUT = (
    Field(kinds.Money(), name="amount", doc="quantity × unit_price − discount, without tax."),
    Field(kinds.Money(), name="tax_amount", doc="amount × tax_rate."),
)
LINE = Nested(GIVEN)
PRICED = Nested(GIVEN + WORKED_OUT)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of the lines, in minor units."""

    subtotal: int
    tax_total: int

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.subtotal + self.tax_total


def priced(lines: Iterable[Mapping[str, Any]], currency: str) -> tuple[list[dict[str, Any]], Totals]:
    """The lines with their amounts, and the totals. Raises Invalid where a line is in another currency, costs less
    than nothing or more than can be written."""
    found, faults = [], []
    subtotal = tax_total = 0
    for number, line in enumerate(lines):
        try:
            net, tax = _amounts(line, currency)
        except ValueError as error:
            faults.append(Fault(f"/lines/{number}", "amount", str(error)))
            continue
        subtotal += net
        tax_total += tax
        found.append({**line, "amount": _wire(net, currency), "tax_amount": _wire(tax, currency)})
    if subtotal + tax_total >= 10**money.DIGITS:
        faults.append(Fault("/lines", "amount", f"the total has more than {money.DIGITS} digits"))
    if faults:
        raise Invalid("A line cannot be priced.", errors=faults)
    return found, Totals(subtotal, tax_total)


def _amounts(line: Mapping[str, Any], currency: str) -> tuple[int, int]:
    price = _minor(line["unit_price"], currency)
    discount = _minor(line["discount"], currency) if line.get("discount") else 0
    net = money.scale(price, Decimal(line["quantity"])) - discount
    if price < 0 or discount < 0 or net < 0:
        raise ValueError("prices, discounts and amounts are not below zero")
    return net, money.scale(net, Decimal(line.get("tax_rate") or 0) / HUNDRED)


def _minor(amount: Mapping[str, str], currency: str) -> int:
    if amount["currency"] != currency:
        raise ValueError(f"all amounts of this record are in {currency}")
    return money.parse(amount["amount"], currency)


def _wire(minor: int, currency: str) -> dict[str, str]:
    return {"amount": money.format(minor, currency), "currency": currency}
