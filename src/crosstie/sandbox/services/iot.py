"""IoT: two devices whose measurements follow from the clock."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from crosstie.kit import clock
from crosstie.sandbox.books import Document, Shelf
from crosstie.sandbox.verb import Counterpart, Given, Refused, Verb, moment, page

DEVICES = {"device-uuid": ("temperature", "C", 21.5), "pump-uuid": ("pressure", "bar", 3.2)}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: one measurement a minute, for a day unless told otherwise, and never more than so many
USUAL, SPAN, MOST = 60, timedelta(days=1), 2_000


def get_telemetry(shelf: Shelf, given: Given) -> Document:
    """The measurements of a device, newest first."""
    if given["id"] not in DEVICES:
        raise Refused("not_found", "There is no such device.", 404)
    metric, unit, middle = DEVICES[given["id"]]
    until = min(moment(given["to"]) if given.get("to") else clock.now(), clock.now())
    since = moment(given["from"]) if given.get("from") else until - SPAN
    step = _step(given.get("interval"))
    count = (
        max(0, min(MOST, int((until - since).total_seconds()) // step)) if given.get("metric", metric) == metric else 0
    )
    newest = int(until.timestamp()) // step * step
    times = [newest - number * step for number in range(count)]
    readings = [
        {"metric": metric, "value": _value(middle, at), "unit": unit, "measured_at": _written(at)} for at in times
    ]
    return {"readings": page(readings, given), "total": count}


def _value(middle: float, at: int) -> float:
    return round(middle * (1 + 0.05 * math.sin(at / 3600)), 2)


def _written(at: int) -> str:
    return clock.format(datetime.fromtimestamp(at, UTC))


def _step(text: str | None) -> int:
    if text is None:
        return USUAL
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in UNITS or int(number) == 0:
        raise Refused("interval", f"{text} is no interval such as 5m or 1h.")
    return int(number) * UNITS[unit]


COUNTERPART = Counterpart("iot", {"get_telemetry": Verb(get_telemetry, ("id",))})
