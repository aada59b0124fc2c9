"""Settings of the second tier: what business users decide. Plain, typed, one record per tenant, every version kept.

To add a setting, add a line to a section: reading, writing, schema and defaults follow. What nobody set is the default
of today; nothing is stored of it. Secrets have no place here (see access/secret.py): what looks like one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, MappedColumn

from crosstie.access import report
from crosstie.db.engine import Connection
from crosstie.db.statement import compiled
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, column, identifier, integer, moment, text
from crosstie.declare.kind import Faults
from crosstie.declare.resource import Action, Events, Listing, Resource
from crosstie.declare.row import Record, Row
from crosstie.declare.shape import Nested
from crosstie.errors import Fault, Invalid
from crosstie.kit import ids, mask
from crosstie.log import change
from crosstie.log.unit import Unit

#: what texts on documents may name, in double braces
PLACEHOLDERS = frozenset(("firm", "client", "job", "number", "date"))
BRACES = re.compile(r"\{\{(.*?)\}\}|[{}]{2}|\{%|%\}", re.DOTALL)
PRIVATE = "PRIVATE KEY-----"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class Section(Nested):
    """Settings that belong together. What is sent changes, what is not stays, and null is the default again."""

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return kinds.refuse(faults, pointer, "type", "must be an object")
        known = self.shape.fields
        sent = {name: each for name, each in value.items() if each is not None or name not in known}
        found = self.shape.read(sent, pointer, faults, partial=True)
        _check(found, known, pointer, faults)
        return {name: known[name].kind.wire(found[name]) if name in found else None for name in value if name in known}

    def schema(self) -> dict[str, Any]:
        found = super().schema()
        found["properties"] = {
            name: {"anyOf": [schema, {"type": "null"}]} for name, schema in found["properties"].items()
        }
        return found

    def encode(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Every setting of the section, with today's default where nobody set it."""
        return {name: value.get(name, field.initial()) for name, field in self.shape.fields.items()}


def _check(found: Mapping[str, Any], known: Mapping[str, Field], pointer: str, faults: Faults) -> None:
    for name, value in found.items():
        for words in _texts(value):
            if mask.TOKENS.search(words) or PRIVATE in words:
                message = "looks like a secret: keep it under /api/v1/secrets, where nobody reads it"
                kinds.refuse(faults, f"{pointer}/{name}", "secret", message)
        if isinstance(value, str) and known[name].kind.__class__ is Template:
            for match in BRACES.finditer(value):
                if (match[1] or "").strip() not in PLACEHOLDERS:
                    message = f"may name {', '.join(sorted(PLACEHOLDERS))} in double braces, and nothing else"
                    kinds.refuse(faults, f"{pointer}/{name}", "placeholder", message)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


class Templates(kinds.Data):
    """Templates by what they are of; what the templates of reports may hold is judged with the record's declaration."""

    def decode(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return kinds.refuse(faults, pointer, "type", "must be an object")
        for name, source in value.items():
            if source is not None:
                SOURCE.decode(source, f"{pointer}/{name}", faults)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"anyOf": [SOURCE.schema(), {"type": "null"}]}}


#: a template of a page
SOURCE = kinds.Text(60_000, 1)


class Template(kinds.Text):
    """A text with placeholders. There is nothing in it that could run."""


def _words(name: str, doc: str, max: int = 200, pattern: str | None = None, format: str | None = None) -> Field:
    return Field(kinds.Text(max, 1, pattern, format), name=name, doc=doc, nullable=True)


