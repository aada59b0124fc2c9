"""Hours of the clock where a reader is: quiet ones, and the next time of a digest. Changes of the clock are heeded."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def quiet_until(now: datetime, start: str | None, end: str | None, zone: str) -> datetime | None:
    """When the quiet that reigns now ends; None where none does. `start` and `end` are hours such as 22:00."""
    if not start or not end or start == end:
        return None
    local = now.astimezone(ZoneInfo(zone))
    clock = local.strftime("%H:%M")
    quiet = start <= clock < end if start < end else clock >= start or clock < end
    return following(now, end, zone) if quiet else None


def following(now: datetime, hour: str, zone: str) -> datetime:
    """The next moment at which clocks in that zone show this hour, or would, had they not been put forward past it."""
    there = ZoneInfo(zone)
    local = now.astimezone(there)
    for days in (0, 1, 2):
        wall = datetime.combine(local.date() + timedelta(days=days), time.fromisoformat(hour), there)
        found = wall.astimezone(UTC)
        if found > now:
            return found
    raise AssertionError("every hour comes within two days")
