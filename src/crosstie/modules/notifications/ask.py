"""Asking for messages: who gets which, over which channel, now, later or not at all. Decided in the asker's own Unit.

One request makes one message per recipient and channel, however often it is repeated: by its key it is known again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from crosstie.access import setting
from crosstie.db.statement import Statement
from crosstie.errors import Fault, Invalid
from crosstie.kit import ids
from crosstie.kit.locale import LANGUAGES
from crosstie.kit.template import Unusable
from crosstie.log import change
from crosstie.log.unit import Unit
from crosstie.modules.notifications import hours, preference, suppression
from crosstie.modules.notifications import template as templates
from crosstie.modules.notifications.address import normal
from crosstie.modules.notifications.audience import Recipient
from crosstie.modules.notifications.built import MANDATORY
from crosstie.modules.notifications.message import MESSAGES, Message, tell
from crosstie.modules.notifications.notice import NOTICES
from crosstie.modules.notifications.preference import Wish, Wishes
from crosstie.modules.notifications.template import Template
from crosstie.modules.notifications.value import KINDS, judged

NOBODY = Wish({})
#: what would be asked for twice at the same time waits for the first
_LOCK = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended(k, 0)) FROM (SELECT k FROM unnest($1::text[]) AS k ORDER BY k) AS s",
    ["keys"],
)
_KNOWN = Statement("SELECT * FROM messages WHERE key = ANY ($1::text[]) ORDER BY id", ["keys"])


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: a message to some people. `id` is one for all, and known again when it is repeated."""

    id: str
    template: str
    recipients: Sequence[Recipient]
    channels: Sequence[str]
    data: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    event_id: str | None = None
    source: str | None = None
    reference: str | None = None
    #: noun and id of each file that goes along
    attachments: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a request: its messages, and whether they were there before."""

    messages: list[Message]
    repeated: bool


@dataclass(frozen=True, slots=True)
class Target:
    """One recipient over one channel."""

    recipient: Recipient
    channel: str
    address: str
    key: str


@dataclass(slots=True)
class Scene:
    """What decisions are made by."""

    request: Request
    templates: Mapping[str, Template]
    firm: Mapping[str, Any]
    settings: Mapping[str, Any]
    country: str | None
    wishes: Wishes = field(default_factory=lambda: Wishes({}))
    suppressed: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def said(self, target: Target) -> tuple[Wish, ...]:
        """What the recipient wants; he may have said nothing."""
        return self.wishes.of(target.recipient.user_id, target.address) or (NOBODY,)


async def ask(unit: Unit, request: Request) -> Made:
    """Make the messages of a request. Raises TemplateUnknown, and Invalid where the values do not fit the template."""
    known = await templates.found(unit, request.template)
    said = await setting.read(unit)
    (firm,) = await unit.fetch(templates.FIRM)
    scene = Scene(_fitting(request, known), known, dict(firm), said["notifications"], said["business"]["country"])
    targets = _targets(scene)
    await unit.fetch(_LOCK, keys=[target.key for target in targets])
    earlier = [Message.view(row) for row in await unit.fetch(_KNOWN, keys=[target.key for target in targets])]
    left = [target for target in targets if target.key not in {row.key for row in earlier}]
    if left:
        users = [each.recipient.user_id for each in left if each.recipient.user_id]
        addresses = [each.address for each in left]
        scene.wishes = await preference.of(unit, users, addresses)
        scene.suppressed = await suppression.among(unit, addresses)
    made = [await _message(unit, scene, target) for target in left]
    return Made([*earlier, *made], repeated=bool(earlier) and not left)


def _fitting(request: Request, known: Mapping[str, Template]) -> Request:
    """The request with values that the template takes. What follows from an event brings more than that: it is left."""
    placeholders = templates.spoken(known, LANGUAGES[0]).placeholders
    faults: list[Any] = []
    if request.event_id is None:
        judged(placeholders, request.data, "/data", faults)
        if faults:
            raise Invalid("The values do not fit the template.", errors=faults)
        return request
    taken = {}
    for each in placeholders:
        before = len(faults)
        value = request.data.get(each.name)
        if value is not None and KINDS[each.type].decode(value, "", faults) is not None and len(faults) == before:
            taken[each.name] = value
    return Request(**{name: getattr(request, name) for name in Request.__slots__} | {"data": taken})


def _targets(scene: Scene) -> list[Target]:
    """Each recipient over each channel for which there is an address, once."""
    found: dict[str, Target] = {}
    for recipient in scene.request.recipients:
        for channel, word in recipient.addresses:
            address = normal(channel, word, scene.country) if channel in scene.request.channels else None
            if address is not None:
                name = f"{scene.request.id}\n{channel}\n{address}"
                key = blake2b(name.encode(), digest_size=20).hexdigest()
                found.setdefault(key, Target(recipient, channel, address, key))
    return list(found.values())


async def _message(unit: Unit, scene: Scene, target: Target) -> Message:
    request, wish = scene.request, scene.said(target)[0]
    locale = request.locale or wish.get("locale", None) or scene.firm["locale"]
    template = templates.spoken(scene.templates, locale)
    status, reason, due = _decided(unit.now, scene, target, template.category)
    values: dict[str, Any] = {
        "id": ids.uuid7(),
        "request_id": request.id,
        "channel": target.channel,
        "template": template.name,
        "template_id": template.id,
        "template_version": template.version,
        "category": template.category,
        "locale": template.locale,
        "user_id": target.recipient.user_id,
        "client_id": target.recipient.client_id,
        "status": status,
        "reason": reason,
        "due_at": due,
        "event_id": request.event_id,
        "source": request.source,
        "reference": request.reference,
        "key": target.key,
        "address": target.address,
        "data": dict(request.data),
        "attachments": list(request.attachments),
    }
    if status == "collected":
        assert due is not None
        values["digest_id"] = await _digest(unit, target, values, due)
    if target.channel == "in_app" and status == "queued":
        values |= {"status": "sent", "sent_at": unit.now, "provider": "in_app"}
        await _notice(unit, scene, template, values)
    row = await change.create(unit, MESSAGES, values)
    assert isinstance(row, Message)
    tell(unit, "held" if row.status == "collected" else row.status, row)
    return row


def _decided(now: datetime, scene: Scene, target: Target, category: str) -> tuple[str, str | None, datetime | None]:
    """Status, reason, and until when it waits."""
    reason = scene.suppressed.get((target.channel, target.address))
    if reason is not None:
        return "suppressed", reason, None
    said = scene.said(target)
    wish, wanted = said[0], preference.wanted(said, category, target.channel)
    zone = wish.get("time_zone", None) or scene.firm["time_zone"]
    if wanted == "never":
        return "suppressed", "unsubscribed", None
    if target.channel == "in_app" or category in MANDATORY:
        return "queued", None, None
    if wanted == "digest" and not scene.request.attachments:  # a digest has no place for files
        return "collected", "digest", hours.following(now, wish.get("digest_at", "08:00") or "", zone)
    start, end = (wish.get(name, scene.settings[name]) for name in ("quiet_from", "quiet_until"))
    until = hours.quiet_until(now, start, end, zone)
    return ("held", "quiet_hours", until) if until else ("queued", None, None)


async def _digest(unit: Unit, target: Target, member: Mapping[str, Any], due: datetime) -> UUID:
    """The digest that goes to an address at a time; the first of its members makes it."""
    name = f"digest\n{target.channel}\n{target.address}\n{due.isoformat()}"
    key = blake2b(name.encode(), digest_size=20).hexdigest()
    await unit.fetch(_LOCK, keys=[key])
    rows = await unit.fetch(_KNOWN, keys=[key])
    if rows:
        found: UUID = rows[0]["id"]
        return found
    values = dict(member) | {
        "id": ids.uuid7(), "request_id": f"digest-{key}", "template": "digest", "template_id": None,
        "template_version": 0, "category": "digest", "status": "held", "reason": "digest", "due_at": due, "key": key,
        "data": {}, "attachments": [], "event_id": None, "source": None, "reference": None,
    }  # fmt: skip
    row = await change.create(unit, MESSAGES, values)
    assert isinstance(row, Message)
    tell(unit, "held", row)
    return row.id


async def _notice(unit: Unit, scene: Scene, template: Template, values: Mapping[str, Any]) -> None:
    zone = scene.firm["time_zone"]
    try:
        content = templates.filled(template, values["data"], zone, {"firm": scene.firm["name"]})
    except Unusable as error:
        raise Invalid("The template cannot be filled in.", errors=[Fault("/data", "template", str(error))]) from None
    written = {
        "user_id": values["user_id"], "message_id": values["id"], "category": values["category"],
        "event_id": values["event_id"], "locale": values["locale"], "title": content.subject or content.text[:200],
        "body": content.text,
    }  # fmt: skip
    await change.create(unit, NOTICES, written)
