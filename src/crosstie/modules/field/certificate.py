"""Certificates of compliance: issued for work whose checks are complete, with the digest of the file that says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, moment, ref, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import fault
from crosstie.errors import MoveRefused
from crosstie.log.blank import erasing
from crosstie.log.unit import Unit
from crosstie.modules.field import report
from crosstie.modules.field.document import DIGEST, Document
from crosstie.modules.field.job import Job

#: states of a job whose work and compliance checks are done
COMPLETE = ("compliance_complete", "certified", "invoiced", "paid", "closed")


class Certificate(Record):
    """A certificate that work on a job complies with a standard."""

    __tablename__ = "certificates"

    job_id: Mapped[UUID] = ref("jobs", doc="The work.")
    number: Mapped[str] = text(60, min=1, doc="Its number; unique.")
    type: Mapped[str] = text(60, min=1, doc="What it certifies: electrical, plumbing, gas, solar …")
    standard: Mapped[str | None] = text(120, nullable=True, doc="The standard with its edition: SANS 10142-1:2024.")
    signatory: Mapped[str | None] = text(200, nullable=True, personal=True, doc="Who signs.")
    signatory_registration: Mapped[str] = text(60, min=1, doc="The signatory's registration number.")
    document_id: Mapped[UUID | None] = ref("documents", nullable=True, doc="The certificate as a file.")
    sha256: Mapped[str | None] = text(64, pattern=DIGEST, nullable=True, doc="The SHA-256 of the file that was issued.")
    status: Mapped[str] = state("draft", "issued", "revoked", "expired", doc="How far it is.")
    issued_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was issued.")
    expires_at: Mapped[datetime | None] = moment(nullable=True, doc="When it ends.")
    revoked_at: Mapped[datetime | None] = moment(nullable=True, doc="When it was revoked.")
    revoke_reason: Mapped[str | None] = text(500, nullable=True, doc="Why it was revoked.")


async def _rule(unit: Unit, before: Certificate | None, values: dict[str, Any]) -> None:
    """What was issued is not changed."""
    changed = before is not None and any(before.__dict__[name] != value for name, value in values.items())
    if before is not None and changed and before.status != "draft":
        raise MoveRefused(f"A certificate that is {before.status} cannot be changed.")


async def _before_delete(unit: Unit, row: Certificate, values: dict[str, Any]) -> None:
    if row.status != "draft":
        raise MoveRefused(f"A certificate that is {row.status} cannot be deleted: revoke it.")


async def _issue(unit: Unit, row: Certificate, given: Mapping[str, Any]) -> dict[str, Any]:
    """The gate: the job's checks are complete, and there is a file whose digest the certificate keeps for good."""
    if row.document_id is None:
        raise fault("/document_id", "required", "must name the certificate's file before it is issued")
    if row.expires_at is not None and row.expires_at <= unit.now:
        raise fault("/expires_at", "range", "must lie ahead")
    job = await unit.get(Job, row.job_id, lock=True)
    if job.status not in COMPLETE:
        raise MoveRefused(f"The job is {job.status}: a certificate is issued once its compliance is complete.")
    document = await unit.get(Document, row.document_id)
    return {"sha256": document.sha256}


async def _revoke(unit: Unit, row: Certificate, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"revoke_reason": given["reason"]}


MACHINE = Machine(
    Certificate.status,
    (
        Move(
            "issue", ("draft",), "issued", "certificate.issued", "The certificate was issued.", run=_issue,
            stamp=Certificate.issued_at,
        ),
        Move(
            "revoke", ("issued",), "revoked", "certificate.revoked", "The certificate was revoked.",
            given=(Field(kinds.Text(500, min=1), name="reason", doc="Why."),), run=_revoke,
            stamp=Certificate.revoked_at,
        ),
        Move(
            "expire", ("issued",), "expired", "certificate.expired", "The certificate has ended.",
            due=Certificate.expires_at,
        ),
    ),
)  # fmt: skip

CERTIFICATES = Resource(
    row=Certificate,
    name="certificates",
    report=report.CERTIFICATE,
    retained="certificates of compliance must be shown for as long as the installation stands",
    read=(
        Certificate.id,
        Certificate.job_id,
        Certificate.number,
        Certificate.type,
        Certificate.standard,
        Certificate.signatory,
        Certificate.signatory_registration,
        Certificate.document_id,
        Certificate.sha256,
        Certificate.status,
        Certificate.issued_at,
        Certificate.expires_at,
        Certificate.revoked_at,
        Certificate.revoke_reason,
        Certificate.created_at,
        Certificate.updated_at,
    ),
    write=(
        Certificate.job_id,
        Certificate.number,
        Certificate.type,
        Certificate.standard,
        Certificate.signatory,
        Certificate.signatory_registration,
        Certificate.document_id,
        Certificate.expires_at,
    ),
    filter=(Certificate.job_id, Certificate.number, Certificate.type, Certificate.status, Certificate.expires_at),
    sort=(Certificate.number, Certificate.expires_at),
    search=(Certificate.number, Certificate.signatory_registration),
    unique=((Certificate.number,),),
    machine=MACHINE,
    actions=(erasing("certificates", "certificate"),),
    rule=_rule,
    before_delete=_before_delete,
)
