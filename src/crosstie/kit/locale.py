"""The languages that people are spoken to in, and values as their readers see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_currency, format_decimal

#: the first is for whoever asks for none of them
LANGUAGES = ("en", "ar")


def money(value: Mapping[str, str], locale: str) -> str:
    """An amount as the wire has it."""
    return str(format_currency(Decimal(value["amount"]), value["currency"], locale=locale))


def number(value: Decimal, locale: str) -> str:
    """A number."""
    return str(format_decimal(value, locale=locale))


def day(value: date, locale: str) -> str:
    """A day of the calendar."""
    return str(format_date(value, "d MMMM y", locale=locale))


def moment(value: datetime, locale: str, zone: str) -> str:
    """A point in time, as clocks of a zone show it."""
    return str(format_datetime(value, "d MMMM y, HH:mm z", tzinfo=get_timezone(zone), locale=locale))
