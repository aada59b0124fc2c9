"""Calls of services: what was asked of which service, how far it is, and what came of it.

A module asks with `unit.request`, which writes a call and nothing else; the worker runs it after the commit, and the
outcome comes back as an event that carries the request's correlation. A call whose outcome nobody knows (it was sent,
and no answer came) is `uncertain`: it is resolved before anything new is sent for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, integer, moment, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import READ_ONLY, Events, Resource
from crosstie.declare.row import Record
from crosstie.declare.service import Operation, Service
from crosstie.errors import Fault, Invalid
from crosstie.kit import ids, json
from crosstie.log import change
from crosstie.log.event import Actor
from crosstie.log.schema import validator
from crosstie.log.unit import Unit

STATES = ("pending", "running", "uncertain", "done", "failed", "dead")
OVER = ("done", "failed", "dead")
FAULTS = 20


class Document(kinds.Data):
    """JSON that is kept as its sender wrote it."""

    def column(self) -> sa.types.TypeEngine[Any]:
        return JSON()

    @staticmethod
    def encode(value: Any) -> Any:
        return json.raw(value.encode())


def document(*, doc: str) -> Any:
    """A column of such JSON, which an erasure blanks."""
    return mapped_column(JSON, nullable=True, info={"field": Field(Document(), doc=doc, nullable=True, personal=True)})


class ServiceCall(Record):
    """One change or question that a service was asked for, and what came of it."""

    __tablename__ = "service_calls"
    __table_args__ = (
        sa.Index(
            "uq_service_calls_claim", "tenant_id", "claim", unique=True, postgresql_where=sa.text("claim IS NOT NULL")
        ),
        sa.Index("ix_service_calls_lease", "tenant_id", "lease_until", postgresql_where=sa.text("status = 'running'")),
    )

    service: Mapped[str] = text(60, doc="Which service.")
    operation: Mapped[str] = text(120, doc="Which operation of it, such as treasury.create_invoice.")
    status: Mapped[str] = state(*STATES, doc="How far it is; uncertain: it was sent, and no answer came.")
    given: Mapped[str | None] = document(doc="What it was given: values of path, query and body.")
    answer: Mapped[str | None] = document(doc="What the service answered.")
    problem: Mapped[str | None] = mapped_column(
        JSON, info={"field": Field(Document(), doc="Why it failed, or did not come about yet.", nullable=True)}
    )
    response_status: Mapped[int | None] = integer(doc="Status of the service's last answer.", nullable=True)
    provider: Mapped[str | None] = choice("builtin", "remote", doc="Who was asked last.", nullable=True)
    attempts: Mapped[int] = integer(doc="How often it was begun; each may have sent up to four requests.", default=0)
    about_type: Mapped[str | None] = text(60, doc="What it is about, where whoever asked said so.", nullable=True)
    about_id: Mapped[str | None] = text(128, doc="Which one.", nullable=True)
    actor_type: Mapped[str] = text(60, doc="What asked: a user, a key, Crosstie itself …")
    actor_id: Mapped[str | None] = text(200, doc="Which one.", nullable=True)
    correlation_id: Mapped[str | None] = text(128, doc="The request that it belongs to.", nullable=True)
    #: the idempotency key at the service: one for all that is sent for this call
    key: Mapped[str] = mapped_column(sa.Text)
    #: the caller's Idempotency-Key, where he sent one: a repeat finds this call
    claim: Mapped[UUID | None] = mapped_column(sa.Uuid)
    #: the address that it was sent to last: what came of it can be found out there and nowhere else
    sent_to: Mapped[str | None] = mapped_column(sa.Text)
    #: until when whoever runs it outside the worker has it
    lease_until: Mapped[datetime | None] = moment(doc="When its outcome counts as unknown.", nullable=True)
    #: since when something is sent that nobody answered
    unanswered_at: Mapped[datetime | None] = moment(doc="Since when an answer is missing.", nullable=True)
    finished_at: Mapped[datetime | None] = moment(doc="When it ended.", nullable=True)


async def _noted(unit: Unit, row: ServiceCall, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is known by now goes into the row with the move."""
    return dict(given)


async def _again(unit: Unit, row: ServiceCall, given: Mapping[str, Any]) -> dict[str, Any]:
    """What was refused is sent with a new key, as the old one stands for that answer; anything else with its own."""
    changes: dict[str, Any] = {"finished_at": None, "problem": None, "lease_until": None, "sent_to": None}
    if row.unanswered_at is None and (row.response_status or 0) >= 400:
        changes["key"] = str(ids.uuid7())
    return changes


