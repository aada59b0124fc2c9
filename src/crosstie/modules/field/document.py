"""Documents of a job or of the firm, each version kept as it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import link
from crosstie.db.statement import compiled
from crosstie.declare.field import choice, identifier, integer, moment, ref, text
from crosstie.declare.resource import Events, Listing, Resource
from crosstie.declare.row import Record, Row
from crosstie.declare.shape import fault
from crosstie.declare.upload import Upload
from crosstie.kit import ids
from crosstie.kit.magic import OFFICE
from crosstie.log.loose import loosen
from crosstie.log.unit import Log, Unit

TYPES = frozenset(
    (
        "application/pdf", "image/jpeg", "image/png", "image/webp", "text/plain", "text/csv", "text/markdown",
        f"{OFFICE}wordprocessingml.document", f"{OFFICE}spreadsheetml.sheet",
    )
)  # fmt: skip
DIGEST = "^[0-9a-f]{64}$"


class Document(Record):
    """A document, in its newest version."""

    __tablename__ = "documents"

    job_id: Mapped[UUID | None] = ref("jobs", nullable=True, doc="The job that it belongs to.")
    client_id: Mapped[UUID | None] = ref("clients", nullable=True, doc="The client that it is about.")
    title: Mapped[str | None] = text(200, nullable=True, personal=True, doc="What it is called.")
    kind: Mapped[str] = choice(
        "certificate", "report", "contract", "invoice", "drawing", "manual", "other", doc="What it is.", default="other"
    )
    version: Mapped[int] = integer(min=1, default=1, doc="Rises with each replacement.")
    filename: Mapped[str] = text(200, personal=True, doc="The name that the file was sent with.")
    content_type: Mapped[str] = text(100, doc="What it is, judged by its bytes.")
    size: Mapped[int] = integer(doc="Bytes.")
    sha256: Mapped[str] = text(64, pattern=DIGEST, doc="The SHA-256 of its bytes, in hexadecimal.")
    blob: Mapped[str] = mapped_column(sa.Text)


class DocumentVersion(Row):
    """A version of a document, as it was sent. Rows are only ever added."""

    __tablename__ = "document_versions"
    # an erasure alone writes a row again
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE (filename, blob)"}},)

    document_id: Mapped[UUID] = identifier(doc="The document.")
    version: Mapped[int] = integer(min=1, doc="Which version.")
    made_at: Mapped[datetime] = moment(doc="When it was sent.")
    filename: Mapped[str] = text(200, personal=True, doc="The name that the file was sent with.")
    content_type: Mapped[str] = text(100, doc="What it is, judged by its bytes.")
    size: Mapped[int] = integer(doc="Bytes.")
    sha256: Mapped[str] = text(64, pattern=DIGEST, doc="The SHA-256 of its bytes, in hexadecimal.")
    blob: Mapped[str] = mapped_column(sa.Text)


_TABLE = DocumentVersion.__table__
_FILES = compiled(sa.select(_TABLE.c.blob).where(_TABLE.c.document_id == sa.bindparam("document", type_=sa.Uuid())))


def _version_extra(row: DocumentVersion, log: Log) -> dict[str, Any]:
    return link.file(log.cipher, log.address, VERSIONS.name, row)


VERSIONS = Resource(
    row=DocumentVersion,
    name="document-versions",
    read=(
        DocumentVersion.id,
        DocumentVersion.document_id,
        DocumentVersion.version,
        DocumentVersion.made_at,
        DocumentVersion.filename,
        DocumentVersion.content_type,
        DocumentVersion.size,
        DocumentVersion.sha256,
    ),
    filter=(DocumentVersion.document_id,),
    verbs=frozenset(),
    events=Events(None, None, None),
    extra=_version_extra,
    extra_fields=link.FILE_FIELDS,
)


def _keep(unit: Unit, values: Mapping[str, Any], document: UUID, version: int) -> None:
    kept = {name: values[name] for name in ("filename", "content_type", "size", "sha256", "blob")}
    row = {"id": ids.uuid7(), "document_id": document, "version": version, "made_at": unit.now}
    unit.insert(DocumentVersion, kept | row)


async def _rule(unit: Unit, before: Document | None, values: dict[str, Any]) -> None:
    if before is None:
        _keep(unit, values, values["id"], 1)


async def _replace(unit: Unit, row: Document, columns: Mapping[str, Any]) -> Document:
    """The next version; the same bytes again are none."""
    if columns["sha256"] == row.sha256:
        raise fault("/file", "same", "is the present version already")
    _keep(unit, columns, row.id, row.version + 1)
    return unit.update(row, dict(columns) | {"version": row.version + 1})


async def _before_delete(unit: Unit, row: Document, values: dict[str, Any]) -> None:
    """Its versions stay as entries without a file."""
    for version in await unit.fetch(_FILES, document=row.id):
        loosen(unit, version["blob"])


def _extra(row: Document, log: Log) -> dict[str, Any]:
    return link.file(log.cipher, log.address, DOCUMENTS.name, row)


DOCUMENTS = Resource(
    row=Document,
    name="documents",
    read=(
        Document.id,
        Document.job_id,
        Document.client_id,
        Document.title,
        Document.kind,
        Document.version,
        Document.filename,
        Document.content_type,
        Document.size,
        Document.sha256,
        Document.created_at,
        Document.updated_at,
    ),
    write=(Document.job_id, Document.client_id, Document.title, Document.kind),
    filter=(Document.job_id, Document.client_id, Document.kind, Document.sha256),
    sort=(Document.title,),
    search=(Document.title, Document.filename),
    rule=_rule,
    before_delete=_before_delete,
    upload=Upload(TYPES, replace=_replace, replaced="document.replaced"),
    lists=(Listing("versions", VERSIONS, DocumentVersion.document_id, "Every version, oldest first."),),
    events=Events(created="document.uploaded"),
    extra=_extra,
    extra_fields=link.FILE_FIELDS,
    extra_told=True,
)