SECTIONS: dict[str, Section] = {
    "business": Section(
        (
            _words("legal_name", "The firm's name in the register."),
            _words("registration_number", "Its number there."),
            _words("vat_number", "Its number as a payer of VAT."),
            _words("street", "Street and number."),
            _words("city", "City or town."),
            _words("postal_code", "Postal code.", 20),
            _words("country", "Country (ISO 3166-1 alpha-2).", 2, "^[A-Z]{2}$"),
            _words("phone", "Telephone number for clients.", 40),
            _words("email", "E-mail address for clients.", 254, format="email"),
            _words("website", "Address of the website.", 500, format="uri"),
        )
    ),
    "tax": Section(
        (
            _words("default_code", "Code of the usual tax; its rate is the treasury's.", 60),
            Field(kinds.Many(kinds.Text(60, 1), 50, distinct=True), name="codes", doc="Codes in use.", default=list),
        )
    ),
    "payments": Section(
        (
            Field(kinds.Integer(0, 365), name="terms_days", doc="Days in which an invoice is to be paid.", default=30),
            Field(kinds.Integer(0, 100), name="deposit_percent", doc="Deposit asked with a quote.", default=0),
            Field(kinds.Many(kinds.Integer(1, 365), 10, distinct=True), name="reminder_days",
                  doc="Days after the due day on which a reminder goes out.", default=lambda: [7, 14, 30]),
        )
    ),
    "notifications": Section(
        (
            Field(kinds.Many(kinds.Choice(("email", "sms", "whatsapp", "push", "webhook", "in_app")), 6, distinct=True),
                  name="channels", doc="Ways in which people may be told of events.",
                  default=lambda: ["email", "in_app"]),
            Field(kinds.Many(kinds.Text(100, 1), 100), name="muted", doc="Event types that nobody is told of.",
                  default=list),
            _words("quiet_from", "From then on nobody is disturbed (local time).", 5, CLOCK),
            _words("quiet_until", "Until then.", 5, CLOCK),
        )
    ),
    "reports": Section(
        (
            Field(Template(2000), name="header", doc="Above each report; {{ firm }} and the like are filled in.",
                  default=""),
            Field(Template(2000), name="footer", doc="Below each report.", default=""),
            Field(Templates(), name="templates", default=dict,
                  doc="By noun (quote, job, certificate), the HTML of its report; null is Crosstie's own."),
        )
    ),
}  # fmt: skip


def _section(name: str, doc: str) -> MappedColumn[Any]:
    return column(Field(SECTIONS[name], doc=doc, default=dict))


class Setting(Record):
    """What the firm's people decided about how Crosstie works for them. Its id is the tenant's."""

    __tablename__ = "settings"

    version: Mapped[int] = integer(min=1, default=1, doc="Rises with each change.")
    business: Mapped[dict[str, Any]] = _section("business", "Who the firm is.")
    tax: Mapped[dict[str, Any]] = _section("tax", "Taxes, by the treasury's codes.")
    payments: Mapped[dict[str, Any]] = _section("payments", "Terms of payment.")
    notifications: Mapped[dict[str, Any]] = _section("notifications", "Who is told of what, and when not.")
    reports: Mapped[dict[str, Any]] = _section("reports", "What stands on reports.")


class SettingVersion(Row):
    """A version of the settings. Rows are only ever added."""

    __tablename__ = "setting_versions"
    __table_args__ = ({"info": {"app": "SELECT, INSERT"}},)

    setting_id: Mapped[UUID] = identifier(doc="The settings.")
    version: Mapped[int] = integer(min=1, doc="Which version.")
    made_at: Mapped[datetime] = moment(doc="When it was made.")
    actor_type: Mapped[str] = text(60, doc="What made it: a user, a key, an app …")
    actor_id: Mapped[str | None] = text(200, doc="Which one.", nullable=True)
    business: Mapped[dict[str, Any]] = _section("business", "Who the firm was.")
    tax: Mapped[dict[str, Any]] = _section("tax", "Taxes.")
    payments: Mapped[dict[str, Any]] = _section("payments", "Terms of payment.")
    notifications: Mapped[dict[str, Any]] = _section("notifications", "Who was told of what.")
    reports: Mapped[dict[str, Any]] = _section("reports", "What stood on reports.")


_KEPT = tuple(getattr(SettingVersion, name) for name in SECTIONS)
VERSIONS = Resource(
    row=SettingVersion,
    name="setting-versions",
    read=(SettingVersion.id, SettingVersion.setting_id, SettingVersion.version, SettingVersion.made_at,
          SettingVersion.actor_type, SettingVersion.actor_id, *_KEPT),
    filter=(SettingVersion.setting_id, SettingVersion.version),
    verbs=frozenset(),
    events=Events(None, None, None),
)  # fmt: skip
_ONE = compiled(
    sa.select(SettingVersion.__table__).where(
        SettingVersion.__table__.c.version == sa.bindparam("version", type_=sa.BigInteger())
    )
)


