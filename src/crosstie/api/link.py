"""What the holders of signed links do: operations without a credential, and the plain pages that go with them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from crosstie.access import link as signed
from crosstie.access.token import Grant
from crosstie.api import body, filters
from crosstie.api.derive import given
from crosstie.api.entry import JSON, Api
from crosstie.api.operation import KEY, Handler, Operation, Parameter
from crosstie.declare.link import Claim, Link, LinkVerb
from crosstie.declare.shape import Shape
from crosstie.errors import MethodNotAllowed, Problem, TenantSuspended, UnsupportedMedia
from crosstie.kit import clock, json
from crosstie.kit.locale import LANGUAGES
from crosstie.log.event import Actor
from crosstie.log.idempotency import Answer
from crosstie.log.unit import Unit

TOKEN = Parameter("token", {"type": "string"}, "The signed part of the link.", "path")
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"
#: the one field of a request for one click, in either form (RFC 8058 §3.2)
CLICK = {
    FORM: re.compile(rb"(?:^|&)List-Unsubscribe=One-Click(?:&|$)"),
    PARTS: re.compile(rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click\r?\n'),
}
PROBLEMS = (400, 403, 406, 409, 413, 415, 422, 429)


class Holder:
    """The handlers of one link."""

    def __init__(self, api: Api, link: Link) -> None:
        self.api = api
        self.link = link
        self.answer = Shape(link.answer)

    async def claim(self, request: Request) -> Claim:
        """What the token in the path says. Raises LinkExpired, or TooManyRequests: a holder is counted as a key is."""
        if request.method == "HEAD":  # a look counts: nobody looks by asking for headers
            raise MethodNotAllowed(headers={"Allow": "GET"})
        token = request.path_params["token"]
        claim = signed.read(self.api.log.cipher, self.link.name, token, clock.now())
        standing = await self.api.meter.take(claim.tenant_id, self.grant(claim).actor, "api")
        request.scope["state"]["headers"] |= standing.headers()
        return claim

    async def perform(self, request: Request, claim: Claim, verb: LinkVerb, raw: bytes, values: Any) -> Answer:
        """Run a verb in one Unit of the claim's tenant; the answer's body is the document."""
        shape = Shape(verb.given)

        async def work(unit: Unit) -> Answer:
            await active(unit)
            decoded = shape.decode(values)
            found = await verb.run(unit, claim, decoded)
            return Answer(200, json.dumps(self.answer.encode(found)), dict(JSON))

        return await self.api.write(request, self.grant(claim), raw, work)

    def grant(self, claim: Claim) -> Grant:
        """The holder as an actor."""
        return Grant(claim.tenant_id, Actor(self.link.actor, claim.holder))

    def doing(self, verb: LinkVerb) -> Callable[[Request], Awaitable[Answer]]:
        """The handler of a verb over the API."""

        async def handler(request: Request) -> Answer:
            claim = await self.claim(request)
            filters.none(request)
            raw = await body.read(request) if verb.method == "POST" else b""
            if raw:
                body.expect_json(request)
            return await self.perform(request, claim, verb, raw, body.decode(raw) if raw else {})

        return handler

    # the page

    async def show(self, request: Request) -> Answer:
        """The page of what the link is for."""
        return await self._page(request, None, {})

    async def submit(self, request: Request) -> Answer:
        """The page's form: `action` names a verb. What went well is shown by another GET."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        one_click = self.link.page.one_click if self.link.page else None
        if kind != FORM and not (one_click and kind == PARTS):
            raise UnsupportedMedia(f"The form is sent as {FORM}.")
        raw = await body.read(request)
        if one_click and CLICK[kind].search(raw):
            return await self._clicked(request, one_click)
        sent = dict(parse_qsl(raw.decode("utf-8", "replace").replace("\0", ""), max_num_fields=20))
        verbs = {verb.verb: verb for verb in self.link.verbs if verb.method == "POST"}
        verb = verbs.get(sent.pop("action", ""))
        try:
            claim = await self.claim(request)
            if verb is not None:
                values = {field.name: sent[field.name].strip() for field in verb.given if sent.get(field.name)}
                await self.perform(request, claim, verb, raw, values)
        except Problem as problem:
            return await self._page(request, problem, sent)
        return Answer(303, b"", {"location": f"{request.url.path}?lang={language(request)}"})

    async def _clicked(self, request: Request, name: str) -> Answer:
        """What the mail program of a reader asks for him: done at once, without a page and without going on to one."""
        verb = next(each for each in self.link.verbs if each.verb == name)
        await self.perform(request, await self.claim(request), verb, b"", {})
        return Answer(200, b"", {"cache-control": "no-store"})

    async def _page(self, request: Request, problem: Problem | None, sent: Mapping[str, str]) -> Answer:
        assert self.link.page is not None
        found = None
        try:
            claim = await self.claim(request)
            looks = next(verb for verb in self.link.verbs if verb.method == "GET")

            async def work(unit: Unit) -> Answer:
                nonlocal found
                await active(unit)
                found = await looks.run(unit, claim, {})
                return Answer(200)

            await self.api.write(request, self.grant(claim), b"", work)
        except Problem as refused:
            problem = refused
        drawn = self.link.page.draw(found and _legible(self.answer, found), language(request), problem, sent)
        return Answer(problem.status if problem else 200, drawn.encode(), page_headers(self.link.page.style))


def _legible(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """A document whose times stay times, so that a page can write them in its language."""
    found = shape.encode(values)
    return found | {name: values[name] for name in found if hasattr(values.get(name), "tzinfo")}


def page_headers(style: str) -> dict[str, str]:
    """The headers of a page without scripts: nothing is loaded but its own style, known by its hash."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }


def language(request: Request) -> str:
    """The language of a page: `?lang=`, or the first that the browser asks for and we have."""
    asked = [request.query_params.get("lang", "")]
    asked += [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return next((word for word in asked if word in LANGUAGES), LANGUAGES[0])


async def active(unit: Unit) -> None:
    """Raise TenantSuspended where the tenant is: its links rest as its credentials do."""
    if await unit.connection.fetchval("SELECT status FROM tenants") != "active":
        raise TenantSuspended("This tenant is suspended.")


def operations(api: Api) -> list[Operation]:
    """The operations of every link."""
    found = []
    for link in (link for module in api.log.catalogue.modules for link in module.links):
        holder = Holder(api, link)
        answer = holder.answer.schema(output=True)
        for verb in link.verbs:
            name = verb.verb or "retrieve"
            path = f"/api/v1/{link.name}/{{token}}" + (f"/{verb.verb}" if verb.verb else "")
            posted = verb.method == "POST"
            found.append(
                Operation(
                    f"{link.name}.{name}", verb.method, path, verb.doc, holder.doing(verb), None,
                    (TOKEN, KEY) if posted else (TOKEN,), given(Shape(verb.given)) if posted else None,
                    answers={200: answer}, problems=PROBLEMS, tag=link.name, public=True,
                )
            )  # fmt: skip
    return found


def pages(api: Api) -> list[tuple[str, str, Handler]]:
    """The pages of every link: path, method, handler."""
    found: list[tuple[str, str, Handler]] = []
    for link in (link for module in api.log.catalogue.modules for link in module.links):
        if link.page is not None:
            holder = Holder(api, link)
            found += [(link.page.path, "GET", holder.show), (link.page.path, "POST", holder.submit)]
    return found
