"""No event type without somebody who sends it and somebody who waits for it (B-159)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crosstie.declare.catalogue import Catalogue
from crosstie.declare.event import EventType
from crosstie.declare.module import Module
from crosstie.errors import DeclarationError

TYPE = EventType("acme.meter.read", "A meter was read.", {"type": "object"}, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"producers": ()}, "needs producers"),
        ({"consumers": ()}, "needs consumers"),
        ({"consumers": ("nobody",)}, "needs consumers"),
        ({"open": True}, "is open exactly where"),
        ({"producers": ("erp",)}, "is open exactly where"),
    ],
)
def test_orphans_and_dead_ends_are_refused(changes: dict[str, Any], words: str) -> None:
    Catalogue([Module("acme", "Meters.", events=(TYPE,))])
    with pytest.raises(DeclarationError, match=words):
        Catalogue([Module("acme", "Meters.", events=(replace(TYPE, **changes),))])
