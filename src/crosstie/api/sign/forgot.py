"""`/forgot`: a link to set another password. The page says the same, and as soon, whoever is asked for."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import forgot
from crosstie.api.sign.door import Door, worded
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import address
from crosstie.errors import Forbidden, Problem, TooManyRequests


class Forgot:
    """The handlers of a forgotten password."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._sending: set[asyncio.Task[None]] = set()

    async def show(self, request: Request) -> Response:
        """Asks for the address."""
        return self._page(request, None, {})

    async def send(self, request: Request) -> Response:
        """The answer waits for nothing that depends on who is asked for: not even its time tells."""
        sent: dict[str, str] = {}
        log = self.door.sessions.log
        try:
            sent = await self.door.cookies.sent(request)
            email, tenant = (sent.get(name, "").strip().lower() for name in ("email", "tenant"))
            await forgot.count(log, email[:254], self.door.caller(request))
        except (Forbidden, TooManyRequests) as problem:
            return self._page(request, problem, sent)
        task = asyncio.create_task(forgot.send(log, email[:254], tenant[:63]))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return self._page(request, None, sent, done=True)

    def _page(self, request: Request, problem: Problem | None, sent: dict[str, str], *, done: bool = False) -> Response:
        query = {"lang": request.query_params.get("lang", "")}
        response = page(
            request, self.door.cookies, "forgot", problem.status if problem else 200, problem=worded(request, problem),
            done=done, action=address("/forgot", query), again=address("/login", query), email=sent.get("email", ""),
            tenant=sent.get("tenant", request.query_params.get("tenant", "")[:63]),
        )  # fmt: skip
        if problem is not None and "Retry-After" in problem.headers:
            response.headers["retry-after"] = problem.headers["Retry-After"]
        return response
