"""The words in which a counterpart is written: a function per operation of its contract, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from crosstie.kit import clock, money
from crosstie.sandbox.books import Document, Shelf

Given = Mapping[str, Any]
Rejection = tuple[str, Document]
#: quantities are below it, with so many decimals
MOST, PLACES = 10**12, 6


class Refused(Exception):
    """A call that the service does not follow; it says so with a status and a code."""

    def __init__(self, code: str, words: str, status: int = 422) -> None:
        super().__init__(words)
        self.code, self.words, self.status = code, words, status


@dataclass(frozen=True)
class Verb:
    """What an operation does: (shelf, given) -> the answer. It runs in one transaction with what follows from it."""

    run: Callable[[Shelf, Given], Document]
    #: the names of the values that say what a call is for: two effects for the same are one too many
    about: tuple[str, ...] = ()
    #: the event that tells of a refusal, with its data, where the contract has one
    rejected: Callable[[Given], Rejection | None] = lambda given: None
    #: it looks itself after what somebody wants refused
    decides: bool = False

    def subject(self, given: Given) -> str | None:
        """What a call is for."""
        return " ".join(str(given[name]) for name in self.about if given.get(name) is not None) or None


@dataclass(frozen=True)
class Counterpart:
    """A second implementation of a service."""

    service: str
    verbs: Mapping[str, Verb]
    #: what is there from the beginning
    seed: Callable[[Shelf], None] = lambda shelf: None
    #: what happens later by itself: (shelf, document)
    later: Mapping[str, Callable[[Shelf, Document], None]] = field(default_factory=dict)


def minor(value: Any, currency: str) -> int:
    """An amount, number or decimal string, in minor units."""
    try:
        return money.from_number(Decimal(str(value)), currency)
    except (ValueError, ArithmeticError) as error:
        raise Refused("amount", f"{value} {currency}: {error}") from None


def quantity(value: Any) -> Decimal:
    """A quantity, number or decimal string, below a million millions."""
    found = Decimal(str(value))
    if abs(found) >= MOST or found != round(found, PLACES):
        raise Refused("quantity", f"{value} is no quantity of {PLACES} decimals at most.")
    return found


def scaled(amount: int, factor: Decimal) -> int:
    """Minor units times a quantity or a rate."""
    try:
        return money.scale(amount, factor)
    except ValueError as error:
        raise Refused("amount", str(error)) from None


def moment(text: str) -> datetime:
    """A point in time."""
    try:
        return clock.parse(text)
    except ValueError as error:
        raise Refused("moment", f"{text}: {error}") from None


def plain(value: Decimal) -> int | Decimal:
    """A quantity as it is written: without a fraction where it has none."""
    return int(value) if value == value.to_integral_value() else value


def page(rows: list[Document], given: Given) -> list[Document]:
    """The rows that a list asks for: `limit` of them behind `cursor`, which counts from the beginning."""
    cursor = given.get("cursor") or "0"
    start = int(cursor) if cursor.isdigit() else 0
    return rows[start : start + int(given.get("limit") or 50)]
