"""Forgetting: calls that ended are kept as long as deliveries, answers as long as any may stand in for a service."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import asyncpg

from crosstie.declare.service import Service, Stale
from crosstie.log.forget import Forgetting


def forgetting(pool: asyncpg.Pool, services: Iterable[Service], days: int) -> Forgetting:
    """Lets go of answers, and of calls that ended so many days ago."""
    operations = [each for service in services for each in service.operations]
    stale = [each.fallback.seconds for each in operations if isinstance(each.fallback, Stale)]
    return Forgetting(pool, "services_forget", timedelta(seconds=max(stale, default=0)), timedelta(days=days))
