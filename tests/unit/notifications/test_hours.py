"""Quiet hours and digests by the reader's own clock, also when clocks are put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crosstie.modules.notifications.hours import following, quiet_until


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "until"),
    [
        ("2026-06-01T19:59:59", "Africa/Johannesburg", None),
        ("2026-06-01T20:00:00", "Africa/Johannesburg", "2026-06-02T04:00:00"),  # 22:00 there
        ("2026-06-02T03:59:59", "Africa/Johannesburg", "2026-06-02T04:00:00"),
        ("2026-06-02T04:00:00", "Africa/Johannesburg", None),
        ("2026-06-01T20:00:00", "Asia/Dubai", "2026-06-02T02:00:00"),
        ("2026-06-01T20:00:00", "America/New_York", None),
        ("2026-03-29T00:30:00", "Europe/Berlin", "2026-03-29T04:00:00"),  # the night has an hour less
        ("2026-10-24T22:30:00", "Europe/Berlin", "2026-10-25T05:00:00"),  # and this one an hour more
    ],
)
def test_from_ten_to_six(now: str, zone: str, until: str | None) -> None:
    assert quiet_until(at(now), "22:00", "06:00", zone) == (at(until) if until else None)


def test_quiet_within_a_day_and_none() -> None:
    assert quiet_until(at("2026-06-01T12:30:00"), "12:00", "14:00", "UTC") == at("2026-06-01T14:00:00")
    assert quiet_until(at("2026-06-01T14:00:00"), "12:00", "14:00", "UTC") is None
    assert quiet_until(at("2026-06-01T14:00:00"), None, None, "UTC") is None
    assert quiet_until(at("2026-06-01T14:00:00"), "14:00", "14:00", "UTC") is None


def test_an_hour_that_is_left_out_comes_all_the_same() -> None:
    """At 02:00 clocks go to 03:00: 02:30 is an hour later by the old ones, and it is never in the past."""
    assert following(at("2026-03-28T23:00:00"), "02:30", "Europe/Berlin") == at("2026-03-29T01:30:00")
    assert following(at("2026-03-29T01:30:00"), "02:30", "Europe/Berlin") == at("2026-03-30T00:30:00")


def test_an_hour_that_comes_twice_counts_once() -> None:
    assert following(at("2026-10-24T23:00:00"), "02:30", "Europe/Berlin") == at("2026-10-25T00:30:00")
    assert following(at("2026-10-25T00:30:00"), "02:30", "Europe/Berlin") == at("2026-10-26T01:30:00")


def test_the_same_minute_is_tomorrow() -> None:
    assert following(at("2026-06-01T08:00:00"), "08:00", "UTC") == at("2026-06-02T08:00:00")
