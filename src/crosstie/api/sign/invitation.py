"""`/invitation/{token}` and `/reset/{token}`: whoever was invited, or forgot his password, sets one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import link, user
from crosstie.api.link import active
from crosstie.api.sign.door import Door, worded
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import address
from crosstie.errors import Forbidden, Invalid, Problem
from crosstie.kit import clock
from crosstie.log.event import Actor


class Invitation:
    """The handlers of an invitation; with another purpose, of another link to set a password."""

    def __init__(self, door: Door, purpose: str = user.INVITATIONS) -> None:
        self.door = door
        self.purpose = purpose
        self.log = door.sessions.log

    async def show(self, request: Request) -> Response:
        """Asks for a password."""
        return await self._page(request, None)

    async def accept(self, request: Request) -> Response:
        """Set the password; the link works no more, and earlier sign-ins end."""
        try:
            sent = await self.door.cookies.sent(request)
            token = request.path_params["token"]
            claim = link.read(self.log.cipher, self.purpose, token, clock.now())
            async with self.log.unit(claim.tenant_id, Actor("user", claim.about["user"])) as unit:
                await active(unit)
                row = await user.invited(unit, token, self.purpose)
                await user.set_password(unit, row, sent.get("password", ""))
                slug = await unit.connection.fetchval("SELECT slug FROM tenants")
        except (Forbidden, Invalid) as problem:
            return await self._page(request, problem)
        values = {"tenant": slug, "lang": request.query_params.get("lang", "")}
        return page(request, self.door.cookies, "invitation", state="done", again=address("/login", values))

    async def _page(self, request: Request, problem: Problem | None) -> Response:
        token = request.path_params["token"]
        action = address(request.url.path, {"lang": request.query_params.get("lang", "")})
        try:
            claim = link.read(self.log.cipher, self.purpose, token, clock.now())
            async with self.log.unit(claim.tenant_id) as unit:
                await active(unit)
                row = await user.invited(unit, token, self.purpose)
                firm = await unit.connection.fetchval("SELECT name FROM tenants")
        except Forbidden as gone:
            return page(request, self.door.cookies, "invitation", gone.status, state="gone")
        values = {"state": "open", "action": action, "email": row.email, "firm": firm}
        status = problem.status if problem else 200
        return page(request, self.door.cookies, "invitation", status, problem=worded(request, problem), **values)
