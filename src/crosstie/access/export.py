"""Exports: files that Crosstie makes for a caller, to be fetched for a week. Each fetch is in the audit log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import link
from crosstie.declare.field import choice, integer, moment, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Events, Resource
from crosstie.declare.row import Record
from crosstie.kit.blob import Blobs
from crosstie.log import change
from crosstie.log.loose import loosen
from crosstie.log.unit import Log, Unit

KEPT = timedelta(days=7)


class Export(Record):
    """A file that was made to be fetched."""

    __tablename__ = "exports"

    kind: Mapped[str] = choice("audit", "privacy", doc="What it holds: audit entries, or what is known of a person.")
    filename: Mapped[str] = text(200, doc="The name under which it is saved.")
    content_type: Mapped[str] = text(100, doc="What it is.")
    size: Mapped[int] = integer(doc="Bytes.")
    sha256: Mapped[str] = text(64, doc="The SHA-256 of its bytes, in hexadecimal.")
    status: Mapped[str] = state("ready", "expired", doc="Whether it can be fetched.")
    expires_at: Mapped[datetime] = moment(doc="When the file goes.")
    blob: Mapped[str] = mapped_column(sa.Text)


async def _drop(unit: Unit, row: Export, given: Mapping[str, Any]) -> None:
    loosen(unit, row.blob)


async def _before_delete(unit: Unit, row: Export, values: dict[str, Any]) -> None:
    loosen(unit, row.blob)


def _extra(row: Export, log: Log) -> dict[str, Any]:
    return link.file(log.cipher, log.address, EXPORTS.name, row)


EXPORTS = Resource(
    row=Export,
    name="exports",
    read=(
        Export.id,
        Export.kind,
        Export.filename,
        Export.content_type,
        Export.size,
        Export.sha256,
        Export.status,
        Export.expires_at,
        Export.created_at,
        Export.updated_at,
    ),
    filter=(Export.kind, Export.status),
    verbs=frozenset(("list", "retrieve", "delete")),
    machine=Machine(
        Export.status,
        (
            Move(
                "expire", ("ready",), "expired", "export.expired", "The file of an export is gone.",
                run=_drop, due=Export.expires_at, inner=True,
            ),
        ),
    ),
    before_delete=_before_delete,
    events=Events(created="export.ready", updated=None),
    extra=_extra,
    extra_fields=link.FILE_FIELDS,
    watched=True,
)  # fmt: skip


async def put(blobs: Blobs, tenant_id: UUID, name: UUID, path: Path) -> dict[str, Any]:
    """Store a file outside any transaction; the columns that describe it. A repeat takes its place. Raises Away."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
        file.seek(0)
        key = f"{tenant_id.hex}/exports/{name.hex}"
        await blobs.put(key, file)
    return {"blob": key, "size": size, "sha256": digest.hexdigest()}


async def keep(unit: Unit, kind: str, filename: str, content_type: str, stored: Mapping[str, Any]) -> Export:
    """The record of a stored file, with the commit."""
    values = {"kind": kind, "filename": filename, "content_type": content_type, "expires_at": unit.now + KEPT}
    made = await change.create(unit, EXPORTS, values | dict(stored))
    assert isinstance(made, Export)
    return made
