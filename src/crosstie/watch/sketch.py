"""Sketches of durations: counts in buckets that grow by a fixed part, so that a quantile is right within four percent.

Sketches of different processes and times are added up; a mean could not be, and raw values would be too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, log

GROWTH = 1.08
_LOG = log(GROWTH)


@lru_cache(8192)
def bucket(milliseconds: float) -> int:
    """The bucket of a duration; everything below a millisecond is in the first."""
    return 0 if milliseconds < 1 else 1 + int(log(milliseconds) / _LOG)


def middle(number: int) -> float:
    """What stands for a bucket, in milliseconds: its geometric middle."""
    return 0.5 if number == 0 else float(GROWTH ** (number - 0.5))


def quantile(counts: Mapping[int, int], part: float) -> float | None:
    """The duration in milliseconds that this part of all is not above; None where there is nothing."""
    total = sum(counts.values())
    if not total:
        return None
    rank, seen = max(1, ceil(part * total)), 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank:
            return middle(number)
    raise AssertionError("ranks end with the total")
