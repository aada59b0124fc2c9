"""Answers the calls of one operation: who calls, what goes wrong on demand, the work once per key, the answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from crosstie.contracts.services import Operation, Service
from crosstie.kit import json
from crosstie.sandbox.books import REQUEST, Books, Document, Shelf, stamp
from crosstie.sandbox.call import Bad, Reader
from crosstie.sandbox.door import SCHEMES, Door
from crosstie.sandbox.fault import Fault, Faults
from crosstie.sandbox.verb import Refused, Verb

JSON, PROBLEM = "application/json", "application/problem+json"
KEY = "idempotency-key"
#: requests that are remembered
KEPT = 2_000
#: closes with a reset instead of an end
LINGER = struct.pack("ii", 1, 0)


class Desk:
    """One operation of a counterpart."""

    def __init__(
        self, books: Books, faults: Faults, door: Door, service: Service, operation: Operation, verb: Verb
    ) -> None:
        self._books, self._faults, self._door = books, faults, door
        self._service, self._operation, self._verb = service, operation, verb
        self._reader = Reader(operation)
        self._busy: set[str] = set()

    def route(self) -> Route:
        """Where it is reached."""
        return Route(self._service.path(self._operation), self.answer, methods=[self._operation.method])

    async def answer(self, request: Request) -> Response:
        """The whole of one call, noted from its beginning to its end."""
        body = await request.body()
        REQUEST.set(request.headers.get("x-request-id"))
        key = request.headers.get(KEY) if self._operation.mutates else None
        number = self._books.run(
            "INSERT INTO requests (at, service, operation, key, body) VALUES (?, ?, ?, ?, ?)",
            stamp(), self._service.name, self._operation.name, key, body[:10_000].decode("utf-8", "replace"),
        )  # fmt: skip
        self._books.run("DELETE FROM requests WHERE number <= ?", number - KEPT)
        fault = None
        try:
            if not self._door.admits(request):
                raise Bad(401, "unauthenticated", "The call shows no credential that counts.")
            fault = self._faults.next(self._service.name, self._operation.name)
            response = await self._served(request, body, key, fault, number)
        except Bad as bad:
            response = problem(bad.status, bad.code, bad.words, bad.errors)
        self._note(number, status=response.status_code, fault=fault.kind if fault else None)
        return await _spoilt(request, response, fault) if fault else response

    async def _served(
        self, request: Request, body: bytes, key: str | None, fault: Fault | None, number: int
    ) -> Response:
        if fault and fault.kind == "status":
            late = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
            self._note(number, about=self._about(request, body))
            return problem(fault.status, "fault", "The sandbox was told to fail.", headers=late)
        given = self._reader.read(request, body)
        self._note(number, about=self._verb.subject(given))
        if key is None:
            return await self._worked(given, None, None, fault)
        if len(key) > 255:
            raise Bad(400, "idempotency_key", "An idempotency key has at most 255 characters.")
        if key in self._busy:
            return problem(409, "in_progress", "A call with this key is under way.", headers={"retry-after": "1"})
        self._busy.add(key)
        try:
            return await self._worked(given, key, _digest(request, body), fault)
        finally:
            self._busy.discard(key)

    async def _worked(self, given: Document, key: str | None, digest: str | None, fault: Fault | None) -> Response:
        """The stored answer of this key, or the work with its answer."""
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        service = self._service.name
        known = self._books.one("SELECT * FROM answers WHERE service = ? AND key = ?", service, key) if key else None
        if known is not None:
            if known["digest"] != digest:
                raise Bad(422, "idempotency_key_reused", "This key stands for another call.")
            return _drawn(known["status"], known["body"], {"idempotent-replayed": "true"})
        try:
            with self._books.change():
                status, drawn = self._operation.status, json.dumps(self._done(given, key, fault))
                self._keep(key, digest, status, drawn)
        except Refused as refused:
            drawn = json.dumps(_problem(refused.status, refused.code, refused.words))
            status = refused.status
            with self._books.change():
                self._keep(key, digest, status, drawn)
                self._reject(given, refused)
        return _drawn(status, drawn)

    def _done(self, given: Document, key: str | None, fault: Fault | None) -> Document:
        """Run the verb and count what it made."""
        about = self._verb.subject(given)
        refusal = ("refused", "The sandbox was told to refuse.") if fault and fault.kind == "refuse" else None
        if refusal and not self._verb.decides:
            raise Refused(*refusal)
        found = self._verb.run(Shelf(self._books, self._service.name, about, refusal), given)
        if self._operation.mutates:
            thing = str(next(iter(found.values())))
            self._books.run(
                "INSERT INTO effects (at, service, operation, key, about, thing) SELECT ?, ?, ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM effects WHERE service = ?2 AND operation = ?3 AND thing = ?6)",
                stamp(), self._service.name, self._operation.name, key, about, thing,
            )  # fmt: skip
        return found

    def _reject(self, given: Document, refused: Refused) -> None:
        rejection = self._verb.rejected(given) if self._operation.mutates else None
        if rejection is not None:
            shelf = Shelf(self._books, self._service.name, self._verb.subject(given))
            shelf.tell(rejection[0], **rejection[1], code=refused.code, reason=refused.words)

    def _keep(self, key: str | None, digest: str | None, status: int, drawn: bytes) -> None:
        if key is not None:
            values = (self._service.name, key, digest, status, drawn)
            self._books.run("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", *values)

    def _about(self, request: Request, body: bytes) -> str | None:
        try:
            return self._verb.subject(self._reader.read(request, body))
        except Bad:
            return None

    def _note(self, number: int, **values: Any) -> None:
        for name, value in values.items():
            self._books.run(f"UPDATE requests SET {name} = ? WHERE number = ?", value, number)  # noqa: S608  # own names


async def _spoilt(request: Request, response: Response, fault: Fault) -> Response:
    """The answer as the fault has it."""
    if fault.kind == "garbage":
        return Response(b'{"id": "half an ans', response.status_code, media_type=JSON)
    if fault.kind == "drip":
        return StreamingResponse(_drops(bytes(response.body), fault.seconds), response.status_code, media_type=JSON)
    if fault.kind == "reset":
        transport: asyncio.Transport = request.scope["extensions"]["transport"]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        transport.abort()
        # the server learns of it in its next round, and sends nothing then
        await asyncio.sleep(0.01)
    return response


async def _drops(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        await asyncio.sleep(seconds / len(body))


def _digest(request: Request, body: bytes) -> str:
    """By which a call is known again under its idempotency key."""
    return sha256(b"\n".join((request.method.encode(), request.url.path.encode(), body))).hexdigest()


def _drawn(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, JSON if status < 400 else PROBLEM)


def problem(
    status: int,
    code: str,
    words: str,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A refusal as RFC 9457 has it."""
    known = {"www-authenticate": SCHEMES} if status == 401 else {}
    return Response(json.dumps(_problem(status, code, words, errors)), status, known | (headers or {}), PROBLEM)


def _problem(status: int, code: str, words: str, errors: list[dict[str, str]] | None = None) -> Document:
    found: Document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return found | {"detail": words, "code": code, "errors": errors or []}
