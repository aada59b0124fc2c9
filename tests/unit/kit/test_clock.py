from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import clock

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001 - zones are drawn


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, UTC)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57, 0, UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870_000, UTC)),
        ("2024-02-29t00:00:00z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2026-01-01T00:00:00-00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00+23:59", datetime(2025, 12, 31, 0, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.1234567Z", datetime(2026, 1, 1, 0, 0, 0, 123_456, UTC)),
        ("2026-01-01T00:00:00.123456789+01:00", datetime(2025, 12, 31, 23, 0, 0, 123_456, UTC)),
        ("0001-01-01T00:00:00.000001Z", datetime(1, 1, 1, 0, 0, 0, 1, UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, 0, UTC)),
    ],
)
def test_reads_rfc_3339(text: str, moment: datetime) -> None:
    assert clock.parse(text) == moment
    assert clock.parse(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31 09:30:00Z", "2026-01-31T09:30Z", "20260131T093000Z",
        "2026-01-31T09:30:00+02", "2026-01-31T09:30:00+0200", "2026-01-31T09:30:00+02:00:30", "2026-01-31T09:30:00 Z",
        "2026-01-31T09:30:00.Z", "2026-01-31T09:30:00,5Z", "2026-01-31T09:30:00.1234567890Z", "2026-W05-6T09:30:00Z",
        "2026-01-31T09:30:00Z\n", " 2026-01-31T09:30:00Z", "2026-01-31T09:30:00ZZ", "+2026-01-31T09:30:00Z",
        "２026-01-31T09:30:00Z", "2026-1-31T09:30:00Z", "1769851800",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2016-12-31T23:59:60Z", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00-99:00",
    ],
)  # fmt: skip
def test_refuses_other_forms(text: str) -> None:
    with pytest.raises(ValueError, match="not an RFC 3339"):
        clock.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    ],
)  # fmt: skip
def test_refuses_days_that_do_not_exist(text: str) -> None:
    with pytest.raises(ValueError, match="no such day"):
        clock.parse(text)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000009Z", "9999-12-31T23:59:59.999999Z"]
)
def test_refuses_what_the_database_would_hold_for_infinity(text: str) -> None:
    with pytest.raises(ValueError, match="calendar ends"):
        clock.parse(text)


@given(INSTANTS)
def test_what_is_written_reads_the_same(moment: datetime) -> None:
    text = clock.format(moment)
    assert clock.parse(text) == moment
    assert clock.format(clock.parse(text)) == text
    assert ("." in text) == (moment.microsecond > 0)


def test_writes_utc() -> None:
    assert clock.format(datetime(2026, 1, 31, 9, 30, tzinfo=UTC)) == "2026-01-31T09:30:00Z"
    assert clock.format(datetime(2026, 1, 31, 9, 30, 0, 5, UTC)) == "2026-01-31T09:30:00.000005Z"
    assert clock.format(datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-31T07:30:00Z"


def test_refuses_to_write_a_naive_time() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        clock.format(datetime(2026, 1, 31))  # noqa: DTZ001 - that is the case


def test_now_is_aware_and_now() -> None:
    assert clock.now().tzinfo is UTC
    assert abs(clock.now().timestamp() - datetime.now(UTC).timestamp()) < 5
