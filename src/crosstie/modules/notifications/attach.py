"""Attachments: documents and photos of the tenant that go along with a message, in a mail as files, else by address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from crosstie.access import link, scope
from crosstie.errors import Fault, Invalid, NotFound
from crosstie.log.unit import Unit
from crosstie.modules.notifications.letter import Attachment
from crosstie.modules.notifications.message import Message

#: field → the noun that it names
NOUNS = {"document_id": "documents", "media_id": "media"}
#: channels that files, or addresses of files, go along with
CHANNELS = ("email", "sms", "whatsapp", "webhook")
#: bytes of all files of one message, and for how long their addresses work
LARGEST, GOOD = 10 * 1024 * 1024, timedelta(days=7)


async def named(unit: Unit, channel: str, given: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The files that a request names. Raises Invalid where one cannot go along, InsufficientScope where it may not."""
    faults, total, found = [], 0, []
    if given and channel not in CHANNELS:
        faults.append(Fault("/attachments", "unsupported", f"cannot go along by {channel}"))
    for number, item in enumerate(given):
        fields = [name for name in NOUNS if name in item]
        if len(fields) != 1 or len(item) != 1:
            text = f"must name one of {', '.join(NOUNS)}, and nothing else"
            faults.append(Fault(f"/attachments/{number}", "unsupported", text))
            continue
        scope.require(unit.actor, f"{NOUNS[fields[0]]}:read")
        each = {"noun": NOUNS[fields[0]], "id": item[fields[0]].lower()}
        row = await _row(unit, each)
        if row is None:
            faults.append(Fault(f"/attachments/{number}/{fields[0]}", "unknown", "there is no such file"))
            continue
        total += row["size"]
        found.append(each)
    if total > LARGEST:
        faults.append(Fault("/attachments", "size", f"have at most {LARGEST} bytes together"))
    if faults:
        raise Invalid("The attachments cannot be sent.", errors=faults)
    return found


async def files(unit: Unit, row: Message) -> tuple[Attachment, ...] | None:
    """The files of a message; None where one is gone."""
    found = []
    for each in row.attachments:
        file = await _row(unit, each)
        if file is None:
            return None
        token = link.make(unit.log.cipher, link.FILES, unit.tenant_id, each, row.created_at + GOOD)
        url = f"{unit.log.address}/media/{token}"
        found.append(Attachment(file["filename"] or "file", file["content_type"], file["blob"], url))
    return tuple(found)


async def _row(unit: Unit, named: Mapping[str, str]) -> Mapping[str, Any] | None:
    """A record with a file that is there."""
    try:
        row = (await unit.get(unit.log.catalogue.resources[named["noun"]].row, UUID(named["id"]))).__dict__
    except (NotFound, ValueError):
        return None
    return row if row["blob"] else None
