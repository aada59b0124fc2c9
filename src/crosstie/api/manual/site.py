"""`/docs` and `/reference` together: the pages by their addresses, drawn when they are first asked for, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from crosstie.api.manual import guide, reference, search, trial
from crosstie.api.manual.frame import Frame, answer
from crosstie.api.manual.guide import Pages
from crosstie.api.manual.markdown import ROOT
from crosstie.api.manual.reference import Description
from crosstie.api.manual.search import Target
from crosstie.api.manual.shelf import Shelf, folder, plain, read
from crosstie.api.operation import Handler
from crosstie.declare.event import EventType
from crosstie.errors import NotFound
from crosstie.log.idempotency import Answer

SEARCH = f"{ROOT}/search"
#: how much more a page counts in search than a line of the reference
PAGE = 30


def pages(shelf: Shelf, description: Description, *, live: bool) -> Pages:
    """Every page by its address."""
    return guide.pages(shelf, Frame(guide.navigation(shelf), live)) | reference.pages(
        description, Frame(reference.navigation(description), live)
    )


def routes(document: Mapping[str, Any], events: Mapping[str, EventType]) -> list[tuple[str, str, Handler]]:
    """The routes of an installation."""
    shelf, description = read(folder()), Description(document, events)
    drawn: dict[str, Answer] = {}
    known = pages(shelf, description, live=True)
    frame = Frame(guide.navigation(shelf))
    targets = [*_targets(shelf), *reference.targets(description)]

    async def show(request: Request) -> Answer:
        path = request.url.path
        if path not in known:
            raise NotFound("There is nothing at this address.")
        if path not in drawn:  # the long ones take a while: the loop goes on meanwhile
            drawn[path] = answer(await asyncio.to_thread(known[path]))
        return drawn[path]

    async def look(request: Request) -> Answer:
        query = request.query_params.get("q", "").strip()[: search.LONGEST]
        return answer(frame.draw("search", SEARCH, "Search", query=query, found=search.find(targets, query)))

    async def front(request: Request) -> Answer:
        return Answer(303, b"", {"location": ROOT})

    paths = [ROOT, f"{ROOT}/{{section}}", f"{ROOT}/{{section}}/{{name}}"]
    paths += [reference.ROOT, f"{reference.ROOT}/{{part}}", f"{reference.ROOT}/{{part}}/{{name}}"]
    return [("/", "GET", front), (SEARCH, "GET", look), *((path, "GET", show) for path in paths), *trial.routes()]


def _targets(shelf: Shelf) -> list[Target]:
    return [
        Target(f"{ROOT}/{page.path}", section.title, page.title, plain(page.text), PAGE)
        for section in shelf.sections
        for page in section.pages
    ]
