"""The client's page for a quote: plain HTML, in English and Arabic, without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from crosstie.declare.link import Link, LinkVerb, Page
from crosstie.errors import Problem
from crosstie.kit import locale as written_in
from crosstie.modules.field import holder, offer
from crosstie.modules.field.words import PROBLEMS, WORDS

HERE = Path(__file__).parent
STYLE = (HERE / "portal.css").read_text("utf-8")
_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    (HERE / "portal.html").read_text("utf-8")
)
OPEN = ("sent", "viewed")


def draw(quote: Mapping[str, Any] | None, locale: str, problem: Problem | None, sent: Mapping[str, str]) -> str:
    """The page of a quote (as the API shows it), or of a problem alone. `sent` is what the form was sent with."""

    words, zone = WORDS[locale], quote["time_zone"] if quote else "UTC"
    return _TEMPLATE.render(
        quote=quote,
        lang=locale,
        dir="rtl" if locale == "ar" else "ltr",
        words=words,
        problem=PROBLEMS[locale].get(problem.code, problem.detail) if problem else None,
        sent=sent,
        open=quote is not None and quote["status"] in OPEN,
        amount=lambda value: written_in.money(value, locale),
        number=lambda value: written_in.number(Decimal(value), locale),
        day=lambda value: written_in.moment(value, locale, zone),
        style=STYLE,
    )


CLIENT_LINK = Link(
    offer.LINKS,
    "A quote, for the client who holds a link to it.",
    (
        LinkVerb("GET", "", holder.see, "The quote; the first look is the event quote.viewed."),
        LinkVerb("POST", "approve", holder.approve, "Approve the quote.", (offer.APPROVER,)),
        LinkVerb("POST", "decline", holder.decline, "Decline the quote.", (offer.REASON,)),
    ),
    holder.SHOWN,
    Page("/portal/quotes/{token}", draw, STYLE),
)
