"""A default that is none of a field's values is refused at import; a list that must not be empty has none."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Mapped

from crosstie.declare import kind as kinds
from crosstie.declare.field import described, many, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record, Row
from crosstie.errors import DeclarationError


def test_defaults_are_held_against_their_kind() -> None:
    class Gauge(Record):
        """For this test."""

        __tablename__ = "gauges"

        good: Mapped[list[Any]] = many(kinds.Text(5), doc="May be empty.")
        must: Mapped[list[Any]] = many(kinds.Text(5), doc="Must not be empty.", min=1)
        bad: Mapped[str] = text(3, doc="Too short for its default.", default="longer")

    try:
        assert described(Gauge.good).initial() == []
        assert described(Gauge.must).required
        Resource(row=Gauge, name="gauges", read=(Gauge.good, Gauge.must))
        with pytest.raises(DeclarationError, match="the default of bad is none of its values: it must have 0 to 3"):
            Resource(row=Gauge, name="gauges", read=(Gauge.bad,))
    finally:
        Row.metadata.remove(Gauge.__table__)  # type: ignore[arg-type]  # a Table, though typed as FromClause
        Row.registry._dispose_cls(Gauge)
