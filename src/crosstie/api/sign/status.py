"""`/status`: how the integrations of a firm are, and the alerts that fire, for whoever may read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel.dates import format_datetime, get_timezone
from starlette.requests import Request
from starlette.responses import Response

from crosstie.access import scope
from crosstie.access.session import SignedIn
from crosstie.api.link import language
from crosstie.api.sign.door import Door, onwards
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import address, onto
from crosstie.db import session

#: seconds until a page loads itself anew
EVERY = 15
#: the worst first
INTEGRATIONS = (
    "SELECT kind, name, status, reason, since, calls, failures, p95_ms FROM integrations"
    " ORDER BY array_position(ARRAY['down', 'degraded', 'up', 'disabled'], status), kind, name LIMIT 500"
)
ALERTS = (
    "SELECT subject, kind, summary, severity, fired_at, acknowledged_at FROM alerts WHERE status = 'firing'"
    " ORDER BY severity, fired_at DESC LIMIT 200"
)
NEEDED = ("integrations:read", "alerts:read")


class Status:
    """The handler of the page."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.log = door.sessions.log

    async def show(self, request: Request) -> Response:
        """The page; whoever is not signed in does so first."""
        found = await self.door.sessions.found(self.door.cookies.session(request))
        if found is None:
            return onto(address("/login", {"next": "/status"}))
        if found.lacks is not None:
            return onwards(request, found, "/status")
        for needed in NEEDED:
            scope.require(found.person.actor, needed)
        return await self._page(request, found)

    async def _page(self, request: Request, found: SignedIn) -> Response:
        chosen = language(request)
        noun = self.log.catalogue.resources["integrations"]
        if noun.before_read is not None:
            await noun.before_read(self.log, found.tenant_id)
        async with session.of_tenant(self.log.app, found.tenant_id) as connection:
            integrations = await connection.fetch(INTEGRATIONS)
            alerts = await connection.fetch(ALERTS)
            zone = get_timezone(await connection.fetchval("SELECT time_zone FROM tenants"))

        def told(row: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: format_datetime(value, "medium", tzinfo=zone, locale=chosen)
                if isinstance(value, datetime)
                else value
                for name, value in row.items()
            }

        response = page(
            request,
            self.door.cookies,
            "status",
            firm=found.person.firm,
            integrations=[told(dict(row)) for row in integrations],
            alerts=[told(dict(row)) for row in alerts],
            out=address("/logout", {"lang": request.query_params.get("lang", "")}),
        )
        response.headers["refresh"] = str(EVERY)
        return response
