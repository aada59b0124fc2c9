"""What quotes come to, against exact fractions and the rules of money."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.errors import Invalid
from crosstie.kit import money
from crosstie.modules.field import price

amounts = st.integers(0, 10**8)
quantities = st.decimals(0, 10_000, places=4)
rates = st.none() | st.decimals(0, 100, places=4)


def line(minor: int, quantity: Decimal, rate: Decimal | None, currency: str, discount: int = 0) -> dict[str, Any]:
    unit = {"amount": money.format(minor, currency), "currency": currency}
    off = {"amount": money.format(discount, currency), "currency": currency} if discount else None
    return {"quantity": str(quantity), "unit_price": unit, "discount": off, "tax_rate": rate and str(rate)}


def half_even(exact: Fraction) -> int:
    return round(exact)  # Python rounds fractions half to even


@given(st.lists(st.tuples(amounts, quantities, rates), max_size=20), st.sampled_from(("ZAR", "JPY", "KWD")))
def test_totals_are_the_sum_of_rounded_lines(
    given_lines: list[tuple[int, Decimal, Decimal | None]], currency: str
) -> None:
    lines, totals = price.priced([line(*each, currency) for each in given_lines], currency)

    nets = [half_even(Fraction(minor) * Fraction(quantity)) for minor, quantity, _ in given_lines]
    taxes = [half_even(net * Fraction(rate or 0) / 100) for net, (_, _, rate) in zip(nets, given_lines, strict=True)]
    assert [money.parse(each["amount"]["amount"], currency) for each in lines] == nets
    assert [money.parse(each["tax_amount"]["amount"], currency) for each in lines] == taxes
    assert (totals.subtotal, totals.tax_total, totals.total) == (sum(nets), sum(taxes), sum(nets) + sum(taxes))


@given(amounts, quantities, st.integers(0, 10**9))
def test_a_discount_never_makes_a_line_cost_less_than_nothing(minor: int, quantity: Decimal, discount: int) -> None:
    net = half_even(Fraction(minor) * Fraction(quantity)) - discount
    one = line(minor, quantity, None, "ZAR", discount)
    if net < 0:
        with pytest.raises(Invalid):
            price.priced([one], "ZAR")
    else:
        assert price.priced([one], "ZAR")[1].total == net


def test_what_cannot_be_written_is_refused() -> None:
    most = line(10**15 - 1, Decimal(1), None, "ZAR")
    assert price.priced([most], "ZAR")[1].total == 10**15 - 1
    for lines in ([most, most], [line(10**15 - 1, Decimal(2), None, "ZAR")], [line(1, Decimal(1), None, "USD")]):
        with pytest.raises(Invalid) as refused:
            price.priced(lines, "ZAR")
        assert refused.value.errors[0].pointer.startswith("/lines")
    below = line(1, Decimal(1), None, "ZAR") | {"unit_price": {"amount": "-1.00", "currency": "ZAR"}}
    with pytest.raises(Invalid):
        price.priced([below], "ZAR")
