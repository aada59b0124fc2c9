"""When to try again: the waits of a schedule, and what `Retry-After` asks for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

SPREAD = 0.2
"""Each wait is shortened or lengthened by up to a fifth, so that what failed together does not return together."""


def wait(schedule: Sequence[float], attempt: int, random: Random) -> float | None:
    """Seconds to wait after the failed attempt number `attempt` (from 1), or None when the schedule is used up.

    A schedule of n waits means n + 1 attempts.
    """
    if attempt < 1:
        raise ValueError("attempts are counted from 1")
    if attempt > len(schedule):
        return None
    return schedule[attempt - 1] * random.uniform(1 - SPREAD, 1 + SPREAD)


def after(header: str | None, now: datetime, cap: float) -> float | None:
    """Seconds that a `Retry-After` header (RFC 9110 §10.2.3: seconds or an HTTP date) asks for, within 0 and `cap`.

    None when there is no header or it makes no sense: then the schedule alone decides.
    """
    text = (header or "").strip()
    if len(text) > 100 or not text.isascii():
        return None
    if text.isdigit():
        return min(float(text), cap)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # the asctime form has no zone: it is UTC by definition
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), cap)
