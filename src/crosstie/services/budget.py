"""The retry budget: a service that fails now and then must not get much more to do because of it.

Each peer has a bucket of tries, which a call fills by a fifth of one and time by one a second; it holds enough for as
many failing calls in a row as open the breaker, so that it is felt only where a part of all calls fails for long.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

#: tries that a bucket holds, what a call and a second add, buckets of one process
HELD, CALL, SECOND, MOST = 30.0, 0.2, 1.0, 10_000


@dataclass(slots=True)
class Budget:
    """The tries of one peer."""

    held: float = HELD
    at: float = field(default_factory=time.monotonic)

    def call(self) -> None:
        """A call begins."""
        self._add(CALL)

    def retry(self) -> bool:
        """Take a try, where there is one."""
        self._add(0.0)
        if self.held < 1.0:
            return False
        self.held -= 1.0
        return True

    def _add(self, tries: float) -> None:
        now = time.monotonic()
        self.held = min(HELD, self.held + tries + (now - self.at) * SECOND)
        self.at = now


class Budgets:
    """The budgets of one process."""

    def __init__(self) -> None:
        self._known: dict[UUID, Budget] = {}

    def of(self, peer: UUID) -> Budget:
        """The budget of a peer."""
        found = self._known.get(peer)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()
            found = self._known[peer] = Budget()
        return found
