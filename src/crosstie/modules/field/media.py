"""Media: photos of the work, with when and where they were taken, and the digest of their bytes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import link
from crosstie.declare.field import choice, integer, moment, number, ref, text
from crosstie.declare.resource import Events, Resource
from crosstie.declare.row import Record
from crosstie.declare.upload import Upload
from crosstie.log.blank import erasing
from crosstie.log.loose import loosen
from crosstie.log.unit import Log, Unit
from crosstie.modules.field import photo

DIGEST = "^[0-9a-f]{64}$"


class Media(Record):
    """A photo of the work on a job."""

    __tablename__ = "media"

    job_id: Mapped[UUID] = ref("jobs", doc="What it shows.")
    slot: Mapped[str] = choice(
        "before", "after", "other", doc="Taken before the work, after it, or else.", default="other"
    )
    caption: Mapped[str | None] = text(500, nullable=True, personal=True, doc="What is to be seen.")
    captured_at: Mapped[datetime | None] = moment(
        nullable=True, doc="When it was taken; unless sent, as its EXIF says."
    )
    lat: Mapped[Decimal | None] = number(
        places=7,
        min=Decimal(-90),
        max=Decimal(90),
        nullable=True,
        personal=True,
        doc="Degrees north, as its EXIF says.",
    )
    lng: Mapped[Decimal | None] = number(
        places=7,
        min=Decimal(-180),
        max=Decimal(180),
        nullable=True,
        personal=True,
        doc="Degrees east, as its EXIF says.",
    )
    width: Mapped[int] = integer(doc="Pixels.")
    height: Mapped[int] = integer(doc="Pixels.")
    filename: Mapped[str] = text(200, personal=True, doc="The name that the file was sent with.")
    content_type: Mapped[str] = text(100, doc="What it is, judged by its bytes.")
    size: Mapped[int] = integer(doc="Bytes.")
    sha256: Mapped[str] = text(64, pattern=DIGEST, doc="The SHA-256 of its bytes, in hexadecimal.")
    blob: Mapped[str] = mapped_column(sa.Text)


async def _rule(unit: Unit, before: Media | None, values: dict[str, Any]) -> None:
    """A camera that names no offset shows the time of where it is: the firm's."""
    at = values.get("captured_at")
    if at is not None and at.tzinfo is None:
        zone = await unit.connection.fetchval("SELECT time_zone FROM tenants")
        values["captured_at"] = at.replace(tzinfo=ZoneInfo(zone))


async def _before_delete(unit: Unit, row: Media, values: dict[str, Any]) -> None:
    loosen(unit, row.blob)


def _extra(row: Media, log: Log) -> dict[str, Any]:
    return link.file(log.cipher, log.address, MEDIA.name, row)


MEDIA = Resource(
    row=Media,
    name="media",
    read=(
        Media.id,
        Media.job_id,
        Media.slot,
        Media.caption,
        Media.captured_at,
        Media.lat,
        Media.lng,
        Media.width,
        Media.height,
        Media.filename,
        Media.content_type,
        Media.size,
        Media.sha256,
        Media.created_at,
        Media.updated_at,
    ),
    write=(Media.slot, Media.caption),
    once=(Media.job_id, Media.captured_at, Media.lat, Media.lng),
    filter=(Media.job_id, Media.slot, Media.captured_at, Media.sha256),
    sort=(Media.captured_at,),
    rule=_rule,
    before_delete=_before_delete,
    actions=(erasing("media", "photo"),),
    upload=Upload(frozenset(photo.TYPES), photo.examine),
    events=Events("photo.uploaded", "photo.annotated", "photo.deleted"),
    extra=_extra,
    extra_fields=link.FILE_FIELDS,
    extra_told=True,
)
