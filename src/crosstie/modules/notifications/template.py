"""Templates of messages: those that Crosstie brings, and what a tenant says instead, every version kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from crosstie.access import scope
from crosstie.db.statement import Statement, compiled
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, identifier, integer, many
from crosstie.declare.field import text as string
from crosstie.declare.resource import Action, Events, Listing, Resource
from crosstie.declare.row import Record, Row
from crosstie.errors import Fault, Invalid, TemplateUnknown
from crosstie.kit import ids
from crosstie.kit import template as room
from crosstie.kit.locale import LANGUAGES
from crosstie.log.unit import Unit
from crosstie.modules.notifications import render
from crosstie.modules.notifications.built import TEMPLATES, Words
from crosstie.modules.notifications.value import PLACEHOLDER, Placeholder, judged, sample, written

NAME = r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$"
PARTS = ("subject", "text", "html", "short")


class MessageTemplate(Record):
    """The words of a message in one language. One with the name of a built-in message stands in its place."""

    __tablename__ = "message_templates"

    name: Mapped[str] = string(100, min=1, pattern=NAME, doc="What messages call it, such as erp.order.created.")
    locale: Mapped[str] = choice(*LANGUAGES, doc="Its language.")
    category: Mapped[str] = string(
        60, min=1, pattern=NAME, doc="What it is about: by this people choose what they want.", default="general"
    )
    placeholders: Mapped[list[dict[str, Any]]] = many(
        PLACEHOLDER, max=50, doc="The values that it is filled in with; of a built-in message those are fixed."
    )
    subject: Mapped[str] = string(300, min=1, doc="The subject; placeholders stand in double braces.")
    text: Mapped[str] = string(20_000, min=1, doc="The message as plain text.")
    html: Mapped[str | None] = string(60_000, nullable=True, doc="The same in HTML; unless given, made of the text.")
    short: Mapped[str | None] = string(1000, nullable=True, doc="The same for SMS and push; unless given, the text.")
    version: Mapped[int] = integer(min=1, default=1, doc="Rises with each change of its words.")


class MessageTemplateVersion(Row):
    """The words of a template as they were. Rows are only ever added."""

    __tablename__ = "message_template_versions"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "template_id", "version", name="uq_message_template_versions_version"),
        {"info": {"app": "SELECT, INSERT"}},
    )

    template_id: Mapped[UUID] = identifier(doc="The template.")
    version: Mapped[int] = integer(min=1, doc="Which version.")
    actor_type: Mapped[str] = string(60, doc="What made it: a user, a key, an app …")
    actor_id: Mapped[str | None] = string(200, doc="Which one.", nullable=True)
    category: Mapped[str] = string(60, doc="What it was about.")
    placeholders: Mapped[list[dict[str, Any]]] = many(PLACEHOLDER, max=50, doc="What it was filled in with.")
    subject: Mapped[str] = string(300, doc="Its subject.")
    text: Mapped[str] = string(20_000, doc="Its text.")
    html: Mapped[str | None] = string(60_000, nullable=True, doc="Its HTML.")
    short: Mapped[str | None] = string(1000, nullable=True, doc="Its short form.")


@dataclass(frozen=True, slots=True)
class Template:
    """A message's words in one language, whoever wrote them."""

    name: str
    locale: str
    category: str
    placeholders: tuple[Placeholder, ...]
    words: Words
    #: null of a built-in one
    id: UUID | None = None
    version: int = 0

    @property
    def late(self) -> str | None:
        """The value that is made when the message leaves."""
        found = TEMPLATES.get(self.name)
        return found.late if found else None


@dataclass(frozen=True, slots=True)
class Content:
    """A message, filled in."""

    subject: str
    text: str
    short: str
    html: str | None


#: what every message needs to know of the tenant
FIRM = Statement("SELECT name, locale, time_zone FROM tenants", [])
_BY_NAME = compiled(
    sa.select(MessageTemplate.__table__).where(
        MessageTemplate.__table__.c.name == sa.bindparam("name", type_=sa.Text())
    )
)
_VERSION = compiled(
    sa.select(MessageTemplateVersion.__table__).where(
        MessageTemplateVersion.__table__.c.template_id == sa.bindparam("template", type_=sa.Uuid()),
        MessageTemplateVersion.__table__.c.version == sa.bindparam("version", type_=sa.BigInteger()),
    )
)


