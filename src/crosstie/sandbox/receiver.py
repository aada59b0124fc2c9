"""A webhook receiver that checks signatures, shows what it got, and fails on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crosstie.kit import json, webhook
from crosstie.sandbox.pages.page import back, draw, foreign, formed, plain

KEPT = 200
LARGEST = 8 << 20


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the next requests are answered: with this status, so many seconds late, so many times (0: until changed)."""

    status: int = 204
    delay_seconds: float = 0
    retry_after: int | None = None
    times: int = 0


class Got(msgspec.Struct, kw_only=True):
    """One request that came."""

    number: int
    at: str
    path: str
    webhook_id: str | None
    event_type: str | None
    signature: str
    answered: int
    body: Any


class Receiver:
    """What came, newest first, and the fault that is set."""

    def __init__(self, secret: str, tell: Callable[[Got], None]) -> None:
        self.fault = Fault()
        self.got: deque[Got] = deque(maxlen=KEPT)
        self._checkers = [webhook.checker(secret)]
        self._numbers = count(1)
        self._tell = tell

    def routes(self) -> list[BaseRoute]:
        """Its page and where it receives."""
        return [
            Route("/", self.page),
            Route("/deliveries", self.deliveries),
            Route("/faults", self.faults, methods=["GET", "POST"]),
            Route("/hooks/{path:path}", self.hook, methods=["POST"]),
        ]

    async def hook(self, request: Request) -> Response:
        """Take a webhook, whoever vouches for it, and answer as the fault says."""
        body = await request.body()
        fault = self._next_fault()
        try:
            webhook.verify(self._checkers, {name.lower(): value for name, value in request.headers.items()}, body)
            signature = "good"
        except webhook.VerificationError as error:
            signature = error.reason
        document = _document(body)
        got = Got(
            number=next(self._numbers),
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            path=request.url.path,
            webhook_id=request.headers.get(webhook.ID),
            event_type=document.get("event_type") or document.get("type") if isinstance(document, dict) else None,
            signature=signature,
            answered=fault.status if signature == "good" else 401,
            body=document,
        )
        self.got.appendleft(got)
        self._tell(got)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        headers = {"retry-after": str(fault.retry_after)} if fault.retry_after is not None else None
        return Response(status_code=got.answered, headers=headers)

    async def deliveries(self, request: Request) -> Response:
        """What came, as JSON."""
        return plain({"data": list(self.got)})

    async def faults(self, request: Request) -> Response:
        """Show the fault, or set it: from the page's form or as JSON."""
        if request.method == "GET":
            return plain(self.fault)
        if foreign(request):
            return JSONResponse({"detail": "another page may not set faults"}, 403)
        form = formed(request)
        given = {k: v for k, v in (await request.form()).items() if v} if form else _document(await request.body())
        try:
            self.fault = _checked(msgspec.convert(given, Fault, strict=not form))
        except (msgspec.ValidationError, ValueError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        return back("/", request) if form else plain(self.fault)

    async def page(self, request: Request) -> Response:
        """The last deliveries, and the form that sets faults."""
        shown = [(got, json.dumps(got.body).decode()) for got in self.got]
        return draw(request, "webhooks", got=shown, fault=self.fault)

    def _next_fault(self) -> Fault:
        fault = self.fault
        if fault.times == 1:
            self.fault = Fault()
        elif fault.times > 1:
            self.fault = msgspec.structs.replace(fault, times=fault.times - 1)
        return fault


def _document(body: bytes) -> Any:
    """JSON where it is that and not too large, else the beginning as text."""
    if len(body) <= LARGEST:
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return body[:2000].decode("utf-8", "replace")


def _checked(fault: Fault) -> Fault:
    if not 200 <= fault.status <= 599 or not 0 <= fault.delay_seconds <= 120 or not 0 <= fault.times <= 10_000:
        raise ValueError("status is 200 to 599, delay_seconds 0 to 120, times 0 to 10 000")
    return fault
