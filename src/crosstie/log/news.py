"""News of the log: whoever reads it as it grows hears that it has, wherever the event was committed.

A process tells another only of tenants that the other has live readers of. So nothing is sent where nobody reads; what
is lost on the way, a sweep of the readers finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from uuid import UUID

#: channels: the log of a tenant grew; a process has readers of a tenant
LIVE, WANTED = "crosstie_live", "crosstie_wanted"
#: seconds between two NOTIFYs of LIVE, and seconds that a wish stands
REST, STANDS = 0.01, 30.0
#: how often a wish is repeated
AGAIN = STANDS / 3


class News:
    """One per process."""

    def __init__(self) -> None:
        #: readers of this process
        self.hear: Callable[[UUID], None] = lambda tenant_id: None
        #: tells other processes, by channel
        self.send: Callable[[str, Iterable[UUID]], None] = lambda channel, tenants: None
        self._wanted: dict[UUID, float] = {}

    def tell(self, tenants: Iterable[UUID]) -> None:
        """Events of these tenants were committed here."""
        for tenant in tenants:
            self.hear(tenant)
            until = self._wanted.get(tenant)
            if until is None:
                continue
            if until > time.monotonic():
                self.send(LIVE, (tenant,))
            else:
                del self._wanted[tenant]

    def want(self, tenants: Iterable[UUID]) -> None:
        """This process has readers of these tenants; said again every few seconds."""
        self.send(WANTED, tenants)

    def heard(self, channel: str, tenants: Iterable[UUID]) -> None:
        """Another process said so."""
        if channel == LIVE:
            for tenant in tenants:
                self.hear(tenant)
        else:
            self._wanted.update(dict.fromkeys(tenants, time.monotonic() + STANDS))
