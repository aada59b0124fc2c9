"""What OAuth keeps is forgotten when it is over: codes, families with their refresh tokens, revocations."""

from __future__ import annotations

from uuid import UUID

from crosstie.access.oauth import kept
from crosstie.db import session
from crosstie.kit import clock
from crosstie.log.rounds import Rounds


class Sweeper(Rounds):
    """Looks at all tenants, suspended ones too. Any number of processes may: what is gone is gone."""

    EVERY = 600.0
    ACTIVE = False

    async def sweep(self, tenant_id: UUID) -> None:
        """Forget what is over for one tenant."""
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            await kept.sweep(connection, clock.now())
