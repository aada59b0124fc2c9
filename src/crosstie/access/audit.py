"""The audit log: every mutating and every security-relevant act, chained per tenant. Read-only; an erasure blanks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import scope, seal
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.field import Field, choice, integer, moment, text
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Row
from crosstie.declare.shape import Nested
from crosstie.kit import clock
from crosstie.log import trail
from crosstie.log.event import NOBODY, ORIGIN, Actor
from crosstie.log.operation import OPERATIONS, begin
from crosstie.log.trail import Act, Outcome
from crosstie.log.unit import Cipher, Log, Unit

#: the kind of operation that makes a file of entries
EXPORT = "audit-export"
#: whose chain keeps what belongs to no tenant
INSTALLATION = UUID(int=0)
REFERENCE = Nested(
    (
        Field(kinds.Text(128), name="type", doc="What it is: user, api_key, job …", nullable=True),
        Field(kinds.Text(200), name="id", doc="Which.", nullable=True),
    )
)


#: entries are added; an erasure that is sealed blanks what can be blanked, and nothing else is ever written again
RIGHTS = "SELECT, INSERT, UPDATE (personal, personal_salt, ip, ip_salt)"


class AuditEntry(Row):
    """One act: who did what to which record, from where, and what changed by it."""

    __tablename__ = "audit_entries"
    __table_args__ = ({"info": {"reach": "batch", "app": "SELECT", "batch": RIGHTS}},)

    position: Mapped[int] = integer(min=1, doc="Its place in the tenant's chain, from 1, without gaps.")
    at: Mapped[datetime] = moment(doc="When it was done.")
    actor_type: Mapped[str] = text(60, doc="What kind of caller did it.")
    actor_id: Mapped[str | None] = text(200, nullable=True, doc="Which caller did it.")
    action: Mapped[str] = text(200, doc="What was done: `jobs.create`, `api-keys.roll`, `sessions.create` …")
    target_type: Mapped[str | None] = text(128, nullable=True, doc="What kind of record it was done to.")
    target_id: Mapped[str | None] = text(200, nullable=True, doc="Which record it was done to.")
    outcome: Mapped[str] = choice(
        "done", "denied", "failed", doc="Whether it was done, refused, or tried in vain.", default="done"
    )
    request_id: Mapped[str | None] = text(128, nullable=True, doc="The request that it was done by.")
    ip: Mapped[str | None] = text(64, nullable=True, doc="The caller's address; null where it was erased.")
    ip_salt: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    ip_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    before: Mapped[str | None] = mapped_column(JSON)
    after: Mapped[str | None] = mapped_column(JSON)
    personal: Mapped[str | None] = mapped_column(JSON, comment="The part of before and after that can be erased.")
    personal_salt: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    personal_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    mark: Mapped[bytes] = mapped_column(sa.LargeBinary, comment="The beginning of its content's digest.")
    previous: Mapped[bytes] = mapped_column(sa.LargeBinary)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary)


def _extra(row: AuditEntry, log: Log) -> dict[str, Any]:
    personal = msgspec.json.decode(row.personal) if row.personal else {}
    return {
        "actor": {"type": row.actor_type, "id": row.actor_id},
        "target": {"type": row.target_type, "id": row.target_id} if row.target_type else None,
        "before": _whole(row.before, personal.get("before")),
        "after": _whole(row.after, personal.get("after")),
        "withheld": False,
        "erased": any(
            digest is not None and value is None
            for value, digest in ((row.personal, row.personal_digest), (row.ip, row.ip_digest))
        ),
    }


def _whole(shown: str | None, personal: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if shown is None and personal is None:
        return None
    return {**(msgspec.json.decode(shown) if shown else {}), **(personal or {})}


def _veil(document: dict[str, Any], actor: Actor, catalogue: Catalogue) -> dict[str, Any]:
    """Whoever may not read a noun of the first tier sees that something was done to it, and not what it changed."""
    target = document["target"] or {}
    if scope.sees(actor, catalogue.guarded(target.get("type"))):
        return document
    return document | {"before": None, "after": None, "withheld": True}


async def _fresh(log: Log, tenant_id: UUID) -> None:
    """Whoever reads sees what was done a moment ago: the rest is sealed first."""
    await seal.seal(log.worker, log.cipher.witness, [tenant_id], wait=True)


async def _export(unit: Unit, row: None, given: Mapping[str, Any]) -> dict[str, Any]:
    moments = {name: clock.format(given[name]) if given.get(name) else None for name in ("since", "until")}
    names = ("actor_id", "action", "target_id", "outcome")
    operation = await begin(unit, EXPORT, moments | {name: given.get(name) for name in names})
    return operation.__dict__


AUDIT_ENTRIES = Resource(
    row=AuditEntry,
    name="audit-entries",
    read=(
        AuditEntry.id,
        AuditEntry.position,
        AuditEntry.at,
        AuditEntry.action,
        AuditEntry.outcome,
        AuditEntry.ip,
        AuditEntry.request_id,
    ),
    filter=(
        AuditEntry.at,
        AuditEntry.actor_id,
        AuditEntry.action,
        AuditEntry.target_id,
        AuditEntry.outcome,
        AuditEntry.ip,
        AuditEntry.request_id,
    ),
    unique=((AuditEntry.position,),),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    extra=_extra,
    extra_fields=(
        Field(REFERENCE, name="actor", doc="Who did it."),
        Field(REFERENCE, name="target", doc="What it was done to.", nullable=True),
        Field(
            kinds.Data(1000),
            name="before",
            doc="What was there before: of a change, the fields changed.",
            nullable=True,
        ),
        Field(kinds.Data(1000), name="after", doc="What was there afterwards; secrets are masked.", nullable=True),
        Field(
            kinds.Flag(), name="withheld", doc="Whether before and after are kept from whoever may not read the target."
        ),
        Field(kinds.Flag(), name="erased", doc="Whether personal parts of it were erased."),
    ),
    before_read=_fresh,
    veil=_veil,
    actions=(
        Action(
            "export",
            _export,
            "Make a file of the entries: JSON lines, oldest first, with their hashes.",
            given=(
                Field(kinds.Moment(), name="since", doc="From when on.", nullable=True),
                Field(kinds.Moment(), name="until", doc="Until when.", nullable=True),
                Field(kinds.Text(200), name="actor_id", doc="Only acts of this caller.", nullable=True),
                Field(kinds.Text(200), name="action", doc="Only acts of this kind.", nullable=True),
                Field(kinds.Text(200), name="target_id", doc="Only acts on this record.", nullable=True),
                Field(
                    kinds.Choice(("done", "denied", "failed")), name="outcome", doc="Only this outcome.", nullable=True
                ),
            ),
            answer=tuple(OPERATIONS.output.fields.values()),
            collection=True,
            scope="read",
            status=202,
        ),
    ),
)


def document(row: AuditEntry, log: Log) -> dict[str, Any]:
    """An entry as files show it: they go from hand to hand, so that they withhold what belongs to the first tier."""
    return _veil(AUDIT_ENTRIES.output.encode(row.__dict__ | _extra(row, log)), NOBODY, log.catalogue)


async def note(
    pool: asyncpg.Pool,
    cipher: Cipher,
    tenant_id: UUID,
    actor: Actor,
    action: str,
    *,
    outcome: Outcome = "done",
    target: tuple[str, str | None] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """An entry for an act outside any Unit: one that was refused, or that only read. Secrets in `after` are masked.

    `tenant_id` is INSTALLATION where no tenant is known, as of a sign-in under an address that nobody has.
    """
    kind, id = target or (None, None)
    async with session.of_tenant(pool, tenant_id) as connection:
        await write(connection, cipher, tenant_id, actor, Act(action, kind, id, after=after, outcome=outcome))


async def write(connection: Connection, cipher: Cipher, tenant_id: UUID, actor: Actor, act: Act) -> None:
    """An entry within a transaction of the tenant that is no Unit's."""
    statement, arguments = trail.noted(cipher.witness, tenant_id, [act], clock.now(), actor, ORIGIN.get())
    await connection.execute(statement.text, *arguments)
