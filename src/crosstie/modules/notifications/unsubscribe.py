"""Giving messages up: by the link in a message, on a page or by one click of the mail program (RFC 8058)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, StrictUndefined

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.link import Claim, Link, LinkVerb, Page
from crosstie.errors import LinkExpired, NotFound, Problem
from crosstie.log.unit import Unit
from crosstie.modules.notifications import preference
from crosstie.modules.notifications.draft import UNSUBSCRIBES
from crosstie.modules.notifications.message import CHANNELS, Message

HERE = Path(__file__).parent
STYLE = (HERE / "unsubscribe.css").read_text("utf-8")
_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    (HERE / "unsubscribe.html").read_text("utf-8")
)
SHOWN = (
    Field(kinds.Text(200), name="firm", doc="Who writes."),
    Field(kinds.Text(2000), name="to", doc="To whom; most of it is hidden."),
    Field(kinds.Text(60), name="category", doc="What about."),
    Field(kinds.Choice(CHANNELS), name="channel", doc="Over which channel."),
    Field(kinds.Choice(("at_once", "digest", "never")), name="wanted", doc="Whether such messages are wanted."),
)


async def _message(unit: Unit, claim: Claim) -> Message:
    try:
        row = await unit.get(Message, UUID(claim.about["m"]))
    except NotFound:
        raise LinkExpired("The link has ended.") from None
    if not row.address:  # erased
        raise LinkExpired("The link has ended.")
    return row


async def _see(unit: Unit, claim: Claim, given: Mapping[str, Any]) -> dict[str, Any]:
    """What such messages are, and whether they are wanted."""
    row = await _message(unit, claim)
    wishes = await preference.of(unit, [row.user_id] if row.user_id else [], [row.address])
    return {
        "firm": await unit.connection.fetchval("SELECT name FROM tenants"),
        "to": _hidden(row.address),
        "category": row.category,
        "channel": row.channel,
        "wanted": preference.wanted(wishes.of(row.user_id, row.address), row.category, row.channel),
    }


def _hidden(address: str) -> str:
    """Enough to know one's own by: whoever was forwarded the mail learns no address."""
    name, at, rest = address.rpartition("@")
    return f"{name[:1]}…{at}{rest}" if at else f"…{address[-3:]}"


async def _stop(unit: Unit, claim: Claim, given: Mapping[str, Any]) -> dict[str, Any]:
    return await _choose(unit, claim, "never")


async def _start(unit: Unit, claim: Claim, given: Mapping[str, Any]) -> dict[str, Any]:
    return await _choose(unit, claim, "at_once")


async def _choose(unit: Unit, claim: Claim, wanted: str) -> dict[str, Any]:
    row = await _message(unit, claim)
    await preference.choose(unit, row.user_id, row.address, row.category, row.channel, wanted)
    return await _see(unit, claim, {})


WORDS = {
    "en": {
        "title": "Messages from {}", "other": "العربية", "on": "{} gets messages about “{}” from {}.",
        "off": "{} gets no more messages about “{}” from {}.", "stop": "Unsubscribe", "start": "Get them again",
        "gone": "This link has ended.", "security": "Messages about the security of an account are sent in any case.",
    },
    "ar": {
        "title": "رسائل من {}", "other": "English", "on": "تصل {} رسائل عن «{}» من {}.",
        "off": "لن تصل {} رسائل أخرى عن «{}» من {}.", "stop": "إلغاء الاشتراك", "start": "استئناف الرسائل",
        "gone": "انتهت صلاحية هذا الرابط.", "security": "رسائل أمان الحساب تُرسل في كل الأحوال.",
    },
}  # fmt: skip


def draw(found: Mapping[str, Any] | None, locale: str, problem: Problem | None, sent: Mapping[str, str]) -> str:
    """The page: what such messages are, and a button."""
    return _TEMPLATE.render(
        lang=locale,
        dir="rtl" if locale == "ar" else "ltr",
        other="en" if locale == "ar" else "ar",
        words=WORDS[locale],
        found=found,
        problem=problem,
        style=STYLE,
    )


UNSUBSCRIBE_LINK = Link(
    UNSUBSCRIBES,
    "Messages of one kind, for whoever gets them: given up, or taken up again.",
    (
        LinkVerb("GET", "", _see, "Whether such messages are wanted."),
        LinkVerb("POST", "unsubscribe", _stop, "Give such messages up."),
        LinkVerb("POST", "resubscribe", _start, "Get such messages again."),
    ),
    SHOWN,
    Page("/unsubscribe/{token}", draw, STYLE, one_click="unsubscribe"),
    actor="reader",
)
