"""Money: decimal strings outside, whole minor units inside.

How many decimals a currency has is ISO 4217's word. Babel carries CLDR's table, which differs from ISO for currencies
whose small coins are no longer used in practice; ledgers and payment gateways follow ISO, so those are put right here.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from babel.core import get_global
from babel.numbers import list_currencies

DIGITS = 15
"""Digits of an amount in minor units: exact in an IEEE 754 double, and far inside a bigint."""

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_LIMIT = 10**DIGITS
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[])  # 15 digits times the 34 of a JSON number, and room

_ISO = {"IQD": 3} | dict.fromkeys(
    ("AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SLL", "SOS", "SYP", "YER"), 2
)
_NO_UNIT = {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XEU", "XFO", "XFU", "XPD", "XPT", "XRE", "XSU", "XTS"} | {
    "XUA",
    "XXX",
}


def _table() -> dict[str, int]:
    fractions = get_global("currency_fractions")
    usual = fractions["DEFAULT"][0]
    codes = list_currencies() - _NO_UNIT
    return {code: fractions[code][0] if code in fractions else usual for code in codes} | _ISO


DECIMALS = _table()
"""Decimals of every currency that has a minor unit, past ones too (old records keep theirs): ZAR 2, JPY 0, KWD 3."""


def decimals(currency: str) -> int:
    """How many decimals a currency has. Raises ValueError for a code that ISO 4217 does not know."""
    try:
        return DECIMALS[currency]
    except KeyError:
        raise ValueError("not a currency code of ISO 4217, such as ZAR") from None


def parse(amount: str, currency: str) -> int:
    """Read a decimal string such as `1200.00` as minor units (120000 for ZAR, 1200000 for KWD).

    Fewer decimals than the currency has are fine. Raises ValueError for an exponent, a plus sign, a leading zero, more
    decimals than the currency has or more than 15 digits in minor units.
    """
    places = decimals(currency)
    found = _AMOUNT.fullmatch(amount) if len(amount) <= 40 else None
    if found is None:
        raise ValueError("not a decimal amount, such as 1200.00")
    sign, whole, fraction = found.group(1), found.group(2), found.group(3) or ""
    if len(fraction) > places:
        raise ValueError(f"{currency} has {places} decimals")
    return _bounded(int(sign + whole + fraction.ljust(places, "0")))


def format(minor: int, currency: str) -> str:
    """Write minor units as a decimal string with all decimals of the currency: 120000 ZAR is `1200.00`."""
    places = decimals(currency)
    if places == 0:
        return str(minor)
    digits = str(abs(minor)).rjust(places + 1, "0")
    return f"{'-' if minor < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def from_number(amount: int | Decimal, currency: str) -> int:
    """Read the number form that some partners send (`10000.00` as a JSON number) as minor units.

    Raises ValueError for more decimals than the currency has or more than 15 digits in minor units.
    """
    exact = _EXACT.scaleb(Decimal(amount), decimals(currency))
    minor = _whole(exact)
    if minor != exact:
        raise ValueError(f"{currency} has {decimals(currency)} decimals")
    return minor


def to_number(minor: int, currency: str) -> Decimal:
    """Write minor units in the number form, with all decimals of the currency: 120000 ZAR is Decimal("1200.00")."""
    return Decimal(format(minor, currency))


def scale(minor: int, factor: Decimal) -> int:
    """Multiply minor units by a rate or a quantity and round half to even, the rule for every derived amount.

    Raises ValueError for a factor that is not finite and for a result of more than 15 digits.
    """
    return _whole(_EXACT.multiply(Decimal(minor), factor))


def _whole(amount: Decimal) -> int:
    if not amount.is_finite():
        raise ValueError("an amount is a finite number")
    if amount and amount.adjusted() > DIGITS:  # int() writes out every zero of a huge exponent: 26 s for 1E+999990
        raise ValueError(f"an amount has more than {DIGITS} digits")
    return _bounded(int(amount.to_integral_value(context=_EXACT)))


def _bounded(minor: int) -> int:
    if not -_LIMIT < minor < _LIMIT:
        raise ValueError(f"an amount has more than {DIGITS} digits")
    return minor
