"""The judgements of watching, without a clock: how an integration is, and when an alert fires and ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crosstie.catalog import catalogue
from crosstie.watch import alert, integration, sketch
from crosstie.watch.alert import CALM, FIRE, RESOLVE, SUSPECT, Standing
from crosstie.watch.integration import Seen
from crosstie.watch.rule import AlertRule

catalogue()  # completes the row classes
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
LONG_AGO = NOW - timedelta(minutes=4)


def rule(**changes: object) -> AlertRule:
    return AlertRule.view({"for_seconds": 0, "clear_seconds": 60, "status": "active", **changes})


@pytest.mark.parametrize(
    ("seen", "before", "status"),
    [
        (Seen(NOW), "up", "up"),
        (Seen(NOW, ok=10, ok_at=NOW), "down", "up"),
        (Seen(NOW, ok=10, failed=1, streak=1, ok_at=LONG_AGO), "up", "degraded"),
        (Seen(NOW, failed=3, streak=3), "up", "down"),
        (Seen(NOW, failed=1, streak=1), "down", "down"),
        (Seen(NOW, ok=50, failed=3, streak=3, ok_at=LONG_AGO), "up", "down"),
        (Seen(NOW, ok=50, failed=3, streak=3, ok_at=NOW - timedelta(seconds=9)), "up", "degraded"),
        (Seen(NOW, ok=95, failed=5, ok_at=NOW), "up", "up"),
        (Seen(NOW, ok=949, failed=51, ok_at=NOW), "up", "degraded"),
        (Seen(NOW, ok=1, failed=1, ok_at=NOW), "up", "up"),
        (Seen(NOW, away=2, fault="refused"), "up", "down"),
        (Seen(NOW, there=1, away=1, fault="refused"), "up", "degraded"),
        (Seen(NOW, there=2), "down", "up"),
        (Seen(NOW, failed=9, streak=9, off="gone"), "down", "disabled"),
    ],
)
def test_how_an_integration_is(seen: Seen, before: str, status: str) -> None:
    assert integration.judge(seen, before, "as before", failing=False)[0] == status


def test_where_nothing_was_called_it_stays_as_it_was() -> None:
    assert integration.judge(Seen(NOW), "down", "as before", failing=True) == ("down", "as before")
    assert integration.judge(Seen(NOW), "degraded", "as before", failing=False) == ("up", None)


def test_an_alert_waits_fires_and_ends() -> None:
    waiting = rule(for_seconds=30)
    standing, move = alert.judge(Standing(), waiting, True, NOW)
    assert (standing, move) == (Standing("pending", NOW, None), SUSPECT)
    standing, move = alert.judge(standing, waiting, True, NOW + timedelta(seconds=29))
    assert (standing.status, move) == ("pending", None)
    standing, move = alert.judge(standing, waiting, True, NOW + timedelta(seconds=30))
    assert (standing.status, move) == ("firing", FIRE)
    end = NOW + timedelta(seconds=100)
    standing, move = alert.judge(standing, waiting, False, end)
    assert (standing, move) == (Standing("firing", None, end), None)
    back, move = alert.judge(standing, waiting, True, end + timedelta(seconds=30))
    assert (back.status, back.cleared_at, move) == ("firing", None, None)
    standing, move = alert.judge(standing, waiting, False, end + timedelta(seconds=60))
    assert (standing.status, move) == ("resolved", RESOLVE)


def test_a_value_that_falls_in_time_fires_nothing() -> None:
    standing, _ = alert.judge(Standing(), rule(for_seconds=30), True, NOW)
    standing, move = alert.judge(standing, rule(for_seconds=30), False, NOW + timedelta(seconds=10))
    assert (standing.status, move) == ("ok", CALM)


def test_a_muted_rule_fires_nothing_and_speaks_afterwards() -> None:
    standing, move = alert.judge(Standing(), rule(status="muted"), True, NOW)
    assert (standing.status, move) == ("pending", SUSPECT)
    standing, move = alert.judge(standing, rule(status="muted"), True, NOW + timedelta(hours=1))
    assert (standing.status, move) == ("pending", None)
    assert alert.judge(standing, rule(), True, NOW + timedelta(hours=2))[1] is FIRE


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
def test_a_quantile_is_right_within_four_percent(part: float) -> None:
    values = [1.0 + (number * 7919 % 10_007) / 3 for number in range(5_000)]
    counts: dict[int, int] = {}
    for value in values:
        counts[sketch.bucket(value)] = counts.get(sketch.bucket(value), 0) + 1
    found = sketch.quantile(counts, part)
    exact = sorted(values)[int(part * len(values))]
    assert found == pytest.approx(exact, rel=0.04)


def test_of_nothing_there_is_no_quantile() -> None:
    assert sketch.quantile({}, 0.5) is None
