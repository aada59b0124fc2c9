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
#: stands for every tenant in a wish
EVERY = UUID(int=0)


class News:
    """One per process."""

    def __init__(self) -> None:
        self._readers: list[Callable[[UUID], None]] = []
        #: tells other processes, by channel
        self.send: Callable[[str, Iterable[UUID]], None] = lambda channel, tenants: None
        self._wanted: dict[UUID, float] = {}

    def listen(self, hear: Callable[[UUID], None]) -> None:
        """One more reader of this process."""
        self._readers.append(hear)

    def tell(self, tenants: Iterable[UUID]) -> None:
        """Events of these tenants were committed here."""
        for tenant in tenants:
            self._hear(tenant)
            if self._wants(tenant) or self._wants(EVERY):
                self.send(LIVE, (tenant,))

    def _hear(self, tenant_id: UUID) -> None:
        for hear in self._readers:
            hear(tenant_id)

    def _wants(self, tenant_id: UUID) -> bool:
        until = self._wanted.get(tenant_id)
        if until is not None and until <= time.monotonic():
            del self._wanted[tenant_id]
            return False
        return until is not None

    def want(self, tenants: Iterable[UUID]) -> None:
        """This process has readers of these tenants, or of EVERY one; said again every few seconds."""
        self.send(WANTED, tenants)

    def heard(self, channel: str, tenants: Iterable[UUID]) -> None:
        """Another process said so."""
        if channel == LIVE:
            for tenant in tenants:
                self._hear(tenant)
        else:
            self._wanted.update(dict.fromkeys(tenants, time.monotonic() + STANDS))
