"""Providers whose every attempt somebody hears of: so their health shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from crosstie.modules.notifications.letter import Letter, Provider, Verdict

#: what they are among the integrations
KIND = "notification_provider"
#: hears of an attempt: tenant, the provider's id, its kind and name, milliseconds, and why it failed
Observe = Callable[[UUID, UUID, str, str, float, str | None], None]


class Watched:
    """A provider, under the id by which it is known among the integrations."""

    def __init__(self, provider: Provider, id: UUID, observe: Observe) -> None:
        self.name = provider.name
        self._provider = provider
        self._id = id
        self._observe = observe

    async def send(self, letter: Letter) -> Verdict:
        """Make one attempt."""
        began = time.perf_counter()
        verdict = await self._provider.send(letter)
        milliseconds = (time.perf_counter() - began) * 1000
        # what is final is about this message: its provider works
        error = None if verdict.ok or verdict.final else verdict.code or "failed"
        self._observe(letter.tenant_id, self._id, KIND, self.name, milliseconds, error)
        return verdict