async def found(unit: Unit, name: str) -> dict[str, Template]:
    """The template of this name in each language that it has. Raises TemplateUnknown."""
    built = TEMPLATES.get(name)
    known = {}
    if built is not None:
        known = {
            locale: Template(name, locale, built.category, built.placeholders, words)
            for locale, words in built.words.items()
        }
    for row in await unit.fetch(_BY_NAME, name=name):
        known[row["locale"]] = _template(name, row["locale"], dict(row), row["id"])
    if not known:
        raise TemplateUnknown(f"There is no template {name}.", errors=[Fault("/template", "unknown", "is not known")])
    return known


def spoken(known: Mapping[str, Template], locale: str) -> Template:
    """The one in a language, or else in English, or in whatever there is."""
    return known.get(locale) or known.get(LANGUAGES[0]) or next(iter(known.values()))


async def kept(unit: Unit, name: str, locale: str, id: UUID | None, version: int) -> Template:
    """The very version that a message was made with. Raises TemplateUnknown."""
    if id is None:
        return spoken({each: one for each, one in (await found(unit, name)).items() if one.id is None}, locale)
    rows = await unit.fetch(_VERSION, template=id, version=version)
    if not rows:
        raise TemplateUnknown(f"There is no template {name}.")
    return _template(name, locale, dict(rows[0]), id)


def _template(name: str, locale: str, row: Mapping[str, Any], id: UUID) -> Template:
    return Template(
        name, locale, row["category"], _placeholders(row["placeholders"]),
        Words(row["subject"], row["text"], row["short"], row["html"]), id, row["version"],
    )  # fmt: skip


def _placeholders(given: list[dict[str, Any]]) -> tuple[Placeholder, ...]:
    return tuple(Placeholder(each["name"], each["type"], each["required"]) for each in given)


def filled(template: Template, data: Mapping[str, Any], zone: str, also: Mapping[str, Any]) -> Content:
    """A message of a template. `also` are values that Crosstie itself knows. Raises Unusable."""
    values = written(template.placeholders, data, template.locale, zone) | dict(also)
    words = template.words
    whole = room.plain(words.text, values)
    return Content(
        render.subject(words.subject, values),
        whole,
        room.plain(words.short, values) if words.short else whole,
        room.markup(words.html, values) if words.html else None,
    )


async def _rule(unit: Unit, before: MessageTemplate | None, values: dict[str, Any]) -> None:
    """What can be wrong with a template is found when it is written, not when it is sent."""
    row = (before.__dict__ if before else {}) | values
    built = TEMPLATES.get(row["name"])
    if built is not None and built.late is not None:  # words around a link that opens an account could lead it astray
        scope.require(unit.actor, "*")
    if built is not None:  # whoever sends it knows these values and no others, and these may not be given up
        row = row | {"placeholders": [_document(each) for each in built.placeholders], "category": built.category}
        values |= {"placeholders": row["placeholders"], "category": row["category"]}
    names = {each["name"] for each in row["placeholders"]} | {"firm"}
    faults = [fault for part in PARTS if row.get(part) for fault in _wrong(part, row[part], names)]
    if not faults:
        faults = _tried(row)
    if faults:
        raise Invalid("The template cannot be used: " + faults[0].message + ".", errors=faults)
    if before is None or any(name in values and values[name] != before.__dict__[name] for name in VERSIONED):
        _note(unit, before, row, values)


VERSIONED = (*PARTS, "placeholders", "category")


def _note(unit: Unit, before: MessageTemplate | None, row: Mapping[str, Any], values: dict[str, Any]) -> None:
    values["version"] = before.version + 1 if before else 1
    whole = {name: row.get(name) for name in VERSIONED}
    made = {"id": ids.uuid7(), "template_id": row["id"], "version": values["version"]}
    unit.insert(MessageTemplateVersion, made | whole | {"actor_type": unit.actor.type, "actor_id": unit.actor.id})


