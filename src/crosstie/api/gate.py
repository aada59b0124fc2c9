"""The gate for those who have shown no valid credential: they are counted by the address that they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from crosstie.access.limit import Meter
from crosstie.access.ticket import Shown
from crosstie.access.token import Grant, Tokens
from crosstie.api.operation import Handler
from crosstie.errors import Unauthorized
from crosstie.log.idempotency import Answer

#: policies, and how the setting of each ends
POLICIES = {"api": "", "events": "_events", "tenant": "_tenant", "guests": "_guests", "tokens": "_tokens"}


class Gate:
    """Counts strangers. One per process; `client` says where a request comes from."""

    def __init__(self, meter: Meter, client: Callable[[HTTPConnection], str | None]) -> None:
        self._meter = meter
        self._client = client

    async def admit(self, tokens: Tokens, request: Request) -> Grant:
        """Who calls. Raises what `Tokens.grant` raises; what is no credential is counted."""
        return await self.prove(tokens, self.shown(request))

    def shown(self, request: HTTPConnection) -> Shown:
        """The credential that came with a request."""
        header = request.headers.get("authorization", "")
        token = header[7:].strip() if header[:7].lower() == "bearer " else request.headers.get("x-api-key")
        return Shown(token, self._client(request), request.headers.get("x-tenant-id"))

    async def prove(self, tokens: Tokens, shown: Shown) -> Grant:
        """Whose a credential is. Raises what `Tokens.grant` raises; what is no credential is counted."""
        try:
            return await tokens.grant(shown.token, shown.ip, shown.hint)
        except Unauthorized:
            await self.count(shown.ip)
            raise

    async def count(self, ip: str | None) -> None:
        """Count somebody without a valid credential. Raises TooManyRequests."""
        await self._meter.stranger(ip, "guests")

    def refuse(self, ip: str | None) -> None:
        """Raise TooManyRequests for an address that has guessed too much."""
        self._meter.refuse(ip, "guests")

    def guests(
        self, routes: Iterable[tuple[str, str, Handler]], policy: str = "guests"
    ) -> list[tuple[str, str, Handler]]:
        """The same routes, counted by address: they need no credential."""
        return [(path, method, self._counted(handler, policy)) for path, method, handler in routes]

    def _counted(self, handler: Handler, policy: str) -> Handler:
        async def counted(request: Request) -> Answer | Response:
            standing = await self._meter.stranger(self._client(request), policy)
            request.scope["state"]["headers"] |= standing.headers()
            return await handler(request)

        return counted
