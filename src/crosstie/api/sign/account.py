"""`/account`: what somebody may change about his own sign-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from babel.dates import format_datetime, get_timezone
from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import factor, passkey, password, throttle, user
from crosstie.access.login import HERE
from crosstie.access.session import SignedIn
from crosstie.access.throttle import Limit
from crosstie.access.user import User
from crosstie.api.link import language
from crosstie.api.sign.door import Door, onwards, worded
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import address, onto
from crosstie.api.sign.words import WORDS
from crosstie.db import session
from crosstie.errors import Forbidden, Invalid, Problem, TooManyRequests, Unauthorized
from crosstie.kit import ids
from crosstie.log.unit import Unit

OPEN = (
    "SELECT id, agent, ip, authenticated_at FROM sessions WHERE user_id = $1 AND ended_at IS NULL"
    " AND expires_at > now() AND seen_at > now() - $2::interval ORDER BY id DESC LIMIT 50"
)
LEFT = "SELECT jsonb_array_length(recovery) FROM users WHERE id = $1"


class Account:
    """The handlers of the account's page: each form's `action` names what to do."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.log = door.sessions.log
        self.deeds: dict[str, Callable[[Request, SignedIn, dict[str, str]], Awaitable[Response]]] = {
            "password": self._password,
            "codes": self._codes,
            "drop": self._drop,
            "everywhere": self._everywhere,
            "passkey": self._add_passkey,
            "unpasskey": self._remove_passkey,
        }

    async def show(self, request: Request) -> Response:
        """The page; whoever is not signed in does so first."""
        found = await self.door.sessions.found(self.door.cookies.session(request))
        if found is None:
            return onto(address("/login", {"next": "/account"}))
        if found.lacks is not None:
            return onwards(request, found, "/account")
        return await self._page(request, found)

    async def act(self, request: Request) -> Response:
        """What a form of the page asks for."""
        found = await self.door.current(request)
        if found is None:
            return await self.show(request)
        try:
            sent = await self.door.cookies.sent(request)
            deed = self.deeds.get(sent.get("action", ""))
            return await deed(request, found, sent) if deed else await self._page(request, found)
        except (Forbidden, Invalid, TooManyRequests, Unauthorized) as problem:
            return await self._page(request, found, problem)

    async def _password(self, request: Request, found: SignedIn, sent: dict[str, str]) -> Response:
        """Another password. All sign-ins end, and this browser gets a new one."""
        name = f"present {found.user_id}"
        await throttle.take(self.log.app, self.log.cipher.pepper, (Limit(name, *HERE),))
        async with self.log.unit(found.tenant_id, found.person.actor) as unit:
            row = await unit.get(User, found.user_id, lock=True)
            if not await password.fits(row.password_hash, sent.get("present", "")):
                raise Unauthorized
            await user.set_password(unit, row, sent.get("password", ""))
            ip, agent = self.door.caller(request), request.headers.get("user-agent")
            token = await self.door.sessions.start(unit, found.user_id, found.methods, ip, agent)
        await throttle.clear(self.log.app, self.log.cipher.pepper, (name,), name)
        again = await self.door.sessions.current(token)
        response = await self._page(request, again or found, done=WORDS[language(request)]["changed"])
        self.door.cookies.keep(response, token)
        return response

    async def _codes(self, request: Request, found: SignedIn, sent: dict[str, str]) -> Response:
        """New recovery codes, for a code of the app."""
        async with self._proved(found, sent) as unit:
            codes = await factor.renew(unit, found.user_id)
        return page(request, self.door.cookies, "codes", codes=codes, next="/account")

    async def _drop(self, request: Request, found: SignedIn, sent: dict[str, str]) -> Response:
        """No second factor any more, where none must be."""
        if found.person.obliged:
            raise Forbidden
        async with self._proved(found, sent) as unit:
            await factor.drop(unit, found.user_id)
        return onto("/account")

    async def _everywhere(self, request: Request, found: SignedIn, sent: dict[str, str]) -> Response:
        """End every sign-in, this one too."""
        async with self.log.unit(found.tenant_id, found.person.actor) as unit:
            user.signed_out(unit, await unit.get(User, found.user_id, lock=True))
        response = onto("/login")
        self.door.cookies.keep(response, None)
        return response

    async def _add_passkey(self, request: Request, found: SignedIn, sent: dict[str, str]) -> Response:
        """Another passkey, which the device has just made."""
        answer = sent.get("challenge", ""), sent.get("answer", "")
        async with self.log.unit(found.tenant_id, found.person.actor) as unit:
            await passkey.add(unit, self.log.address, found.user_id, *answer)
        return onto("/account")

    async def _remove_passkey(self, request: Request, found: SignedIn, sent: dict[str, str]) -> Response:
        """One passkey less."""
        try:
            id = ids.parse(sent.get("key", ""))
        except ValueError:
            raise Forbidden from None
        async with self.log.unit(found.tenant_id, found.person.actor) as unit:
            await passkey.remove(unit, found.user_id, id)
        return onto("/account")

    @asynccontextmanager
    async def _proved(self, found: SignedIn, sent: dict[str, str]) -> AsyncIterator[Unit]:
        """A unit in which the second factor was given once more. Raises Forbidden, TooManyRequests."""
        await factor.count(self.log.app, self.log.cipher.pepper, found.user_id)
        await self.log.cipher.load(self.log.app, found.tenant_id)
        async with self.log.unit(found.tenant_id, found.person.actor) as unit:
            await factor.prove(unit, found.user_id, sent.get("code", ""))
            yield unit
        await factor.right(self.log, found.user_id)

    async def _page(
        self, request: Request, found: SignedIn, problem: Problem | None = None, done: str | None = None
    ) -> Response:
        chosen = language(request)
        async with session.of_tenant(self.log.app, found.tenant_id) as connection:
            rows = await connection.fetch(OPEN, found.user_id, self.door.sessions.idle)
            left = await connection.fetchval(LEFT, found.user_id)
            keys = await passkey.listed(connection, found.user_id)
            zone = get_timezone(await connection.fetchval("SELECT time_zone FROM tenants"))

        def told(moment: datetime) -> str:
            return format_datetime(moment, "medium", tzinfo=zone, locale=chosen)

        at = self.log.address
        listed = [
            {
                "agent": row["agent"] or "",
                "ip": row["ip"] or "",
                "since": told(row["authenticated_at"]),
                "this": row["id"] == found.id,
            }
            for row in rows
        ]
        lang = {"lang": request.query_params.get("lang", "")}
        return page(
            request,
            self.door.cookies,
            "account",
            problem.status if problem else 200,
            problem=worded(request, problem),
            done=done,
            person=found.person,
            left=left or 0,
            listed=listed,
            keys=[{"id": each["id"], "since": told(each["made_at"])} for each in keys],
            passkey=passkey.offer_new(self.log.cipher, at, found, keys) if passkey.possible(at) else None,
            action=address("/account", lang),
            factor=address("/login/factor", {"next": "/account"} | lang),
            out=address("/logout", lang),
        )
