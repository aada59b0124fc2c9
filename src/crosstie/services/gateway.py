"""The gateway: whoever asks a service gets its answer here, whether a module of Crosstie or a remote service gives it.

A read of a remote service is a question, whose answer is kept where the contract says so. A change is a call with a
row: it is written down before anything is sent, and again with what came of it. In between no transaction is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from crosstie.db import session
from crosstie.declare.service import Implementation, Operation, Service
from crosstie.errors import Problem, ServiceUnavailable, ServiceUnconfigured
from crosstie.kit import json
from crosstie.log import call as calls
from crosstie.log.call import Wish
from crosstie.log.event import Actor
from crosstie.log.idempotency import Answer, Key
from crosstie.log.unit import Log
from crosstie.services import files, verdict
from crosstie.services.answers import Answers, Question
from crosstie.services.caller import Caller
from crosstie.services.desk import JSON, MARK, Desk
from crosstie.services.peer import Peer, Peers
from crosstie.services.remote import TRACEPARENT, Call, Outcome


class Gateway:
    """Asks services. One per process."""

    def __init__(self, log: Log, peers: Peers, caller: Caller, answers: Answers) -> None:
        self._log = log
        self.peers = peers
        self.caller = caller
        self._answers = answers
        self._desk = Desk(log, caller.remote.pace.whole)

    async def builtin(self, tenant_id: UUID, service: Service, operation: Operation) -> Implementation | None:
        """The function of Crosstie that answers this tenant; None where a remote service does.

        Raises ServiceUnconfigured where nobody does.
        """
        if await self.peers.find(tenant_id, service.name) is not None:
            return None
        found = self._log.catalogue.providers[service.name].operations.get(operation.name)
        if found is None:
            raise ServiceUnconfigured(f"Crosstie itself has no {service.name}.{operation.name}: name a remote service.")
        return found

    async def ask(self, tenant_id: UUID, name: str, given: Mapping[str, Any], actor: Actor) -> Any:
        """Read from a service, as code outside any Unit may; the document of its answer.

        Raises RuntimeError inside a Unit, for either kind of provider: there `unit.request` has it done afterwards.
        """
        if session.INSIDE.get():
            raise RuntimeError(f"{name} is awaited inside a Unit: use unit.request")
        service, operation = self._log.catalogue.operation(name)
        if operation.mutates:
            raise RuntimeError(f"{name} changes something: use unit.request")
        calls.check(operation, given)
        function = await self.builtin(tenant_id, service, operation)
        if function is None:
            answer = await self.read(Wish(tenant_id, actor, service, operation, given))
            return json.loads(answer.body)
        async with self._log.unit(tenant_id, actor) as unit:
            return await function(unit, given)

    # remote reads

    async def read(self, wish: Wish) -> Answer:
        """The answer of a remote service to a question: its own, or one that is kept and marked with its age."""
        call = await self._call(wish)
        cached = wish.operation.cached
        if cached is None:
            return Answer(200, self._document(call, await self.caller.call(call)), dict(JSON))
        question = Question.of(call)
        kept, now = await self._answers.find(question, cached.seconds)
        if kept is not None and kept.fresh:
            return Answer(200, kept.document, JSON | {"age": str(int(kept.age))})
        outcome = await self.caller.call(call)
        if outcome.code and kept is not None and kept.serves(wish.operation):
            return Answer(200, kept.document, JSON | {"age": str(int(kept.age)), MARK: "stale"})
        found = self._document(call, outcome)
        await self._answers.keep(question, now, found)
        return Answer(200, found, dict(JSON))

    def _document(self, call: Call, outcome: Outcome) -> bytes:
        if outcome.code:
            raise verdict.unavailable(call.service.name, outcome)
        return json.dumps(verdict.document(call, outcome))

    # remote changes

    async def change(self, wish: Wish, key: Key | None, refused: Callable[[Problem], Answer]) -> Answer:
        """What a remote service answered to a change; 202 with an operation where that is not known yet.

        `key` is the caller's Idempotency-Key: the service gets one that follows from it, so that a repeat is one there,
        too. `refused` draws the answer of a refusal.
        """
        files.check(self._log, wish)
        peer = await self._peer(wish)
        begun = await self._desk.begin(wish, key, peer.base_url)
        if isinstance(begun, Answer):
            return begun
        given = files.linked(self._log, wish, begun.created_at)
        call = Call(peer, wish.service, wish.operation, given, begun.key, headers(wish))
        outcome = await self.caller.call(call)
        return await self._desk.end(wish, begun, call, outcome, key, refused)

    async def _call(self, wish: Wish) -> Call:
        return Call(await self._peer(wish), wish.service, wish.operation, wish.given, None, headers(wish))

    async def _peer(self, wish: Wish) -> Peer:
        peer = await self.peers.find(wish.tenant_id, wish.service.name)
        if peer is None:
            raise ServiceUnavailable("The provider has just been changed; try again.", headers={"Retry-After": "1"})
        return peer


def headers(wish: Wish) -> dict[str, str]:
    """What goes along with every request: whose it is, and where it belongs."""
    found = {"x-tenant-id": str(wish.tenant_id)}
    if wish.correlation_id:
        found["x-request-id"] = wish.correlation_id
    if wish.trace:
        found[TRACEPARENT] = wish.trace
    return found
