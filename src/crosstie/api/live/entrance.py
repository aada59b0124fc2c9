"""The way in to the live channel: which origin, which credential, and what is answered to whoever may not enter."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection

from crosstie.access.limit import Meter, Standing
from crosstie.access.ticket import Shown, Tickets
from crosstie.access.token import Grant, Tokens
from crosstie.api.cors import Cors
from crosstie.api.gate import Gate
from crosstie.api.live.hub import Hub
from crosstie.errors import Forbidden, Unauthorized
from crosstie.log.event import ORIGIN, Origin

#: the protocol that a client names beside its credential, since the server has to pick one of those it names
PROTOCOL = "crosstie.v1"
#: beginnings of the names of protocols that carry a credential: browsers can send nothing else
BEARER, TICKET = "bearer.", "ticket."


class Entrance:
    """One per process."""

    def __init__(
        self, hub: Hub, gate: Gate, tokens: Tokens, tickets: Tickets, meter: Meter, cors: Cors, address: str
    ) -> None:
        self.hub = hub
        self.gate = gate
        self.tickets = tickets
        self._tokens = tokens
        self._meter = meter
        self._cors = cors
        self._address = address

    async def enter(self, connection: HTTPConnection, request_id: str) -> tuple[Shown, Grant, Standing]:
        """Who connects, and how he stands with his quota.

        Raises Forbidden, Unauthorized, TooManyRequests, TenantSuspended.
        """
        shown = self.gate.shown(connection)
        ORIGIN.set(Origin(request_id, lambda: shown.ip))
        origin = connection.headers.get("origin")
        own = {self._address, f"//{connection.headers.get('host')}"}
        if origin is not None and not own & {origin, origin[origin.find("//") :]} and not self._cors.allows(origin):
            raise Forbidden("Pages of this origin may not connect; the operator names those that may.")
        shown = await self._credential(connection, shown)
        grant = await self.gate.prove(self._tokens, shown)
        return shown, grant, await self.count(grant)

    async def count(self, grant: Grant) -> Standing:
        """Count a connection, or a frame, as a request of its credential. Raises TooManyRequests."""
        return await self._meter.take(grant.tenant_id, grant.actor, "api")

    async def _credential(self, connection: HTTPConnection, shown: Shown) -> Shown:
        """The credential of the header, of the protocols' names, or behind a ticket."""
        if shown.token is not None:
            return shown
        names: Sequence[str] = connection.scope.get("subprotocols", ())
        ticket = QueryParams(connection.scope["query_string"]).get("ticket")
        for name in names:
            if name.startswith(BEARER):
                return shown._replace(token=name[len(BEARER) :])
            if name.startswith(TICKET):
                ticket = name[len(TICKET) :]
        if ticket is None:
            return shown
        self.gate.refuse(shown.ip)
        try:
            return await self.tickets.use(ticket, shown.ip)
        except Unauthorized:
            await self.gate.count(shown.ip)
            raise
