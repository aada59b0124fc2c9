"""The sends that one process may have under way at once, and who waits for a place: no tenant may take them all."""

from __future__ import annotations

from collections import Counter
from uuid import UUID


class Places:
    """So many places, of which one tenant may take half. Beside them a tenant may hold leases for their next turn."""

    def __init__(self, most: int) -> None:
        self._most, self._share = most, most // 2
        self._busy = 0
        self._taken: Counter[UUID] = Counter()
        self._held: Counter[UUID] = Counter()
        #: by tenant, the queues that found no place, in their order
        self._waiting: dict[UUID, dict[UUID, None]] = {}

    def hold(self, tenant_id: UUID) -> None:
        """A lease of a tenant is here, until its place is given back."""
        self._held[tenant_id] += 1

    def room(self, tenant_id: UUID) -> int:
        """How many more leases of a tenant may be here: twice its share of places, so that none waits for a claim."""
        return max(0, self._most - self._held[tenant_id])

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return self._busy >= self._most

    def take(self, tenant_id: UUID, queue: UUID) -> bool:
        """A place for a lease that is held, or a turn for its queue when one is free."""
        if self.full or self._taken[tenant_id] >= self._share:
            self._waiting.setdefault(tenant_id, {})[queue] = None
            return False
        self._busy += 1
        self._taken[tenant_id] += 1
        return True

    def give(self, tenant_id: UUID) -> None:
        """The send is over, and its lease with it."""
        self._busy -= 1
        for counts in (self._taken, self._held):
            counts[tenant_id] -= 1
            if not counts[tenant_id]:
                del counts[tenant_id]

    def turn(self) -> UUID | None:
        """The next queue that waits and would find a place, of each tenant in turn."""
        if self.full:
            return None
        for tenant_id, queues in self._waiting.items():
            if self._taken[tenant_id] < self._share:
                del self._waiting[tenant_id]
                queue = next(iter(queues))
                del queues[queue]
                if queues:
                    self._waiting[tenant_id] = queues
                return queue
        return None
