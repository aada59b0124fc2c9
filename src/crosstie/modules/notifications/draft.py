"""Messages become letters: filled in, with the links that only the letter itself may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from crosstie.access import link
from crosstie.access import setting as settings
from crosstie.db.statement import Statement
from crosstie.errors import TemplateUnknown
from crosstie.kit.template import Unusable
from crosstie.log.unit import Unit
from crosstie.modules.notifications import attach, late, preference, suppression
from crosstie.modules.notifications import template as templates
from crosstie.modules.notifications.built import MANDATORY
from crosstie.modules.notifications.letter import Letter
from crosstie.modules.notifications.message import Message

#: for how long the link in a message gives such messages up
UNSUBSCRIBE = timedelta(days=365)
UNSUBSCRIBES = "unsubscribes"
#: messages that a digest shows, and characters of each; of the others it says how many they are
MOST, EXCERPT = 100, 500
_MEMBERS = Statement(
    "SELECT * FROM messages WHERE digest_id = $1::uuid AND status = 'collected' ORDER BY id", ["digest"]
)


async def letter(unit: Unit, row: Message) -> Letter | None:
    """The letter of a message; None where what it would say is over, or a file of it is gone.

    Raises Unusable, TemplateUnknown.
    """
    (firm,) = await unit.fetch(templates.FIRM)
    template = await templates.kept(unit, row.template, row.locale, row.template_id, row.template_version)
    also: dict[str, Any] = {"firm": firm["name"]}
    if template.late is not None:
        opening = await late.made(unit, row)
        if opening is None:
            return None
        also[template.late] = opening
    if row.template == "digest":
        items = await _items(unit, row, dict(firm))
        if not items:
            return None
        also |= {"items": items[:MOST], "total": str(len(items)), "rest": str(len(items[MOST:]) or "")}
    attachments = await attach.files(unit, row)
    if attachments is None:
        return None
    content = templates.filled(template, row.data, firm["time_zone"], also)
    if row.channel != "email":
        content = replace(content, short="\n".join([content.short, *(each.url for each in attachments)]))
    return Letter(
        id=row.id,
        tenant_id=row.tenant_id,
        channel=row.channel,
        address=row.address,
        locale=row.locale,
        category=row.category,
        content=content,
        firm=firm["name"],
        made_at=row.created_at,
        reply_to=(await settings.read(unit))["business"]["email"],
        unsubscribe=_unsubscribe(unit, row) if row.category not in MANDATORY else None,
        attachments=attachments,
    )


def _unsubscribe(unit: Unit, row: Message) -> str:
    token = link.make(unit.log.cipher, UNSUBSCRIBES, unit.tenant_id, {"m": str(row.id)}, row.created_at + UNSUBSCRIBE)
    return f"{unit.log.address}/unsubscribe/{token}"


async def _items(unit: Unit, row: Message, firm: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a digest tells of. A message whose template is gone is left out."""
    found = []
    for each in map(Message.view, await unit.fetch(_MEMBERS, digest=row.id)):
        try:
            template = await templates.kept(unit, each.template, each.locale, each.template_id, each.template_version)
            content = templates.filled(template, each.data, firm["time_zone"], {"firm": firm["name"]})
        except (Unusable, TemplateUnknown):
            continue
        found.append({"subject": content.subject, "text": content.text[:EXCERPT]})
    return found


async def unwanted(unit: Unit, row: Message) -> str | None:
    """Why a message is not to be sent, where that was said since it was asked for."""
    suppressed = await suppression.among(unit, [row.address])
    if (reason := suppressed.get((row.channel, row.address))) is not None:
        return reason
    wishes = await preference.of(unit, [row.user_id] if row.user_id else [], [row.address])
    said = wishes.of(row.user_id, row.address)
    return "unsubscribed" if preference.wanted(said, row.category, row.channel) == "never" else None
