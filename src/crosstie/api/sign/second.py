"""`/login/code` and `/login/factor`: the second step of a sign-in, and getting one."""

from __future__ import annotations

from typing import Any

import segno
from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import audit, factor
from crosstie.access.session import SignedIn
from crosstie.api.sign.door import Door, asked, onwards, worded
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import address, local, onto
from crosstie.errors import Forbidden, LinkExpired, Problem, TooManyRequests


class Second:
    """The handlers of the second step."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.log = door.sessions.log

    async def show_code(self, request: Request) -> Response:
        """Asks for a code."""
        found = await self._found(request)
        if found is None or found.lacks != "code":
            return self._elsewhere(request, found, asked(request))
        return self._code(request, None, asked(request))

    async def give_code(self, request: Request) -> Response:
        """A code of the app or of the list; then on to `next`, with a new cookie."""
        found = await self._found(request)
        try:
            sent = await self.door.cookies.sent(request)
            next = local(sent.get("next"))
            if found is None or found.lacks != "code":
                return self._elsewhere(request, found, next)
            token = await self._prove(found, sent.get("code", ""))
        except (Forbidden, TooManyRequests) as problem:
            return self._code(request, problem, asked(request))
        return self._on(onto(next), token)

    async def _prove(self, found: SignedIn, code: str) -> str:
        """The cookie after a right code. Raises Forbidden, TooManyRequests."""
        await factor.count(self.log.app, self.log.cipher.pepper, found.user_id)
        await self.log.cipher.load(self.log.app, found.tenant_id)
        try:
            async with self.log.unit(found.tenant_id, found.person.actor) as unit:
                method = await factor.prove(unit, found.user_id, code)
                token = await self.door.sessions.renew(unit, found.id, (*found.methods, method))
        except Forbidden:
            target = ("session", str(found.id))
            await audit.note(
                self.log.app, self.log.cipher, found.tenant_id, found.person.actor, "sessions.prove",
                outcome="failed", target=target,
            )  # fmt: skip
            raise
        await factor.right(self.log, found.user_id)
        return token

    async def show_factor(self, request: Request) -> Response:
        """A picture for the app, and a place for its first code."""
        found = await self._found(request)
        if found is None or found.person.enrolled:
            return self._elsewhere(request, found, asked(request))
        offer = factor.offer(self.log.cipher, found.tenant_id, found.user_id)
        return self._factor(request, found, offer, None, asked(request))

    async def add_factor(self, request: Request) -> Response:
        """The first code shows that the app has the seed: it counts from now on. Shows the recovery codes, once."""
        found = await self._found(request)
        if found is None or found.person.enrolled:
            return self._elsewhere(request, found, asked(request))
        sent: dict[str, str] = {}
        try:
            sent = await self.door.cookies.sent(request)
            codes, token = await self._add(found, sent.get("offer", ""), sent.get("code", ""))
        except (Forbidden, TooManyRequests) as problem:
            offer = sent.get("offer", "")
            if not sent or isinstance(problem, LinkExpired):
                offer = factor.offer(self.log.cipher, found.tenant_id, found.user_id)
            return self._factor(request, found, offer, problem, local(sent.get("next") or asked(request)))
        return self._on(page(request, self.door.cookies, "codes", codes=codes, next=local(sent.get("next"))), token)

    async def _add(self, found: SignedIn, offer: str, code: str) -> tuple[list[str], str]:
        seed = factor.offered(self.log.cipher, offer, found.user_id)
        await factor.count(self.log.app, self.log.cipher.pepper, found.user_id)
        await self.log.cipher.load(self.log.app, found.tenant_id)
        async with self.log.unit(found.tenant_id, found.person.actor) as unit:
            codes = await factor.add(unit, found.user_id, seed, code)
            token = await self.door.sessions.renew(unit, found.id, (*found.methods, "totp"))
        await factor.right(self.log, found.user_id)
        return codes, token

    # what these share

    async def _found(self, request: Request) -> SignedIn | None:
        return await self.door.sessions.found(self.door.cookies.session(request))

    def _elsewhere(self, request: Request, found: SignedIn | None, next: str) -> Response:
        if found is None:
            return onto(address("/login", {"next": next}))
        return onwards(request, found, next)

    def _on(self, response: Response, token: str) -> Response:
        self.door.cookies.keep(response, token)
        return response

    def _code(self, request: Request, problem: Problem | None, next: str) -> Response:
        return self._page(request, "code", problem, next=next, action=here(request, next))

    def _factor(self, request: Request, found: SignedIn, offer: str, problem: Problem | None, next: str) -> Response:
        seed = factor.offered(self.log.cipher, offer, found.user_id)
        told = factor.address(seed, found.person.email, found.person.firm)
        picture = segno.make(told, error="m", micro=False).svg_inline(scale=4, omitsize=True, border=4)
        values = {"offer": offer, "picture": picture, "key": factor.by_hand(seed), "obliged": found.person.obliged}
        return self._page(request, "factor", problem, next=next, action=here(request, next), **values)

    def _page(self, request: Request, name: str, problem: Problem | None, **values: Any) -> Response:
        status = problem.status if problem else 200
        return page(request, self.door.cookies, name, status, problem=worded(request, problem), **values)


def here(request: Request, next: str) -> str:
    """The page's own address."""
    return address(request.url.path, {"next": next, "lang": request.query_params.get("lang", "")})
