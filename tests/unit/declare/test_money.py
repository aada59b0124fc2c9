"""Money as callers send it: an amount and a currency, both as strings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crosstie.declare import kind as kinds
from crosstie.errors import Fault


@pytest.mark.parametrize(
    "value",
    [
        None,
        "1200.00",
        {"amount": "1200.00"},
        {"amount": Decimal("1200.00"), "currency": "ZAR"},
        {"amount": 1200, "currency": "ZAR"},
        {"amount": ["1200.00"], "currency": "ZAR"},
        {"amount": "1200.00", "currency": ["ZAR"]},
    ],
)
def test_another_form_is_refused_in_words(value: Any) -> None:
    faults: list[Fault] = []
    kinds.Money().decode(value, "/amount", faults)
    (fault,) = faults
    assert (fault.pointer, fault.code) == ("/amount", "money")
    assert fault.message == 'must be {"amount": "1200.00", "currency": "ZAR"}, two strings'


def test_minor_units_come_of_it() -> None:
    faults: list[Fault] = []
    assert kinds.Money().decode({"amount": "1200.5", "currency": "ZAR"}, "/amount", faults) == (120050, "ZAR")
    assert faults == []
