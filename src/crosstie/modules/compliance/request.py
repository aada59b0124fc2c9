"""Requests of people about their data: to have a copy of it, or to have it erased (POPIA §23–24, GDPR Art. 15, 17)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.access import scope
from crosstie.access import user as users
from crosstie.access.user import User
from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.field import choice, data, identifier, many, moment, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import fault
from crosstie.errors import Conflict, NotFound
from crosstie.log import hold
from crosstie.log.event import SYSTEM
from crosstie.log.operation import begin
from crosstie.log.unit import Unit

#: within which the law wants an answer
ANSWER = timedelta(days=30)
EXPORT, ERASURE = "privacy-export", "privacy-erasure"


class PrivacyRequest(Record):
    """A person's request for a copy of their data, or for its erasure."""

    __tablename__ = "privacy_requests"

    kind: Mapped[str] = choice("export", "erasure", doc="A copy, or an end.")
    subject_type: Mapped[str] = choice(
        "client", "contact", "user", doc="What the person is: a client, somebody who is named as a contact, a user."
    )
    subject_id: Mapped[UUID | None] = identifier(nullable=True, doc="Which client or user; unless sent, by `email`.")
    email: Mapped[str | None] = text(
        254, format="email", nullable=True, personal=True, doc="The person's address; of a contact it must be sent."
    )
    note: Mapped[str | None] = text(
        2000, nullable=True, personal=True, doc="How it came, and how it was made sure who asks."
    )
    status: Mapped[str] = state("open", "done", "refused", doc="How far it is.")
    due_at: Mapped[datetime] = moment(doc="By when the person must have an answer.")
    operation_id: Mapped[UUID | None] = identifier(nullable=True, doc="The operation that works on it.")
    export_id: Mapped[UUID | None] = identifier(nullable=True, doc="The archive that was made.")
    found: Mapped[dict[str, Any] | None] = data(nullable=True, keys=500, doc="How many records of each noun it met.")
    kept: Mapped[list[str]] = many(kinds.Text(300), max=500, doc="What was kept in spite of it, and why.")
    reason: Mapped[str | None] = text(500, nullable=True, doc="Why it was refused.")
    completed_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was done or refused.")


CLIENT = Statement("SELECT id FROM clients WHERE lower(email) = $1::text ORDER BY id LIMIT 2", ["email"])
USER = Statement("SELECT id FROM users WHERE email = $1::text ORDER BY id LIMIT 2", ["email"])
CONTACT = Statement(
    "SELECT id FROM clients WHERE EXISTS (SELECT FROM jsonb_array_elements(contacts) c"
    " WHERE lower(c ->> 'email') = $1::text) ORDER BY id",
    ["email"],
)
BY_EMAIL = {"client": CLIENT, "user": USER}


async def _rule(unit: Unit, before: PrivacyRequest | None, values: dict[str, Any]) -> None:
    """The subject is found at once, and what a hold keeps is refused at once; the rest is an operation."""
    if before is not None:
        return
    if values.get("email"):
        values["email"] = values["email"].lower()
    if values["subject_type"] == "contact":
        await _contact(unit, values)
    else:
        await _subject(unit, values)
    values |= {"due_at": unit.now + ANSWER, "kept": []}
    kind = EXPORT if values["kind"] == "export" else ERASURE
    operation = await begin(unit, kind, {"request_id": str(values["id"])})
    values["operation_id"] = operation.id


async def _subject(unit: Unit, values: dict[str, Any]) -> None:
    resource = unit.log.catalogue.singulars[values["subject_type"]]
    if values.get("subject_id") is None:
        if not values.get("email"):
            raise fault("/subject_id", "required", "must be sent, or email")
        rows = await unit.fetch(BY_EMAIL[values["subject_type"]], email=values["email"])
        if not rows:
            raise fault("/email", "reference", f"no {values['subject_type']} has this address")
        if len(rows) > 1:
            raise Conflict(f"Several {resource.name} have this address: send subject_id.")
        values["subject_id"] = rows[0]["id"]
    try:
        row = await unit.get(resource.row, values["subject_id"])
    except NotFound:
        raise fault("/subject_id", "reference", "there is no such record") from None
    if isinstance(row, User) and unit.actor != SYSTEM:  # nobody undoes a user who may do more than himself
        scope.within(unit.actor, await users.scopes(unit, users.roles(row)))
    if values["kind"] == "erasure":
        await hold.refuse(unit, resource, row)


async def _contact(unit: Unit, values: dict[str, Any]) -> None:
    if not values.get("email"):
        raise fault("/email", "required", "of a contact it must be sent")
    if values.get("subject_id") is not None:
        raise fault("/subject_id", "contact", "a contact has no id: leave it out")
    rows = await unit.fetch(CONTACT, email=values["email"])
    if not rows:
        raise fault("/email", "reference", "no contact has this address")
    resource = unit.log.catalogue.singulars["client"]
    for row in rows if values["kind"] == "erasure" else ():
        await hold.refuse(unit, resource, await unit.get(resource.row, row["id"]))


PRIVACY_REQUESTS = Resource(
    row=PrivacyRequest,
    name="privacy-requests",
    read=(
        PrivacyRequest.id,
        PrivacyRequest.kind,
        PrivacyRequest.subject_type,
        PrivacyRequest.subject_id,
        PrivacyRequest.email,
        PrivacyRequest.note,
        PrivacyRequest.status,
        PrivacyRequest.due_at,
        PrivacyRequest.operation_id,
        PrivacyRequest.export_id,
        PrivacyRequest.found,
        PrivacyRequest.kept,
        PrivacyRequest.reason,
        PrivacyRequest.completed_at,
        PrivacyRequest.created_at,
        PrivacyRequest.updated_at,
    ),
    once=(
        PrivacyRequest.kind,
        PrivacyRequest.subject_type,
        PrivacyRequest.subject_id,
        PrivacyRequest.email,
        PrivacyRequest.note,
    ),
    filter=(
        PrivacyRequest.kind,
        PrivacyRequest.status,
        PrivacyRequest.subject_id,
        PrivacyRequest.due_at,
    ),
    sort=(PrivacyRequest.due_at,),
    verbs=frozenset(("list", "create", "retrieve")),
    machine=Machine(
        PrivacyRequest.status,
        (
            Move(
                "complete", ("open",), "done", "privacy_request.completed", "A privacy request was answered.",
                stamp=PrivacyRequest.completed_at, inner=True,
            ),
            Move(
                "refuse", ("open",), "refused", "privacy_request.refused", "A privacy request was refused.",
                stamp=PrivacyRequest.completed_at, inner=True,
            ),
        ),
    ),
    rule=_rule,
)  # fmt: skip
MOVES = {move.verb: move for move in PRIVACY_REQUESTS.machine.moves} if PRIVACY_REQUESTS.machine else {}
