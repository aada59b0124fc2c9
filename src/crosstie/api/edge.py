"""The edge: every request gets an id, every answer its headers, every error a problem document. Pure ASGI."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import asyncpg
import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from crosstie.api.body import WHOLE
from crosstie.api.cors import Cors
from crosstie.api.heads import Call, Heads, written
from crosstie.api.operation import Handler
from crosstie.api.ways import Ways
from crosstie.db.engine import AWAY
from crosstie.errors import BadRequest, Internal, Invalid, NotFound, Problem, Unavailable
from crosstie.kit import ids, json
from crosstie.log.event import ORIGIN, Origin
from crosstie.log.idempotency import Answer

logger = structlog.get_logger()
PROBLEM = "application/problem+json"


class Edge:
    """The outermost application: routes inside, answers outside."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        docs: str,
        observe: Any,
        cors: Cors,
        caller: Callable[[Call], str | None],
        socket: ASGIApp,
    ) -> None:
        self._ways = Ways(routes, self._nothing)
        self._docs = docs
        self._observe = observe
        self._cors = cors
        self._caller = caller
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._socket(scope, receive, send)
            return
        scope["app"] = self  # Starlette then raises its refusals, which we draw as problems
        headers = scope["heads"] = Heads(scope)
        request_id = _request_id(headers.get("x-request-id"))
        extra = {"x-request-id": request_id, "x-content-type-options": "nosniff"}
        extra |= self._cors.headers(headers.get("origin"))
        state = scope["state"] = {"request_id": request_id, "headers": extra, "status": 0}
        ORIGIN.set(Origin(request_id, lambda: self._caller(Call(scope))))
        started = time.perf_counter()

        async def noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                state["status"], state["answered"] = message["status"], time.perf_counter()
                more = [(name.encode(), value.encode("latin-1")) for name, value in extra.items()]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            preflight = self._cors.preflight(scope["method"], headers)
            if preflight is not None:
                await respond(Answer(204, b"", preflight), scope, noted)
                return
            _check_text(scope)
            await self._ways.find(scope["path"])(scope, receive, noted)
        except Exception as error:  # the last place where an error can become an answer
            problem = drawn(error)
            if isinstance(problem, Unavailable):  # it says why, and comes by the hundred while a database restarts
                logger.warning("request.unavailable", request_id=request_id, path=scope["path"], error=repr(error))
            elif problem.status >= 500:
                logger.error("request.failed", request_id=request_id, path=scope["path"], exc_info=error)
            if not state["status"]:
                await respond(refusal(problem, self._docs, request_id), scope, noted)
        finally:
            scope.pop("extensions", None)  # holds the listener, which holds the scope: nothing is left to the collector
            route = getattr(scope.get("route"), "path", "unknown")
            answered = state.get("answered") or time.perf_counter()  # a stream may last for days
            self._observe(scope["method"], route, state["status"] or 500, answered - started)

    async def _nothing(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotFound("There is nothing at this address.")


def drawn(error: Exception) -> Problem:
    """The problem that an error becomes."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("There is nothing at this address.")
    if isinstance(error, asyncpg.DataError):
        return Invalid("A value cannot be stored.")
    if isinstance(error, (*AWAY, asyncpg.TransactionRollbackError)):
        return Unavailable("The database cannot answer right now; try again.", headers={"Retry-After": "2"})
    return Internal("Something went wrong on our side; the request id finds it in the log.")


def refusal(problem: Problem, docs: str, request_id: str) -> Answer:
    """A problem as an answer."""
    headers = {"content-type": PROBLEM, **problem.headers}
    return Answer(problem.status, json.dumps(problem.document(docs, request_id)), headers)


async def respond(answer: Answer, scope: Scope, send: Send) -> None:
    """Send an answer: at once where the listener takes it whole, else in the pieces of ASGI."""
    headers = {} if "cache-control" in answer.headers else {"cache-control": "no-store"}
    if answer.status not in (204, 304):
        headers["content-length"] = str(len(answer.body))
    if answer.replayed:
        headers["idempotent-replayed"] = "true"
    body = answer.body if scope["method"] != "HEAD" else b""
    whole = scope.get("extensions", {}).get(WHOLE)
    if whole and whole["answer"](written(answer.status, headers, answer.headers, scope["state"]["headers"]), body):
        scope["state"]["status"] = answer.status
        return
    pairs = [(n.lower().encode(), v.encode("latin-1")) for n, v in (headers | answer.headers).items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


class Endpoint:
    """A handler that takes a request and returns an Answer, as an ASGI application."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self.handler(Call(scope, receive))
        if isinstance(answer, Response):  # sent in pieces
            await answer(scope, receive, send)
            return
        await respond(answer, scope, send)


def _request_id(given: str | None) -> str:
    return given if given and len(given) <= 128 and given.isascii() and given.isprintable() else ids.fresh()


def _check_text(scope: Scope) -> None:
    """Raise BadRequest where path or query is no UTF-8 text, or holds what no column can."""
    for part in (scope.get("raw_path", b""), scope["query_string"]):
        if b"%" not in part and part.isascii():
            continue
        try:
            text = unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            raise BadRequest("The address is not UTF-8.") from None
        if "\0" in text:
            raise BadRequest("The character U+0000 is not accepted.")
