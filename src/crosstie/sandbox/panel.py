"""The counterparts as one application: their operations, and what an operator sees and sets."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crosstie.contracts.services import SERVICES
from crosstie.sandbox.books import Books, Document, Shelf
from crosstie.sandbox.desk import Desk, problem
from crosstie.sandbox.door import Door
from crosstie.sandbox.fault import KINDS, Fault, Faults
from crosstie.sandbox.pages.page import back, draw, foreign, formed, plain
from crosstie.sandbox.services import COUNTERPARTS
from crosstie.sandbox.story import Story

SHOWN = 100
OPERATIONS = {name: [each.name for each in service.operations] for name, service in SERVICES.items()}
REQUESTS = "SELECT * FROM requests WHERE number > ? ORDER BY number DESC LIMIT ?"
EVENTS = "SELECT * FROM events ORDER BY number DESC LIMIT ?"
#: what was done, and how often for the same thing
EFFECTS = """
SELECT service, operation, about, count(*) AS count, group_concat(thing, ' ') AS things FROM effects
GROUP BY service, operation, coalesce(about, thing) ORDER BY max(number) DESC LIMIT ?
"""


class Panel:
    """All counterparts over one set of books."""

    def __init__(self, books: Books, door: Door) -> None:
        self.faults = Faults()
        self.story = Story(books, self.faults)
        self._books, self._door = books, door
        for name, counterpart in COUNTERPARTS.items():
            with books.change():
                if not books.rows("SELECT 1 FROM things WHERE service = ? LIMIT 1", name):
                    counterpart.seed(Shelf(books, name))

    def routes(self) -> list[BaseRoute]:
        """Every operation of every service, and the pages."""
        found: list[BaseRoute] = [
            Route("/services", self.page, methods=["GET"]),
            Route("/services/faults", self.set_fault, methods=["GET", "POST", "DELETE"]),
            Route("/services/{what}", self.listed, methods=["GET"]),
            Route("/story", self.told, methods=["GET"]),
            Route("/story", self.begin, methods=["POST"]),
            Route("/oauth/token", self._door.token, methods=["POST"]),
        ]
        for name, service in SERVICES.items():
            verbs = COUNTERPARTS[name].verbs
            for operation in service.operations:
                desk = Desk(self._books, self.faults, self._door, service, operation, verbs[operation.name])
                found.append(desk.route())
        return found

    async def page(self, request: Request) -> Response:
        """What came, what was done, what was told, and the form that sets faults."""
        seen: dict[str, Any] = {"services": OPERATIONS, "kinds": KINDS, "faults": self.faults.listed, **self._seen()}
        return draw(request, "services", **seen)

    async def listed(self, request: Request) -> Response:
        """Requests, effects or events as JSON."""
        after = request.query_params.get("after", "")
        found = self._seen(int(after) if after.isdecimal() else 0)
        what = request.path_params["what"]
        if what not in found:
            return problem(404, "not_found", "There is no such page.")
        return plain({"data": found[what]})

    async def set_fault(self, request: Request) -> Response:
        """Show the faults, set one, or take it away: from the page's form or as JSON."""
        if request.method == "GET":
            return plain({"data": self.faults.listed})
        if foreign(request):
            return problem(403, "foreign", "Another page may not set faults.")
        form = formed(request)
        try:
            given = _filled(await request.form()) if form else msgspec.json.decode(await request.body(), type=dict)
            clearing = request.method == "DELETE" or given.pop("clear", None) is not None
            fault = msgspec.convert(given, Fault, strict=not form)
            _known(fault)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            return problem(422, "invalid", str(error))
        if clearing:
            self.faults.clear(fault.service, fault.operation)
        else:
            self.faults.set(fault)
        return back("/services", request) if form else plain({"data": self.faults.listed})

    async def told(self, request: Request) -> Response:
        """How far the story is."""
        id = self.story.last()
        steps = self.story.steps(id) if id else []
        invoices = self.story.invoices(id) if id else 0
        if request.query_params.get("format") == "json":
            return plain({"opportunity": id, "invoices": invoices, "steps": steps})
        over = any(step["name"] == "treasury.invoice.created" and step["state"] == "heard" for step in steps)
        return draw(request, "story", id=id, steps=steps, invoices=invoices, over=over, following=bool(id) and not over)

    async def begin(self, request: Request) -> Response:
        """Begin it."""
        if foreign(request):
            return problem(403, "foreign", "Another page may not begin it.")
        id = self.story.begin()
        return back("/story", request) if formed(request) else plain({"opportunity": id}, 201)

    def _seen(self, after: int = 0) -> dict[str, list[Document]]:
        return {
            "requests": self._books.rows(REQUESTS, after, SHOWN),
            "effects": self._books.rows(EFFECTS, SHOWN),
            "events": [each | {"data": each["data"].decode()} for each in self._books.rows(EVENTS, SHOWN)],
        }


def _filled(form: FormData) -> dict[str, Any]:
    """What a form holds; the operation is `treasury.create_invoice`, or `treasury.` for every one."""
    given: dict[str, Any] = {name: value for name, value in form.items() if value}
    service, _, operation = str(given.pop("target", "")).partition(".")
    return given | {"service": service, "operation": operation or None}


def _known(fault: Fault) -> None:
    if fault.service not in OPERATIONS:
        raise ValueError(f"there is no service {fault.service}")
    if fault.operation is not None and fault.operation not in OPERATIONS[fault.service]:
        raise ValueError(f"{fault.service} has no operation {fault.operation}")