def _document(each: Placeholder) -> dict[str, Any]:
    return {"name": each.name, "type": each.type, "required": each.required}


def _wrong(part: str, source: str, names: set[str]) -> list[Fault]:
    try:
        missing = sorted(room.check(source) - names)
    except room.Unusable as error:
        return [Fault(f"/{part}", "template", str(error))]
    return [Fault(f"/{part}", "placeholder", f"names {name}, which is no placeholder") for name in missing]


def _tried(row: Mapping[str, Any]) -> list[Fault]:
    template = _template(row["name"], row["locale"], dict.fromkeys(PARTS) | dict(row) | {"version": 0}, row["id"])
    try:
        filled(template, sample(template.placeholders), "UTC", {"firm": "Crosstie"})
    except room.Unusable as error:
        return [Fault("/text", "template", str(error))]
    return []


async def _preview(unit: Unit, row: MessageTemplate, given: Mapping[str, Any]) -> dict[str, Any]:
    """The message as it would read with these values."""
    template = _template(row.name, row.locale, row.__dict__, row.id)
    faults: kinds.Faults = []
    judged(template.placeholders, given["data"], "/data", faults)
    if faults:
        raise Invalid("The values do not fit the template.", errors=faults)
    (firm,) = await unit.fetch(FIRM)
    try:
        content = filled(template, given["data"], firm["time_zone"], {"firm": firm["name"]})
    except room.Unusable as error:
        raise Invalid("The template cannot be filled in.", errors=[Fault("/data", "template", str(error))]) from None
    return {name: getattr(content, name) for name in PARTS}


CONTENT = (
    Field(kinds.Text(300), name="subject", doc="The subject."),
    Field(kinds.Text(room.LONGEST), name="text", doc="The plain text."),
    Field(kinds.Text(room.LONGEST), name="html", doc="The HTML, where the template has any.", nullable=True),
    Field(kinds.Text(room.LONGEST), name="short", doc="The short form."),
)
VERSIONS = Resource(
    row=MessageTemplateVersion,
    name="message-template-versions",
    read=(MessageTemplateVersion.id, MessageTemplateVersion.template_id, MessageTemplateVersion.version,
          MessageTemplateVersion.actor_type, MessageTemplateVersion.actor_id, MessageTemplateVersion.category,
          MessageTemplateVersion.placeholders, MessageTemplateVersion.subject, MessageTemplateVersion.text,
          MessageTemplateVersion.html, MessageTemplateVersion.short),
    filter=(MessageTemplateVersion.template_id, MessageTemplateVersion.version),
    verbs=frozenset(),
    events=Events(None, None, None),
)  # fmt: skip
_WORDS = (
    MessageTemplate.category,
    MessageTemplate.placeholders,
    MessageTemplate.subject,
    MessageTemplate.text,
    MessageTemplate.html,
    MessageTemplate.short,
)
MESSAGE_TEMPLATES = Resource(
    row=MessageTemplate,
    name="message-templates",
    read=(MessageTemplate.id, MessageTemplate.name, MessageTemplate.locale, *_WORDS, MessageTemplate.version,
          MessageTemplate.created_at, MessageTemplate.updated_at),
    write=_WORDS,
    once=(MessageTemplate.name, MessageTemplate.locale),
    filter=(MessageTemplate.name, MessageTemplate.locale, MessageTemplate.category),
    sort=(MessageTemplate.name,),
    unique=((MessageTemplate.name, MessageTemplate.locale),),
    rule=_rule,
    actions=(
        Action(
            "preview", _preview, "The message as it would read with these values.",
            given=(Field(kinds.Data(100), name="data", doc="Values of the placeholders.", default=dict),),
            answer=CONTENT, scope="read",
        ),
    ),
    lists=(Listing("versions", VERSIONS, MessageTemplateVersion.template_id, "Every version, oldest first."),),
)  # fmt: skip
