"""Values that open something: made of signed links when a message leaves, and written down nowhere."""

from __future__ import annotations

from crosstie.access import user as users
from crosstie.access.user import User
from crosstie.errors import NotFound
from crosstie.log.unit import Unit
from crosstie.modules.notifications.message import Message

MADE = {"user.invited": users.invitation, "user.reset_requested": users.resetting}


async def made(unit: Unit, row: Message) -> str | None:
    """The address that the message is about; None where it would open nothing any more."""
    if row.user_id is None:
        return None
    try:
        user = await unit.get(User, row.user_id)
    except NotFound:
        return None
    return MADE[row.template](unit, user) if user.status == "active" else None
