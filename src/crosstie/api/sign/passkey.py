"""`/login/passkey`: signing in with a passkey; and the one script of these pages, which asks the device for it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import passkey
from crosstie.api.sign.door import Door, onwards
from crosstie.api.sign.draw import HERE
from crosstie.api.sign.form import local
from crosstie.errors import Forbidden, TooManyRequests, Unauthorized
from crosstie.log.idempotency import Answer

SCRIPT = (HERE / "passkey.js").read_bytes()


class Passkey:
    """The handlers of passkeys."""

    def __init__(self, door: Door) -> None:
        self.door = door

    async def script(self, request: Request) -> Answer:
        """The script."""
        headers = {"content-type": "text/javascript; charset=utf-8", "cache-control": "public, max-age=3600"}
        return Answer(200, SCRIPT, headers)

    async def sign_in(self, request: Request) -> Response:
        """What the device answered; then on to `next`."""
        sent: dict[str, str] = {}
        sessions, cookies = self.door.sessions, self.door.cookies
        try:
            sent = await cookies.sent(request)
            ip, agent = self.door.caller(request), request.headers.get("user-agent")
            answer = sent.get("challenge", ""), sent.get("answer", "")
            token = await passkey.sign_in(sessions, sessions.log.address, *answer, ip, agent)
        except (Unauthorized, TooManyRequests, Forbidden) as problem:
            return self.door.login_page(request, problem, sent)
        await sessions.end(cookies.session(request))
        found = await sessions.found(token)
        if found is None:
            return self.door.login_page(request, Unauthorized(), sent)
        response = onwards(request, found, local(sent.get("next")))
        cookies.keep(response, token)
        return response
