"""Reports: records as pages for people, by the tenant's templates, in the room of kit/template. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.field import Field
from crosstie.declare.kind import Kind
from crosstie.declare.report import FLAT, Report
from crosstie.declare.resource import Resource
from crosstie.declare.shape import Nested
from crosstie.errors import Fault, Invalid
from crosstie.kit import clock, template
from crosstie.kit import locale as written_in
from crosstie.kit.locale import LANGUAGES
from crosstie.kit.template import Unusable

HERE = Path(__file__).parent
STYLE = (HERE / "report.css").read_text("utf-8")
#: a page that runs nothing, loads nothing, sends nothing and is shown inside nothing
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; img-src data:;"
    " base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-store",
}
_FRAME = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    (HERE / "report.html").read_text("utf-8")
)


def written(fields: Iterable[Field], values: Mapping[str, Any], locale: str, zone: str) -> dict[str, Any]:
    """Values in the form of the wire, as a reader of the language sees them."""
    return {field.name: _written(field.kind, values.get(field.name), locale, zone) for field in fields}


def _written(kind: Kind, value: Any, locale: str, zone: str) -> Any:
    if value is None:
        return None
    if isinstance(kind, Nested):
        return written(kind.fields, value, locale, zone)
    if isinstance(kind, kinds.Many):
        return [_written(kind.of, each, locale, zone) for each in value]
    if isinstance(kind, kinds.Money):
        return written_in.money(value, locale)
    if isinstance(kind, kinds.Moment):
        return written_in.moment(clock.parse(value), locale, zone)
    if isinstance(kind, kinds.Day):
        return written_in.day(date.fromisoformat(value), locale)
    if isinstance(kind, kinds.Number):
        return written_in.number(Decimal(value), locale)
    return value


def draw(
    resource: Resource,
    record: Mapping[str, Any],
    beside: Mapping[str, Any],
    firm: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
    locale: str,
) -> str:
    """The page of a record. `record` and `beside` are in the form of the wire; `firm` has name and time_zone.

    Raises Invalid where the tenant's template cannot be filled in with this record.
    """
    report = resource.report
    assert report is not None
    zone, words = firm["time_zone"], report.words[locale]
    values = {
        "record": written(resource.kept.fields.values(), record, locale, zone),
        **written((*FLAT, *report.also), beside, locale, zone),
        "firm": firm["name"],
        "business": settings["business"],
        "words": words,
        "lang": locale,
    }
    own = settings["reports"]
    try:
        body = template.markup(own["templates"].get(resource.singular) or report.body, values)
        header, footer = (template.plain(own[name], values) for name in ("header", "footer"))
    except Unusable as error:
        raise _invalid(resource, error) from None
    return _FRAME.render(
        lang=locale, dir="rtl" if locale == "ar" else "ltr", title=words[report.title], firm=firm["name"],
        number=values["number"] or "", policy=POLICY, style=STYLE, body=body, header=header, footer=footer,
    )  # fmt: skip


def check(resource: Resource, source: str, business: Mapping[str, Any]) -> None:
    """Raise Invalid where a template cannot become a page of this noun: it is tried with a full and a bare record."""
    report = resource.report
    assert report is not None
    full = _sample(resource, report, business, bare=False)
    try:
        template.check(source)
        template.fits(source, full)
        for values in (full, _sample(resource, report, business, bare=True)):
            template.markup(source, values)
    except Unusable as error:
        raise _invalid(resource, error) from None


def _invalid(resource: Resource, error: Unusable) -> Invalid:
    pointer = f"/reports/templates/{resource.singular}"
    return Invalid(f"The template {error}.", errors=[Fault(pointer, "template", str(error))])


def _sample(resource: Resource, report: Report, business: Mapping[str, Any], *, bare: bool) -> dict[str, Any]:
    locale = LANGUAGES[0]
    record, beside = (
        written(fields, {field.name: _example(field, bare=bare) for field in fields}, locale, "UTC")
        for fields in (tuple(resource.kept.fields.values()), (*FLAT, *report.also))
    )
    text = None if bare else "text"
    return {
        "record": record, **beside, "firm": "Crosstie", "business": dict.fromkeys(business, text),
        "words": dict(report.words[locale]), "lang": locale,
    }  # fmt: skip


def _example(field: Field, *, bare: bool) -> Any:
    if bare and field.nullable:
        return None
    if bare and isinstance(field.kind, kinds.Many):
        return []
    return example(field)
