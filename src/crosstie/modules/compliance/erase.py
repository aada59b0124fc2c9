"""Erasure on a person's request: record by record, in small commits; what the law wants kept stays, and is told of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from crosstie.access.export import EXPORTS, Export
from crosstie.db.statement import Statement
from crosstie.errors import LegalHold, NotFound
from crosstie.log import blank, change, hold
from crosstie.log.operation import Operation, Step
from crosstie.log.unit import Unit
from crosstie.modules.compliance.archive import met, named
from crosstie.modules.compliance.request import MOVES, PRIVACY_REQUESTS, PrivacyRequest

STEP = 25
#: the person's earlier requests
OTHERS = Statement(
    "SELECT * FROM privacy_requests WHERE id <> $1::uuid AND (subject_id = $2::uuid OR email = $3::text)"
    " ORDER BY id FOR UPDATE",
    ["id", "subject", "email"],
)


async def run(unit: Unit, operation: Operation) -> Step:
    """One step: first what there is to erase, then so many records of it, at last the request itself."""
    request = await unit.get(PrivacyRequest, UUID(operation.given["request_id"]), lock=True)
    try:
        if not operation.state:
            return await _planned(unit, request)
        todo: list[list[str]] = operation.state["todo"]
        for noun, id in todo[:STEP]:
            await _erase(unit, request, noun, UUID(id))
    except LegalHold as held:
        await unit.flush()
        after = unit.update(request, {"reason": held.detail[:500]})
        await unit.flush()
        await change.move(unit, PRIVACY_REQUESTS, after, MOVES["refuse"], {})
        return Step(finished=True, result={"refused": held.detail[:500]})
    if len(todo) > STEP:
        return Step(done=STEP, state=dict(operation.state) | {"todo": todo[STEP:]})
    return await _finished(unit, request, operation, len(todo))


async def _planned(unit: Unit, request: PrivacyRequest) -> Step:
    """What belongs to the person, the outermost first; the person's own record last, so that a retry finds the rest."""
    found = await met(unit, request)
    kept, todo = [], []
    for name, (resource, rows) in found.items():
        if resource.retained:
            kept.append(f"{len(rows)} {name}: {resource.retained}"[:300])
        else:
            todo += [[name, str(id)] for id in rows]
    todo.reverse()
    subjects = {(resource.singular, str(id)) for resource, rows in found.values() for id in rows}
    await hold.refuse_any(unit, subjects)
    counts = {name: len(rows) for name, (_, rows) in found.items()}
    return Step(state={"todo": todo, "kept": kept, "found": counts}, count=len(todo))


async def _erase(unit: Unit, request: PrivacyRequest, noun: str, id: UUID) -> None:
    resource = unit.log.catalogue.resources.get(noun) or _below(unit, noun)
    try:
        row = await unit.get(resource.row, id, lock=True)
    except NotFound:
        return
    if request.subject_type == "contact":
        others = [each for each in row.__dict__["contacts"] if not named(each, request.email)]
        await blank.blank(unit, resource, row, only={"contacts": others})
        return
    after = await blank.blank(unit, resource, row)
    await unit.flush()
    event = f"{resource.singular}.erased"
    if event in unit.log.catalogue.events:
        change.tell(unit, resource, event, after)


def _below(unit: Unit, noun: str) -> Any:
    """A noun that has no routes of its own."""
    resources = unit.log.catalogue.resources.values()
    return next(each.noun for resource in resources for each in resource.lists if each.noun.name == noun)


async def _erase_request(unit: Unit, request: PrivacyRequest) -> PrivacyRequest:
    """What a request says of the person, and the archive that one was answered with."""
    if request.export_id is not None:
        try:
            export = await unit.get(Export, request.export_id, lock=True)
            await change.delete(unit, EXPORTS, export)
        except NotFound:
            pass
    row = await blank.blank(unit, PRIVACY_REQUESTS, request)
    await unit.flush()
    assert isinstance(row, PrivacyRequest)
    return row


async def _finished(unit: Unit, request: PrivacyRequest, operation: Operation, done: int) -> Step:
    """The request itself says no more than the law wants to be shown: that it was answered, and when."""
    state: dict[str, Any] = operation.state
    for other in await unit.fetch(OTHERS, id=request.id, subject=request.subject_id, email=request.email):
        await _erase_request(unit, PrivacyRequest.view(other))
    row = await _erase_request(unit, request)
    await unit.flush()
    after = unit.update(row, {"found": state["found"], "kept": state["kept"]})
    await unit.flush()
    await change.move(unit, PRIVACY_REQUESTS, after, MOVES["complete"], {})
    return Step(done=done, finished=True, result={"found": state["found"], "kept": state["kept"]})
