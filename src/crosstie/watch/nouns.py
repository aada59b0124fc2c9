"""What watching declares: integrations, alert rules and alerts."""

from __future__ import annotations

from crosstie.declare.module import Module
from crosstie.watch.alert import ALERTS
from crosstie.watch.health import INTEGRATIONS
from crosstie.watch.presence import processes, turns
from crosstie.watch.pulse import pulses
from crosstie.watch.rule import ALERT_RULES

MODULE = Module(
    "watch",
    "The health of integrations, and alerts.",
    resources=(INTEGRATIONS, ALERT_RULES, ALERTS),
    tables=(pulses, processes, turns),
)
