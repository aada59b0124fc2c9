"""A webhook receiver that checks signatures, shows what it got, and fails on demand."""

from __future__ import annotations

import asyncio
import html
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from crosstie.kit import json, webhook

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

    def app(self) -> Starlette:
        """The web application."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/deliveries", self.deliveries),
                Route("/faults", self.faults, methods=["GET", "POST"]),
                Route("/hooks/{path:path}", self.hook, methods=["POST"]),
            ]
        )

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
        return _json({"data": list(self.got)})

    async def faults(self, request: Request) -> Response:
        """Show the fault, or set it: from the page's form or as JSON."""
        if request.method == "GET":
            return _json(self.fault)
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return JSONResponse({"detail": "another page may not set faults"}, 403)
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        given = {k: v for k, v in (await request.form()).items() if v} if form else _document(await request.body())
        try:
            self.fault = _checked(msgspec.convert(given, Fault, strict=not form))
        except (msgspec.ValidationError, ValueError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        return RedirectResponse("/", 303) if form else _json(self.fault)

    async def page(self, request: Request) -> Response:
        """The last deliveries, and the form that sets faults."""
        rows = "".join(_row(got) for got in self.got)
        fault = self.fault
        after = "" if fault.retry_after is None else fault.retry_after
        page = PAGE.format(
            rows=rows or "<tr><td colspan=6>Nothing has come yet.</td></tr>", status=fault.status,
            delay=fault.delay_seconds, times=fault.times, after=after,
        )  # fmt: skip
        policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
        return HTMLResponse(page, headers={"content-security-policy": policy, "refresh": "5"})

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


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _row(got: Got) -> str:
    cells = (got.number, got.at, got.event_type, got.signature, got.answered)
    body = html.escape(json.dumps(got.body).decode())
    listed = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
    name = html.escape(str(got.webhook_id))
    return f"<tr>{listed}<td><details><summary>{name}</summary><pre>{body}</pre></details></td></tr>"


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Crosstie sandbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ccc; vertical-align: top; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
input {{ width: 5rem; }}
</style></head><body>
<h1>Sandbox: webhooks that came</h1>
<form method="post" action="/faults">
Answer with <label>status <input name="status" type="number" min="200" max="599" value="{status}"></label>
<label>after seconds <input name="delay_seconds" type="number" min="0" max="120" step="0.1" value="{delay}"></label>
<label>Retry-After <input name="retry_after" type="number" min="0" value="{after}"></label>
<label>so many times, 0 is until changed <input name="times" type="number" min="0" value="{times}"></label>
<button>Set</button>
</form>
<table><thead><tr><th>#<th>at<th>event<th>signature<th>answered<th>webhook-id and body</tr></thead>
<tbody>{rows}</tbody></table>
<p><a href="/deliveries">as JSON</a></p>
</body></html>
"""
