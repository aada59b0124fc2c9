"""`GET /api/v1/<noun>/{id}/report`: a record as a page for people."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from crosstie.access import report as reports
from crosstie.access import scope, setting
from crosstie.api.derive import READ, address
from crosstie.api.entry import Api
from crosstie.api.operation import Operation, Parameter
from crosstie.api.rest import Noun
from crosstie.errors import Fault, UnknownParameter
from crosstie.kit.locale import LANGUAGES
from crosstie.log.idempotency import Answer

HTML = "text/html"
LOCALE = Parameter("locale", {"type": "string", "enum": list(LANGUAGES)}, "The language; the tenant's unless given.")


class Page:
    """The report of one noun."""

    def __init__(self, api: Api, noun: Noun) -> None:
        self.api = api
        self.noun = noun

    async def show(self, request: Request) -> Answer:
        """The page. Its template runs in a thread: its work is bounded, and nobody else waits for it."""
        grant = await self.api.enter(request, self.noun.read, media=HTML)
        resource = self.noun.resource
        report = resource.report
        assert report is not None
        for other in report.needs:
            scope.require(grant.actor, f"{other}:read")
        asked = _locale(request)
        async with self.api.log.unit(grant.tenant_id, grant.actor) as unit:
            row = await self.noun.held(unit, request)
            beside = await report.find(unit, row)
            (firm,) = await unit.connection.fetch("SELECT name, time_zone, locale FROM tenants")
            settings = await setting.read(unit)
        record = resource.kept.encode(row.__dict__)
        html = await asyncio.to_thread(
            reports.draw, resource, record, beside, dict(firm), settings, asked or firm["locale"]
        )
        return Answer(200, html.encode(), dict(reports.HEADERS))


def _locale(request: Request) -> str | None:
    faults = [
        Fault(name, "unknown_parameter", "there is no such parameter")
        for name in request.query_params
        if name != LOCALE.name
    ]
    asked = request.query_params.get(LOCALE.name)
    if asked is not None and asked not in LANGUAGES:
        faults.append(Fault(LOCALE.name, "choice", f"must be one of {', '.join(LANGUAGES)}"))
    if faults:
        raise UnknownParameter("A query parameter cannot be used: " + faults[0].message + ".", errors=faults)
    return asked


def operations(api: Api) -> list[Operation]:
    """The reports of every noun that has one."""
    found = []
    for resource in api.log.catalogue.resources.values():
        if resource.report is not None:
            noun = Noun(api, resource)
            word = resource.singular.replace("_", " ")
            found.append(
                Operation(
                    f"{resource.name}.report", "GET", f"{resource.one}/report",
                    f"A {word} as a page to print or send, by the firm's template.", Page(api, noun).show, noun.read,
                    (address(resource), LOCALE), answers={200: {"type": "string"}}, answer_media=HTML,
                    problems=(*READ, 422), tag=resource.name,
                )
            )  # fmt: skip
    return found
