"""The way in: who calls, may he, and the one Unit in which his change runs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request

from crosstie.access import audit, scope
from crosstie.access.limit import Meter
from crosstie.access.token import Grant
from crosstie.api import edge
from crosstie.api.accept import accepts
from crosstie.declare.resource import Resource
from crosstie.errors import BadRequest, InsufficientScope, NotAcceptable, Problem
from crosstie.log.idempotency import Answer, Key, perform
from crosstie.log.unit import Log, Unit

JSON = {"content-type": "application/json"}
TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class Api:
    """What the handlers of one process share."""

    log: Log
    docs: str
    authenticate: Callable[[Request], Awaitable[Grant]]
    meter: Meter
    #: where callers reach this installation
    address: str = ""
    #: nouns by name, for references
    resources: dict[str, Resource] = field(default_factory=dict)
    #: ids of operations by path and method, for the audit log
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)

    async def enter(
        self,
        request: Request,
        needed: str | None,
        policy: Literal["api", "events"] = "api",
        media: str = "application/json",
    ) -> Grant:
        """Who calls. Raises Unauthorized, TooManyRequests, NotAcceptable, or InsufficientScope."""
        grant = await self.authenticate(request)
        standing = await self.meter.take(grant.tenant_id, grant.actor, policy)
        request.scope["state"]["headers"] |= standing.headers()
        accept = request.headers.get("accept")
        if accept and not accepts(accept, media):
            raise NotAcceptable(f"This answers {media}: Accept: {media}.")
        if needed:
            try:
                scope.require(grant.actor, needed)
            except InsufficientScope:
                await self._denied(request, grant, needed)
                raise
        return grant

    async def _denied(self, request: Request, grant: Grant, needed: str) -> None:
        """Who tried what he may not is in the audit log."""
        path = request.scope["route"].path
        after = {"scope": needed, "path": request.url.path}
        name = self.names.get((path, request.method), f"{request.method} {path}")
        await audit.note(
            self.log.app, self.log.cipher, grant.tenant_id, grant.actor, name, outcome="denied", after=after
        )

    async def once(self, request: Request, grant: Grant, raw: bytes, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run work that commits by itself; under an Idempotency-Key its answer is kept."""
        if "idempotency-key" not in request.headers:
            return await work()
        return await self.write(request, grant, raw, lambda unit: work())

    async def write(
        self, request: Request, grant: Grant, raw: bytes, work: Callable[[Unit], Awaitable[Answer]]
    ) -> Answer:
        """Run a change in one Unit, under the request's Idempotency-Key where it has one."""
        request_id = request.scope["state"]["request_id"]

        def refused(problem: Problem) -> Answer:
            return edge.refusal(problem, self.docs, request_id)

        return await perform(
            self.log,
            grant.tenant_id,
            grant.actor,
            work,
            refused,
            key(request, grant, raw),
            correlation_id=request_id,
            trace=trace(request),
        )


def key(request: Request, grant: Grant, raw: bytes) -> Key | None:
    """The request's Idempotency-Key, where it has one, with what it stands for."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1:
        raise BadRequest("Send one Idempotency-Key.")
    (sent,) = given
    if not 0 < len(sent) <= 255:
        raise BadRequest("An Idempotency-Key has 1 to 255 characters.")
    conditions = request.headers.get("if-match", "")
    return Key.of(grant.actor, sent, f"{request.method} {request.url.path} {conditions}", raw)


def trace(request: Request) -> str | None:
    """The caller's place in a trace (W3C Trace Context §3.2); one that is malformed is as if none was sent."""
    given = request.headers.get("traceparent", "")
    return given if TRACE.match(given) and len(given) <= 200 else None
