"""Whoever forgot his password: a link is sent to him. The asker learns nothing of whether there is whom he names."""

from __future__ import annotations

import structlog

from crosstie.access import audit, throttle, user
from crosstie.access.session import person
from crosstie.access.throttle import Limit
from crosstie.db.engine import TROUBLE
from crosstie.log.event import NOBODY
from crosstie.log.unit import Log

#: links, seconds: for one address; from one place for any address
ACCOUNT, FROM = (5, 3600), (30, 3600)
logger = structlog.get_logger()


async def count(log: Log, email: str, ip: str | None) -> None:
    """Count a wish before anything is looked up. Raises TooManyRequests."""
    limits = (Limit(f"forgot {email}", *ACCOUNT), Limit(f"forgot from {throttle.network(ip)}", *FROM))
    await throttle.take(log.app, log.cipher.pepper, limits)


async def send(log: Log, email: str, tenant: str) -> None:
    """Have a link sent to every user with this address whose password Crosstie keeps, in the firm that was named."""
    try:
        rows = await log.app.fetch("SELECT * FROM user_find($1, $2)", email, tenant)
        for row in rows:
            async with log.unit(row["tenant_id"], NOBODY) as unit:
                whose = await person(unit.connection, row["tenant_id"], row["id"])
                if whose is not None and whose.active and whose.local:
                    await user.forgot(unit, row["id"])
        if not rows:
            await audit.note(log.app, log.cipher, audit.INSTALLATION, NOBODY, "users.reset_requested", outcome="failed")
    except TROUBLE as error:
        logger.warning("forgot.failed", error=repr(error))  # he sees no mail come, and asks again
