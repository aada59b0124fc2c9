"""`/login` and `/logout`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import login, passkey
from crosstie.access.session import Sessions, SignedIn
from crosstie.api.link import language
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import Cookies, address, local, onto
from crosstie.api.sign.words import PROBLEMS
from crosstie.errors import Forbidden, Problem, TooManyRequests, Unauthorized


@dataclass(slots=True)
class Door:
    """What the pages share."""

    sessions: Sessions
    cookies: Cookies
    #: the address of a caller, as far as it can be believed
    caller: Callable[[Request], str | None]

    async def current(self, request: Request) -> SignedIn | None:
        """Who is signed in with this browser, all factors given; else None."""
        return await self.sessions.current(self.cookies.session(request))

    async def show_login(self, request: Request) -> Response:
        """The form; whoever is signed in already goes on, unless `again` asks for another proof."""
        found = await self.sessions.found(self.cookies.session(request))
        if found is not None and "again" not in request.query_params:
            return onwards(request, found, asked(request))
        return self.login_page(request, None, {})

    async def log_in(self, request: Request) -> Response:
        """Address and password; then the second factor where there is one, or on to `next`."""
        sent: dict[str, str] = {}
        try:
            sent = await self.cookies.sent(request)
            names = ("email", "password", "tenant")
            email, password, tenant = (sent.get(name, "") for name in names)
            ip, agent = self.caller(request), request.headers.get("user-agent")
            before = await self.sessions.found(self.cookies.session(request))
            token = await login.by_password(self.sessions, email, password, tenant, ip, agent, before)
        except (Unauthorized, TooManyRequests, Forbidden) as problem:
            return self.login_page(request, problem, sent)
        found = await self.sessions.found(token)
        if before is not None and (found is None or found.id != before.id):
            await self.sessions.end(self.cookies.session(request))
        if found is None:
            return self.login_page(request, Unauthorized(), sent)
        response = onwards(request, found, local(sent.get("next")))
        self.cookies.keep(response, token)
        return response

    def login_page(self, request: Request, problem: Problem | None, sent: dict[str, str]) -> Response:
        """The form, with what was wrong and what was typed, but for the password."""
        query, at = request.query_params, self.sessions.log.address
        next = local(sent.get("next") or query.get("next"), "")
        response = page(
            request,
            self.cookies,
            "login",
            problem.status if problem else 200,
            problem=worded(request, problem),
            action=address("/login", {"lang": query.get("lang", ""), "again": query.get("again", "")[:1]}),
            passkey=passkey.offer(self.sessions.log.cipher, at) if passkey.possible(at) else None,
            forgot=address("/forgot", {"lang": query.get("lang", ""), "tenant": query.get("tenant", "")[:63]}),
            passkey_action=address("/login/passkey", {"lang": query.get("lang", "")}),
            next=next,
            email=sent.get("email", ""),
            tenant=sent.get("tenant", query.get("tenant", "")[:63]),
        )
        if problem is not None and "Retry-After" in problem.headers:
            response.headers["retry-after"] = problem.headers["Retry-After"]
        return response

    async def show_logout(self, request: Request) -> Response:
        """Asks first: a link alone signs nobody out."""
        out = await self.sessions.found(self.cookies.session(request)) is None
        return self._logout(request, out=out)

    async def log_out(self, request: Request) -> Response:
        """End the sign-in, and with it what was opened with it."""
        sent = await self.cookies.sent(request)
        await self.sessions.end(self.cookies.session(request))
        next = local(sent.get("next"), "")
        response = onto(next) if next else self._logout(request, out=True)
        self.cookies.keep(response, None)
        return response

    def _logout(self, request: Request, *, out: bool) -> Response:
        lang = {"lang": request.query_params.get("lang", "")}
        next = local(request.query_params.get("next"), "")
        action, again = address("/logout", lang), address("/login", lang)
        return page(request, self.cookies, "logout", out=out, action=action, again=again, next=next)


def asked(request: Request) -> str:
    """Where the browser wants to go on to."""
    return local(request.query_params.get("next"))


def onwards(request: Request, found: SignedIn, next: str) -> Response:
    """To the step that the sign-in still lacks, or on."""
    steps = {"code": "/login/code", "factor": "/login/factor", None: next}
    there = steps[found.lacks]
    if there != next:
        there = address(there, {"next": next, "lang": request.query_params.get("lang", "")})
    return onto(there)


def worded(request: Request, problem: Problem | None) -> str | None:
    """What a problem says on a page."""
    if problem is None:
        return None
    code = problem.errors[0].code if problem.errors else problem.code
    return PROBLEMS[language(request)].get(code, problem.detail)
