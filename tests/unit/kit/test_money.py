import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import money

LIMIT = 10**15 - 1
MINOR = st.integers(-LIMIT, LIMIT)
CURRENCIES = st.sampled_from(sorted(money.DECIMALS))

# ISO 4217 list one, 2026: the currencies of today whose minor unit is not a hundredth.
WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THOUSANDTH = "BHD IQD JOD KWD LYD OMR TND"
TEN_THOUSANDTH = "CLF UYW"
HUNDREDTH = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
    COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
    JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
    THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""


@pytest.mark.parametrize(
    ("codes", "decimals"), [(WHOLE, 0), (HUNDREDTH, 2), (THOUSANDTH, 3), (TEN_THOUSANDTH, 4)], ids=["0", "2", "3", "4"]
)
def test_decimals_are_those_of_iso_4217(codes: str, decimals: int) -> None:
    assert {money.decimals(code) for code in codes.split()} == {decimals}


@pytest.mark.parametrize("code", ["", "ZA", "ZARR", "zar", "XXX", "XAU", "XDR", "XTS", "R", "ZAR ", "ＺＡＲ", "ABC"])
def test_refuses_what_is_no_currency_to_pay_in(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        money.parse("1", code)
    with pytest.raises(ValueError, match="ISO 4217"):
        money.format(1, code)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1200.00", "ZAR", 120_000), ("1200", "ZAR", 120_000), ("1200.5", "ZAR", 120_050), ("0.01", "ZAR", 1),
        ("-0.01", "ZAR", -1), ("-0", "ZAR", 0), ("0", "JPY", 0), ("1200", "JPY", 1200), ("1.234", "KWD", 1234),
        ("1.2", "KWD", 1200), ("-12.3456", "CLF", -123_456), ("9999999999999.99", "ZAR", LIMIT),
        ("999999999999999", "JPY", LIMIT), ("-999999999999.999", "KWD", -LIMIT),
    ],
)  # fmt: skip
def test_reads_amounts(amount: str, currency: str, minor: int) -> None:
    assert money.parse(amount, currency) == minor


@pytest.mark.parametrize(
    "amount",
    [
        "", "-", ".", "1.", ".5", "+1", "01", "-01", "00", "1,5", "1 000", "1_000", " 1", "1 ", "1\n", "1e3", "1E3",
        "NaN", "Infinity", "0x1", "１", "1.٠", "--1", "−1", "1.2.3", "R1", "1" * 41, "0." + "0" * 5_000,
    ],
)  # fmt: skip
def test_refuses_other_forms(amount: str) -> None:
    with pytest.raises(ValueError, match="decimal amount"):
        money.parse(amount, "ZAR")


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.005", "ZAR"), ("1.000", "ZAR"), ("1.0", "JPY"), ("1.0000", "KWD")]
)
def test_refuses_more_decimals_than_there_are(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=f"{currency} has . decimals"):
        money.parse(amount, currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("10000000000000.00", "ZAR"), ("1000000000000000", "JPY"), ("-1000000000000", "KWD"), ("1" * 40, "ZAR")],
)
def test_refuses_more_than_fifteen_digits(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="15 digits"):
        money.parse(amount, currency)
    with pytest.raises(ValueError, match="15 digits"):
        money.from_number(Decimal(amount), currency)


@given(MINOR, CURRENCIES)
def test_what_is_written_reads_the_same(minor: int, currency: str) -> None:
    amount = money.format(minor, currency)
    assert money.parse(amount, currency) == minor
    assert money.from_number(money.to_number(minor, currency), currency) == minor
    assert Fraction(amount) == Fraction(minor, 10 ** money.decimals(currency))
    assert len(amount.partition(".")[2]) == money.decimals(currency)


def test_writes_all_decimals() -> None:
    assert money.format(120_000, "ZAR") == "1200.00"
    assert money.format(-1, "ZAR") == "-0.01"
    assert money.format(-5, "KWD") == "-0.005"
    assert money.format(0, "ZAR") == "0.00"
    assert money.format(-7, "JPY") == "-7"
    assert str(money.to_number(1_000_000, "ZAR")) == "10000.00"


def test_reads_numbers_of_partners() -> None:
    assert money.from_number(Decimal("10000.00"), "ZAR") == 1_000_000
    assert money.from_number(Decimal("10000.000"), "ZAR") == 1_000_000
    assert money.from_number(12, "KWD") == 12_000
    assert money.from_number(Decimal("1E+3"), "JPY") == 1000


@pytest.mark.parametrize("number", [Decimal("0.001"), Decimal("1E-308"), Decimal("10.0000000000000000000000000000001")])
def test_refuses_numbers_finer_than_the_currency(number: Decimal) -> None:
    with pytest.raises(ValueError, match="2 decimals"):
        money.from_number(number, "ZAR")


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+308", "1E+999999", "-1E+16"])
def test_refuses_numbers_without_an_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"finite|15 digits"):
        money.from_number(Decimal(text), "ZAR")
    with pytest.raises(ValueError, match=r"finite|15 digits"):
        money.scale(100, Decimal(text))


def test_a_huge_exponent_costs_nothing() -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match="15 digits"):
        money.scale(100, Decimal("1E+999990"))
    with pytest.raises(ValueError, match="15 digits"):
        money.from_number(Decimal("1E+999990"), "ZAR")
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(
    ("minor", "factor", "result"),
    [
        (10_000, "0.15", 1500), (5, "0.5", 2), (15, "0.1", 2), (25, "0.1", 2), (35, "0.1", 4), (-25, "0.1", -2),
        (-35, "0.1", -4), (25, "0.10000000000000001", 3), (1, "0.49999999999999999999999999999999", 0),
        (0, "1E+20", 0), (7, "0E+50", 0), (100, "1E-400", 0), (LIMIT, "1", LIMIT), (LIMIT, "-1", -LIMIT),
    ],
)  # fmt: skip
def test_derived_amounts_are_rounded_half_to_even(minor: int, factor: str, result: int) -> None:
    assert money.scale(minor, Decimal(factor)) == result


@given(MINOR, st.decimals(-100, 100, places=20))
def test_scaling_is_exact_before_it_rounds(minor: int, factor: Decimal) -> None:
    exact = round(Fraction(minor) * Fraction(factor))
    if abs(exact) > LIMIT:
        with pytest.raises(ValueError, match="15 digits"):
            money.scale(minor, factor)
    else:
        assert money.scale(minor, factor) == exact


def test_scaling_refuses_more_than_fifteen_digits() -> None:
    with pytest.raises(ValueError, match="15 digits"):
        money.scale(LIMIT, Decimal("1.000000000000001"))
    with pytest.raises(ValueError, match="15 digits"):
        money.scale(10**14, Decimal(10))