async def _rule(unit: Unit, before: Setting, values: dict[str, Any]) -> None:
    """What was sent goes into what is there; where that changes anything it is a new version."""
    for name in SECTIONS.keys() & values.keys():
        values[name] = _merged(before.__dict__[name], values[name])
    for name, source in (values.get("reports") or {}).get("templates", {}).items():
        _judge(unit, name, source)
    _note(unit, before, values)


def _merged(before: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is there with what was sent, at any depth; null takes away."""
    found = dict(before)
    for name, value in sent.items():
        found[name] = _merged(found.get(name) or {}, value) if isinstance(value, Mapping) else value
    return {name: value for name, value in found.items() if value is not None}


def _judge(unit: Unit, name: str, source: str) -> None:
    """A template that could not become a page is refused when it is written."""
    resource = unit.log.catalogue.reports.get(name)
    if resource is None:
        known = f"must be one of {', '.join(sorted(unit.log.catalogue.reports))}"
        raise Invalid("There is no such report.", errors=[Fault(f"/reports/templates/{name}", "unknown", known)])
    report.check(resource, source, SECTIONS["business"].shape.fields)


def _note(unit: Unit, before: Setting, values: dict[str, Any]) -> None:
    whole = {name: values.get(name, before.__dict__[name]) for name in SECTIONS}
    if all(whole[name] == before.__dict__[name] for name in SECTIONS):
        return
    values["version"] = before.version + 1
    row = {"id": ids.uuid7(), "setting_id": before.id, "version": values["version"], "made_at": unit.now}
    unit.insert(SettingVersion, row | whole | {"actor_type": unit.actor.type, "actor_id": unit.actor.id})


async def _revert(unit: Unit, row: Setting, given: Mapping[str, Any]) -> Setting:
    """The settings of an earlier version, as a new one."""
    found = await unit.fetch(_ONE, version=given["version"])
    if not found:
        raise Invalid("There is no such version.", errors=[Fault("/version", "version", "is none of the versions")])
    values = {name: found[0][name] for name in SECTIONS}
    _note(unit, row, values)
    if "version" not in values:
        return row
    after = unit.update(row, values)
    change.tell(unit, SETTINGS, "setting.reverted", after)
    return after


async def begin(connection: Connection, tenant_id: UUID) -> None:
    """The settings of a new tenant, in its own transaction: all defaults."""
    await connection.execute(
        "WITH made AS (INSERT INTO settings (tenant_id, id, version, business, tax, payments, notifications, reports,"
        " created_at, updated_at, revision) VALUES ($1, $1, 1, '{}', '{}', '{}', '{}', '{}', now(), now(), 1))"
        " INSERT INTO setting_versions (tenant_id, id, setting_id, version, made_at, actor_type, business, tax,"
        " payments, notifications, reports) VALUES ($1, $2, $1, 1, now(), 'system', '{}', '{}', '{}', '{}', '{}')",
        tenant_id,
        ids.uuid7(),
    )


async def read(unit: Unit) -> dict[str, dict[str, Any]]:
    """Every setting of the tenant by section and name, defaults included. For code that obeys them."""
    row = await unit.get(Setting, unit.tenant_id)
    return {name: section.encode(row.__dict__[name]) for name, section in SECTIONS.items()}


_WRITTEN = tuple(getattr(Setting, name) for name in SECTIONS)
SETTINGS = Resource(
    row=Setting,
    name="settings",
    read=(Setting.id, Setting.version, *_WRITTEN, Setting.created_at, Setting.updated_at),
    write=_WRITTEN,
    verbs=frozenset(("list", "retrieve", "update")),
    events=Events(created=None, deleted=None),
    rule=_rule,
    actions=(
        Action(
            "revert",
            _revert,
            "The settings of an earlier version were taken up again.",
            given=(Field(kinds.Integer(1), name="version", doc="Which version."),),
            events=("setting.reverted",),
        ),
    ),
    lists=(Listing("versions", VERSIONS, SettingVersion.setting_id, "Every version, oldest first."),),
)
