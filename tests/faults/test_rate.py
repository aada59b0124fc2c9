"""Rate limits as arithmetic: whatever is claimed when, no span of time takes more than the limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crosstie.log.rate import allowance

LIMITS = st.tuples(st.integers(1, 50), st.sampled_from([1.0, 2.0, 10.0, 60.0]))
#: waits before each claim, and how many it would like
CLAIMS = st.lists(st.tuples(st.floats(0, 90), st.integers(0, 80)), max_size=60)


@given(LIMITS, CLAIMS)
def test_no_span_takes_more_than_the_limit(limit: tuple[int, float], claims: list[tuple[float, int]]) -> None:
    most, span = limit
    now, taken = 1_790_000_000.0, []
    blocks: list[list[float]] = []
    for wait, wanted in claims:
        now += wait
        found = allowance(limit, blocks, now)
        count = min(wanted, found.room)
        blocks = [*found.blocks, [now, float(count)]] if count else found.blocks
        taken.append((now, count))
        assert sum(n for at, n in taken if now - span < at <= now) <= most


@given(LIMITS, CLAIMS)
def test_who_waits_as_told_gets_something(limit: tuple[int, float], claims: list[tuple[float, int]]) -> None:
    now, blocks = 1_790_000_000.0, list[list[float]]()
    for wait, wanted in claims:
        now += wait
        found = allowance(limit, blocks, now)
        if not found.room:
            assert 0 < found.again <= limit[1]
            now += found.again + 1e-6  # as fine as the clock of the database
            found = allowance(limit, blocks, now)
        assert found.room
        blocks = [*found.blocks, [now, float(min(max(wanted, 1), found.room))]]


@given(LIMITS)
def test_an_idle_endpoint_has_its_whole_limit(limit: tuple[int, float]) -> None:
    assert allowance(limit, [[100.0, float(limit[0])]], 100.0 + limit[1]).room == limit[0]
