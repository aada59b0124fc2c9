"""What a call's outcome means for its row: done, refused, unknown, or still to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosstie.errors import Problem
from crosstie.kit import json
from crosstie.log import call as calls
from crosstie.log.call import ServiceCall
from crosstie.log.operation import settle
from crosstie.log.unit import Unit
from crosstie.services import verdict
from crosstie.services.remote import Call, Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """The move that follows, with the answer or the problem; no move: it is still to be done."""

    move: str
    document: Any = None
    problem: Problem | None = None
    response_status: int | None = None

    def changes(self) -> dict[str, Any]:
        """What the row keeps of it."""
        problem = json.dumps(verdict.drawn(self.problem)).decode() if self.problem else None
        found: dict[str, Any] = {"problem": problem, "response_status": self.response_status, "lease_until": None}
        if self.move == "complete":
            found |= {"answer": json.dumps(self.document).decode(), "unanswered_at": None}
        if self.move == "fail":
            found |= {"unanswered_at": None}
        return found


def judge(call: Call, outcome: Outcome) -> Verdict:
    """The verdict on a remote call."""
    status = outcome.response.status if outcome.response else None
    if outcome.code:
        move = "lose" if outcome.unanswered else ""
        return Verdict(move, problem=verdict.unavailable(call.service.name, outcome), response_status=status)
    try:
        return Verdict("complete", document=verdict.document(call, outcome), response_status=status)
    except Problem as problem:
        return Verdict("fail", problem=problem, response_status=status)


async def note(unit: Unit, row: ServiceCall, found: Verdict, more: Mapping[str, Any]) -> ServiceCall:
    """Take the move of a verdict on a row that was read with `lock`; its operation, where it has one, ends with it."""
    if not found.move:
        return unit.update(row, found.changes() | dict(more))
    after = await calls.take(unit, row, found.move, found.changes() | dict(more))
    if found.move == "complete":
        settle(unit, row.id, result=found.document)
    elif found.move in ("fail", "give-up") and found.problem is not None:
        settle(unit, row.id, problem=verdict.drawn(found.problem))
    return after
