"""Integrations: every way to another system, and whether it works: up, degraded, down or disabled, why and since when.

Nobody writes them: they follow from what became of calls (pulse.py), from the lines to brokers and services
(presence.py) and from what is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Mapped

from crosstie.declare.field import choice, integer, moment, state, text
from crosstie.declare.machine import Move
from crosstie.declare.row import Record

STATES = ("up", "degraded", "down", "disabled")
#: failures one after the other, and seconds without a success, from which an integration is down
STREAK, QUIET = 3, timedelta(seconds=10)
#: percent of calls that fail, and how many calls there must be, from which it is degraded
RATE, VOLUME = 5.0, 20


class Integration(Record):
    """A way to another system: a webhook endpoint, a broker, a service; and how it is."""

    __tablename__ = "integrations"

    kind: Mapped[str] = choice("webhook_endpoint", "broker", "service", "notification_provider", doc="What it is.")
    name: Mapped[str] = text(300, doc="An endpoint's host, a broker's, service's or provider's name.")
    status: Mapped[str] = state(*STATES, doc="Whether it works.")
    reason: Mapped[str | None] = text(500, doc="Why it is not up.", nullable=True)
    since: Mapped[datetime] = moment(doc="Since when it is so.")
    last_success_at: Mapped[datetime | None] = moment(doc="When a call last went well.", nullable=True)
    last_failure_at: Mapped[datetime | None] = moment(doc="When a call last failed.", nullable=True)
    calls: Mapped[int] = integer(doc="Calls in the five minutes before `measured_at`.", default=0)
    failures: Mapped[int] = integer(doc="How many of them failed.", default=0)
    timeouts: Mapped[int] = integer(doc="How many ran into their time limit or took more than 10 s.", default=0)
    p50_ms: Mapped[int | None] = integer(doc="Median of their time, within 4 percent.", nullable=True)
    p95_ms: Mapped[int | None] = integer(doc="95th percentile of it.", nullable=True)
    p99_ms: Mapped[int | None] = integer(doc="99th percentile of it.", nullable=True)
    oldest_due_at: Mapped[datetime | None] = moment(
        doc="When the delivery was due that has waited longest.", nullable=True
    )
    measured_at: Mapped[datetime] = moment(doc="When these figures were taken.")


def _move(verb: str, target: str, doc: str) -> Move:
    sources = tuple(each for each in STATES if each != target)
    return Move(verb, sources, target, f"integration.{target}", doc, inner=True)


MOVES = {
    "up": _move("recover", "up", "An integration works again."),
    "degraded": _move("degrade", "degraded", "An integration works in part."),
    "down": _move("fail", "down", "An integration does not work."),
    "disabled": _move("disable", "disabled", "An integration was switched off."),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one integration at a moment: from its calls in the window, its line and its configuration."""

    now: datetime
    ok: int = 0
    failed: int = 0
    streak: int = 0
    ok_at: datetime | None = None
    error: str | None = None
    #: why it is switched off
    off: str | None = None
    #: processes that have it, and those that have not, with why
    there: int = 0
    away: int = 0
    fault: str | None = None


def judge(seen: Seen, before: str, reason: str | None, *, failing: bool) -> tuple[str, str | None]:
    """The status that follows, with the reason. Where nothing was called it stays as it was, while the last call was
    a failure (`failing`)."""
    if seen.off is not None:
        return "disabled", seen.off
    if seen.away and not seen.there:
        return "down", seen.fault
    calls = seen.ok + seen.failed
    words = f"{seen.streak} failures one after the other, the last: {seen.error}"
    quiet = seen.ok_at is None or seen.now - seen.ok_at >= QUIET
    if calls and quiet and (seen.streak >= STREAK or (before == "down" and not seen.ok)):
        return "down", words
    if seen.away:
        return "degraded", f"{seen.away} of {seen.away + seen.there} processes have no line: {seen.fault}"
    if not calls:
        stays = failing and not seen.there and before in ("degraded", "down")
        return (before, reason) if stays else ("up", None)
    percent = 100 * seen.failed / calls
    if percent > RATE and calls >= VOLUME:
        return "degraded", f"{percent:.1f} % of {calls} calls failed, the last: {seen.error}"
    return ("degraded", words) if seen.streak else ("up", None)


def figures(before: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What changed in a row's figures, with the moment; nothing where nothing did."""
    changed = {name: value for name, value in found.items() if before.get(name) != value and name != "measured_at"}
    return changed | {"measured_at": found["measured_at"]} if changed else {}
