"""The way to a remote service: a place among the calls under way, the breaker's leave, the call, and what it learnt."""

from __future__ import annotations

import asyncio
from uuid import UUID

from crosstie.db import session
from crosstie.log.call import Asked
from crosstie.log.sink import RESTING
from crosstie.services.breaker import Breaker, Resting
from crosstie.services.peer import Peer
from crosstie.services.remote import BUSY, Call, Outcome, Remote

#: calls under way to one peer in one process, seconds that one waits for its place, peers that are known
ABREAST, PATIENCE, MOST = 64, 1.0, 10_000


class Caller:
    """Calls remote services. One per process."""

    def __init__(self, remote: Remote, breaker: Breaker) -> None:
        self.remote = remote
        self._breaker = breaker
        self._places: dict[UUID, asyncio.Semaphore] = {}

    async def call(self, call: Call) -> Outcome:
        """Ask a service. Where it is not asked at all, the outcome's code is RESTING. Raises RuntimeError in a Unit."""
        if session.INSIDE.get():
            raise RuntimeError(f"{call.name} is called inside a transaction: use unit.request")
        places = self._of(call.peer)
        try:
            async with asyncio.timeout(PATIENCE):
                await places.acquire()
        except TimeoutError:
            return self._resting(call, f"{ABREAST} calls to it are under way", PATIENCE)
        try:
            probe = await self._breaker.enter(call.peer)
            return await self._asked(call, probe=probe)
        except Resting as rest:
            return self._resting(call, "it failed again and again and is left in peace", rest.seconds)
        finally:
            places.release()

    async def _asked(self, call: Call, *, probe: bool) -> Outcome:
        outcome = await self.remote.call(call, once=probe)
        if outcome.code and outcome.code != BUSY:
            await self._breaker.failed(call.peer, outcome.words or outcome.code, probe=probe)
        else:
            await self._breaker.succeeded(call.peer)
        return outcome

    def _resting(self, call: Call, words: str, seconds: float) -> Outcome:
        self.remote.observe(Asked(call.peer.tenant_id, call.peer.id, call.name, RESTING, False, 0.0, 0))
        return Outcome(RESTING, words, retry_after=seconds)

    def _of(self, peer: Peer) -> asyncio.Semaphore:
        found = self._places.get(peer.id)
        if found is None:
            if len(self._places) >= MOST:
                self._places = {id: each for id, each in self._places.items() if each.locked()}
            found = self._places[peer.id] = asyncio.Semaphore(ABREAST)
        return found
