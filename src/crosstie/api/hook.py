"""`POST /hooks/<token>`: webhooks of other parties. The path says nothing of who they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request

from crosstie.api import body
from crosstie.api.entry import trace
from crosstie.api.gate import Gate
from crosstie.api.operation import Handler
from crosstie.errors import NotFound, Unauthorized
from crosstie.log.idempotency import Answer

PATH = "/hooks/{token}"


class Door(Protocol):
    """What takes requests."""

    def knows(self, token: str) -> bool:
        """Whether a token's source is at hand."""
        ...

    async def take(
        self, token: str, headers: Mapping[str, str], body: bytes, query: str, ip: str | None, trace: str | None
    ) -> Answer:
        """Answer one request."""
        ...


def routes(door: Door, gate: Gate) -> list[tuple[str, str, Handler]]:
    """Path, method, handler. Only those that show nothing valid are counted by their address."""

    async def receive(request: Request) -> Answer:
        token, ip = request.path_params["token"], gate.shown(request).ip
        if not door.knows(token):
            gate.refuse(ip)
        raw = await body.read(request)
        headers = dict(reversed(request.headers.items()))  # of two of one name the first counts
        query = request.scope["query_string"].decode("latin-1")
        try:
            return await door.take(token, headers, raw, query, ip, trace(request))
        except (NotFound, Unauthorized):
            await gate.count(ip)
            raise

    return [(PATH, "POST", receive)]
