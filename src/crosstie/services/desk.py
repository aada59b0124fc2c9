"""The desk: where a change that a caller waits for is written down, before it is sent and after.

A caller's Idempotency-Key names one row, whose own key at the service never changes: whoever dies in between, the next
one asks again with the same. A change whose outcome is unknown goes to the worker, and so does one that may wait.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from crosstie.db.statement import compiled
from crosstie.declare.service import Queued
from crosstie.errors import AlreadyRunning, KeyReused, NotFound, Problem, ServiceFault
from crosstie.kit import json
from crosstie.log import call as calls
from crosstie.log.call import OVER, ServiceCall, Wish
from crosstie.log.idempotency import Answer, Key, entered, keep
from crosstie.log.operation import OPERATIONS, Operation, settle, watched
from crosstie.log.refusal import Twin
from crosstie.log.unit import Log, Unit
from crosstie.services.record import Verdict, judge, note
from crosstie.services.remote import Call, Outcome

JSON = {"content-type": "application/json"}
#: says that an answer is not what the service itself says now
MARK = "crosstie-fallback"
#: seconds after the longest call at which its outcome counts as unknown
GRACE = 13.0
CLAIMED = compiled(
    sa.select(ServiceCall.__table__)
    .where(ServiceCall.__table__.c.claim == sa.bindparam("claim", type_=sa.Uuid()))
    .with_for_update()
)


class Desk:
    """Writes calls down. One per process."""

    def __init__(self, log: Log, longest: float) -> None:
        self._log = log
        self._lease = timedelta(seconds=longest + GRACE)

    async def begin(self, wish: Wish, key: Key | None, where: str) -> ServiceCall | Answer:
        """The row of a change that may now be sent to this address; or the answer, where a repeat of it is known.

        Raises AlreadyRunning while the same is being sent, KeyReused where the key stood for another change.
        """
        if key is None:
            async with self._log.unit(wish.tenant_id, wish.actor, **_context(wish)) as unit:
                return await self._written(unit, wish, json.dumps(wish.given), sent_to=where)
        await self._log.cipher.load(self._log.app, wish.tenant_id)
        async with entered(self._log, wish.tenant_id, key) as (connection, stored):
            if stored is not None:
                return stored
            unit = Unit(self._log, connection, wish.tenant_id, wish.actor, **_context(wish))
            begun = await self._claimed(unit, wish, key, where)
            if isinstance(begun, Answer):
                await keep(unit, key, begun)
            await unit.finish()
        unit.committed()
        return begun

    async def _written(self, unit: Unit, wish: Wish, given: bytes, **more: Any) -> ServiceCall:
        lease = unit.now + self._lease
        return await calls.write(
            unit, wish.service.name, wish.name, given, status="running", lease_until=lease, attempts=1,
            provider="remote", **more,
        )  # fmt: skip

    async def _claimed(self, unit: Unit, wish: Wish, key: Key, where: str) -> ServiceCall | Answer:
        """The row that a key stands for: new, or that of an earlier request which has no stored answer."""
        given = json.dumps(wish.given)
        rows = await unit.fetch(CLAIMED, claim=key.place)
        if not rows:
            return await self._written(unit, wish, given, claim=key.place, sent_to=where)
        row = ServiceCall.view(rows[0])
        if (row.operation, row.given) != (wish.name, given.decode()):
            raise KeyReused()
        if row.status == "running" and row.lease_until is not None and row.lease_until > unit.now:
            raise AlreadyRunning(headers={"Retry-After": "1"})
        if row.status == "running":  # whoever sent it is gone
            row = await calls.take(unit, row, "lose", {"lease_until": None})
        if row.status in ("pending", "uncertain") or row.unanswered_at is not None:  # nobody sends it again unasked
            return await _accepted(unit, row)
        if row.status == "done":
            return _done(wish, row.answer or "null")
        fresh = {"status": "running", "lease_until": unit.now + self._lease, "attempts": row.attempts + 1}
        return unit.update(row, fresh | {"finished_at": None, "sent_to": where})

    async def end(
        self,
        wish: Wish,
        begun: ServiceCall,
        call: Call,
        outcome: Outcome,
        key: Key | None,
        refused: Callable[[Problem], Answer],
    ) -> Answer:
        """Note what came of it, and draw the caller's answer. Raises what no key stands for: 502 and 503."""
        found = judge(call, outcome)
        if key is not None:
            await self._log.cipher.load(self._log.app, wish.tenant_id)
        try:
            async with self._log.unit(wish.tenant_id, wish.actor, **_context(wish)) as unit:
                row = await unit.get(ServiceCall, begun.id, lock=True)
                answer = await self._answer(unit, wish, row, found, refused)
                if key is not None and answer is not None:
                    await keep(unit, key, answer)
        except Twin:
            raise AlreadyRunning(headers={"Retry-After": "1"}) from None
        if answer is None:
            assert found.problem is not None
            raise found.problem
        return answer

    async def _answer(
        self, unit: Unit, wish: Wish, row: ServiceCall, found: Verdict, refused: Callable[[Problem], Answer]
    ) -> Answer | None:
        if row.status == "done":  # it took so long that it was given to the worker, who was faster
            return _done(wish, row.answer or "null")
        if row.status != "running":
            return await _accepted(unit, row)
        if found.move == "complete":
            await note(unit, row, found, {})
            return _done(wish, json.dumps(found.document).decode())
        if found.move == "lose":
            return await _accepted(unit, await note(unit, row, found, {}))
        if found.move == "fail":
            await note(unit, row, found, {})
            assert found.problem is not None
            return None if isinstance(found.problem, ServiceFault) else refused(found.problem)
        if isinstance(wish.operation.fallback, Queued):
            return await _accepted(unit, await calls.take(unit, row, "queue", found.changes()))
        await calls.take(unit, row, "fail", found.changes())
        return None


def _done(wish: Wish, document: str) -> Answer:
    return Answer(wish.operation.status, document.encode(), dict(JSON))


async def _accepted(unit: Unit, row: ServiceCall) -> Answer:
    """202: the worker has it; an operation with the call's own id tells how far it is."""
    try:
        operation = await unit.get(Operation, row.id)
    except NotFound:
        await watched(unit, row.id, "service_call")
        if row.status in OVER:  # it ended before anybody watched
            await unit.flush()  # one statement does not see what another of the same batch made
            settle(unit, row.id, problem=json.loads((row.problem or "{}").encode()))
        operation = await unit.get(Operation, row.id)
    headers = JSON | {"location": f"/api/v1/operations/{row.id}", MARK: "queued"}
    return Answer(202, json.dumps(OPERATIONS.output.encode(operation.__dict__)), headers)


def _context(wish: Wish) -> dict[str, Any]:
    return {"correlation_id": wish.correlation_id, "trace": wish.trace}
