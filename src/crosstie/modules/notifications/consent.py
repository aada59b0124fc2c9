"""Consent by words: whoever answers STOP to a text message gets none any more, START ends that, HELP says who writes.

What comes in by an inbound source is looked at: whole messages that are such a word, in English and Arabic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from crosstie.access import setting as settings
from crosstie.db.statement import Statement, compiled
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import SAMPLE_ID
from crosstie.declare.event import EventType
from crosstie.declare.field import Field
from crosstie.declare.shape import Shape
from crosstie.log import change
from crosstie.log.event import Event
from crosstie.log.reaction import newest
from crosstie.log.unit import Unit
from crosstie.modules.notifications.address import digest, normal
from crosstie.modules.notifications.ask import Request, ask
from crosstie.modules.notifications.audience import Recipient
from crosstie.modules.notifications.suppression import SUPPRESSIONS, Suppression

#: dialect of the source → fields of the sender's number and of the text; `from` and `text` are Africa's Talking's
FIELDS = {"twilio": ("From", "Body"), "basic": ("from", "text"), "api_key": ("from", "text")}
#: what Twilio made of a message, where it answers such words itself (Advanced Opt-Out)
DECIDED = "OptOutType"
#: before a number on WhatsApp
WHATSAPP = "whatsapp:"
STOP, START, HELP = "stop", "start", "help"
WORDS = {
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"), STOP),
    **dict.fromkeys(("start", "unstop"), START),
    **dict.fromkeys(("help", "info"), HELP),
    **dict.fromkeys(("توقف", "قف", "ايقاف", "الغاء", "الغاء الاشتراك"), STOP),
    **dict.fromkeys(("ابدا", "بدء", "اشتراك"), START),
    **dict.fromkeys(("مساعده",), HELP),
}
#: letters that are written one way or another
ALIKE = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ة": "ه", "ى": "ي", "ـ": None})
LONGEST = 60
_HELD = compiled(
    sa.select(Suppression.__table__)
    .where(Suppression.__table__.c.channel == sa.bindparam("channel", type_=sa.Text()))
    .where(Suppression.__table__.c.address == sa.bindparam("address", type_=sa.Text()))
    .with_for_update()
)
_LAST = Statement(
    "SELECT id, user_id, client_id FROM messages WHERE channel = $1::text AND address = $2::text"
    " ORDER BY id DESC LIMIT 1",
    ["channel", "address"],
)


def meant(text: str) -> str | None:
    """What a message asks for: stop, start, help; None where it is not such a word and nothing else."""
    if len(text) > LONGEST:
        return None
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    words = re.findall(r"\w+", unicodedata.normalize("NFC", plain).translate(ALIKE).casefold())
    return WORDS.get(" ".join(words))


def _said(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """The sender of a message and what it asks for."""
    body, fields = data["body"], FIELDS.get(data["dialect"])
    if fields is None or not isinstance(body, dict):
        return None
    sender, text = (body.get(name) for name in fields)
    if not isinstance(sender, str) or not isinstance(text, str):
        return None
    decided = str(body.get(DECIDED) or "").lower() if data["dialect"] == "twilio" else ""
    asked = decided if decided in (STOP, START, HELP) else meant(text)
    return (sender, asked) if asked else None


def about(data: Mapping[str, Any]) -> bool:
    """Whether a webhook is such a message: most are not, and are no work."""
    return _said(data) is not None


async def note(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """After such a message: the number's consent ends or begins again, and whoever asks for help is answered."""
    said = _said(data)
    assert said is not None
    sender, asked = said
    channel = "whatsapp" if sender.startswith(WHATSAPP) else "sms"
    address = normal(channel, sender.removeprefix(WHATSAPP), (await settings.read(unit))["business"]["country"])
    if address is None:
        return
    if asked == HELP:
        await _help(unit, event, data, channel, address)
        return
    # of two words of one person the later counts, in whatever order they are worked off
    if not await newest(unit, "consent", f"{channel} {digest(address)}", event.at):
        return
    rows = [Suppression.view(row) for row in await unit.fetch(_HELD, channel=channel, address=address)]
    last = dict(row) if (row := next(iter(await unit.fetch(_LAST, channel=channel, address=address)), None)) else {}
    if asked == STOP and not rows:
        values = {"channel": channel, "address": address, "reason": "stopped", "detail": None}
        made = await change.create(unit, SUPPRESSIONS, values | {"message_id": str(last["id"]) if last else None})
        assert isinstance(made, Suppression)
        _tell(unit, ENDED, made, last)
    if asked == START and rows and rows[0].reason == "stopped":
        await change.delete(unit, SUPPRESSIONS, rows[0])
        _tell(unit, RENEWED, rows[0], last)


async def _help(unit: Unit, event: Event, data: Mapping[str, Any], channel: str, address: str) -> None:
    """Say who writes and how that is ended, at most once an hour; what Twilio answers by itself is answered."""
    arabic = not data["body"][FIELDS[data["dialect"]][1]].isascii()
    if data["dialect"] == "twilio" and (data["body"].get(DECIDED) or (channel == "sms" and not arabic)):
        return
    contact = (await settings.read(unit))["business"]["email"]
    id = f"help {channel} {digest(address)} {event.at:%Y-%m-%dT%H}"
    people = [Recipient(addresses=((channel, address),))]
    values = {"contact": contact} if contact else {}
    locale = "ar" if arabic else "en"
    await ask(unit, Request(id, "help", people, (channel,), values, locale, event_id=event.event_id))


def _tell(unit: Unit, event: EventType, row: Suppression, last: Mapping[str, Any]) -> None:
    data = {"suppression_id": row.id, "channel": row.channel}
    data |= {name: last.get(name) for name in ("user_id", "client_id")}
    unit.append(event.name, data, change.subject(SUPPRESSIONS, row.id))


_TOLD = (
    Field(kinds.Id(), name="suppression_id", doc="The record by which the number gets nothing."),
    Field(kinds.Choice(("sms", "whatsapp")), name="channel", doc="Over which channel."),
    Field(kinds.Id(), name="user_id", doc="Whom messages to it were for last.", nullable=True),
    Field(kinds.Id(), name="client_id", doc="Whom messages to it were for last.", nullable=True),
)


def _type(name: str, summary: str) -> EventType:
    example = {"suppression_id": SAMPLE_ID, "channel": "sms", "user_id": None, "client_id": SAMPLE_ID}
    schema = Shape(_TOLD).schema(output=True)
    return EventType(name, summary, schema, example, subject="suppression", subject_field="suppression_id")


ENDED = _type(
    "consent.ended", "Somebody answered a text message with a word such as STOP: there will be none any more."
)
RENEWED = _type("consent.renewed", "Somebody sent a word such as START: that number gets text messages again.")
EVENTS = (ENDED, RENEWED)