CALLS = Resource(
    row=ServiceCall,
    name="service-calls",
    read=(
        ServiceCall.id,
        ServiceCall.service,
        ServiceCall.operation,
        ServiceCall.status,
        ServiceCall.given,
        ServiceCall.answer,
        ServiceCall.problem,
        ServiceCall.response_status,
        ServiceCall.provider,
        ServiceCall.attempts,
        ServiceCall.about_type,
        ServiceCall.about_id,
        ServiceCall.actor_type,
        ServiceCall.actor_id,
        ServiceCall.correlation_id,
        ServiceCall.unanswered_at,
        ServiceCall.finished_at,
        ServiceCall.created_at,
        ServiceCall.updated_at,
    ),
    filter=(ServiceCall.service, ServiceCall.operation, ServiceCall.status, ServiceCall.about_id),
    verbs=READ_ONLY,
    events=Events("service_call.requested", None, None),
    machine=Machine(
        ServiceCall.status,
        (
            Move("lose", ("running",), "uncertain", "service_call.uncertain",
                 "A service was sent a change and did not answer: what came of it is being found out.",
                 run=_noted, stamp=ServiceCall.unanswered_at, due=ServiceCall.lease_until, inner=True),
            Move("queue", ("running",), "pending", "service_call.queued",
                 "A service cannot be reached: the change is sent when it can.", run=_noted, inner=True),
            Move("complete", ("pending", "running", "uncertain"), "done", "service_call.completed",
                 "A service did what it was asked.", run=_noted, stamp=ServiceCall.finished_at, inner=True),
            Move("fail", ("pending", "running", "uncertain"), "failed", "service_call.failed",
                 "A service refused what it was asked.", run=_noted, stamp=ServiceCall.finished_at, inner=True),
            Move("give-up", ("pending", "running", "uncertain"), "dead", "service_call.dead",
                 "A service could not be asked for too long; the call waits for somebody.", run=_noted,
                 stamp=ServiceCall.finished_at, inner=True),
            Move("retry", ("failed", "dead"), "pending", "service_call.retried", "A call is tried again.", run=_again),
        ),
    ),
)  # fmt: skip
MOVES = {move.verb: move for move in CALLS.machine.moves} if CALLS.machine else {}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a service."""

    tenant_id: UUID
    actor: Actor
    service: Service
    operation: Operation
    given: Mapping[str, Any]
    correlation_id: str | None = None
    trace: str | None = None

    @property
    def name(self) -> str:
        """The operation's whole name."""
        return f"{self.service.name}.{self.operation.name}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a remote service, as whoever watches sees it."""

    tenant_id: UUID
    #: the id of the service's provider
    provider_id: UUID
    #: such as treasury.create_invoice
    operation: str
    #: the class of the answer's status (http_2xx), or why there was none
    outcome: str
    ok: bool
    seconds: float
    #: which request of its call it was, from 1; 0: none was sent, as the service is left in peace
    number: int


#: begins to trace a request by its operation and where it comes from: its own place, and who hears of its end
Begin = Callable[[str, str | None], tuple[str | None, Callable[[Asked], None]]]


def untraced(operation: str, trace: str | None) -> tuple[str | None, Callable[[Asked], None]]:
    """A request that has no place of its own."""
    return trace, lambda asked: None


async def take(unit: Unit, row: ServiceCall, verb: str, changes: Mapping[str, Any]) -> ServiceCall:
    """Move a call that was read with `lock`."""
    found = await change.move(unit, CALLS, row, MOVES[verb], changes)
    assert isinstance(found, ServiceCall)
    return found


async def request(
    unit: Unit,
    operation: str,
    given: Mapping[str, Any],
    about: tuple[str, str] | None = None,
    key: str | None = None,
) -> ServiceCall:
    """Have a service asked after the commit, under a key. `about` is handed back with the outcome. Raises Invalid.

    The events service_call.completed, service_call.failed and service_call.dead tell what came of it.
    """
    service, declared = unit.log.catalogue.operation(operation)
    plain = json.dumps(given)
    check(declared, json.loads(plain))
    return await write(unit, service.name, operation, plain, about=about, **({"key": key} if key else {}))


async def write(unit: Unit, service: str, operation: str, given: bytes, **more: Any) -> ServiceCall:
    """Write a call and nothing else."""
    about = more.pop("about", None) or (None, None)
    values = {
        "service": service,
        "operation": operation,
        "given": given.decode(),
        "about_type": about[0],
        "about_id": about[1],
        "actor_type": unit.actor.type,
        "actor_id": unit.actor.id,
        "correlation_id": unit.correlation_id,
        "key": str(ids.uuid7()),
    }
    row = await change.create(unit, CALLS, values | more)
    assert isinstance(row, ServiceCall)
    return row


@cache
def _validator(operation: Operation) -> Any:
    """The check of what an operation is given."""
    body = operation.request.schema if operation.request else {"properties": {}, "required": []}
    return validator(
        {
            "type": "object",
            "properties": {ask.name: ask.schema for ask in operation.asks} | body["properties"],
            "required": [*operation.placeholders, *body.get("required", ())],
            "additionalProperties": False,
        }
    )


def check(operation: Operation, given: Mapping[str, Any]) -> None:
    """Raise Invalid with every fault where this is not what an operation takes."""
    test = _validator(operation)
    if test.is_valid(given):
        return
    found = zip(test.iter_errors(given), range(FAULTS), strict=False)
    raise Invalid(
        "What was sent breaks the contract of the service.",
        errors=[Fault(json.pointer(e.instance_path), "schema", e.message[:300]) for e, _ in found],
    )
