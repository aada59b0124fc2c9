from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import retry

NOW = datetime(1994, 11, 6, 8, 48, 37, tzinfo=UTC)
SCHEDULE = (1, 5, 30, 120, 600, 3600, 14_400, 43_200, 86_400)


@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_waits_about_as_long_as_the_schedule_says(attempt: int, random: Random) -> None:
    seconds = retry.wait(SCHEDULE, attempt, random)
    assert seconds is not None
    assert 0.8 * SCHEDULE[attempt - 1] <= seconds <= 1.2 * SCHEDULE[attempt - 1]


def test_waits_are_spread_over_the_whole_band() -> None:
    random = Random(7)
    waits = [retry.wait([100], 1, random) or 0 for _ in range(2000)]
    assert min(waits) < 82
    assert max(waits) > 118
    assert 99 < sum(waits) / len(waits) < 101


def test_a_schedule_ends() -> None:
    assert retry.wait(SCHEDULE, 10, Random(7)) is None
    assert retry.wait([], 1, Random(7)) is None
    assert retry.wait([0], 1, Random(7)) == 0
    with pytest.raises(ValueError, match="from 1"):
        retry.wait(SCHEDULE, 0, Random(7))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0), ("120", 120), (" 120 ", 120), ("3600", 3600), ("3601", 3600), ("9" * 100, 3600),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 60), ("Sunday, 06-Nov-94 08:49:37 GMT", 60),
        ("Sun Nov  6 08:49:37 1994", 60), ("Sun, 06 Nov 1994 08:47:37 GMT", 0), ("Sun, 06 Nov 1994 08:48:37 GMT", 0),
        ("Mon, 07 Nov 1994 08:48:37 GMT", 3600), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Sun, 06 Nov 1994 10:49:37 +0200", 60), ("Sun, 06 Nov 1994 08:49:37 -0000", 60),
    ],
)  # fmt: skip
def test_reads_what_a_server_asks_for(header: str, seconds: float) -> None:
    assert retry.after(header, NOW, 3600) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None, "", " ", "-1", "+1", "1.5", "1e3", "²", "１２", "soon", "NaN", "120, 60", "9" * 101, "\0",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +9999",
        "Sun, 06 Nov 99999 08:49:37 GMT", "1994-11-06T08:49:37Z", "Sun, 06 Nov",
    ],
)  # fmt: skip
def test_passes_over_what_makes_no_sense(header: str | None) -> None:
    assert retry.after(header, NOW, 3600) is None


@given(st.text() | st.datetimes().map(lambda d: f"{d:%a, %d %b %Y %H:%M:%S} GMT"), st.floats(0, 1e6))
def test_any_header_gives_a_bounded_answer(header: str, cap: float) -> None:
    seconds = retry.after(header, NOW + timedelta(days=3650), cap)
    assert seconds is None or 0 <= seconds <= cap
