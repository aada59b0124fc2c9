"""From a proved request to an event: the one that its envelope names, or `inbound.received` with what the sender said.

Decision: docs/decisions/0015-inbound-webhooks.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg

from crosstie.deliver.inbound.directory import Source
from crosstie.deliver.inbound.event import NAME, RECEIVED
from crosstie.deliver.inbound.keep import Outcome
from crosstie.deliver.inbound.knock import FORM, Knock, clean
from crosstie.errors import EventIdConflict, EventTypeUnknown, Invalid, Problem
from crosstie.kit import clock, ids, json
from crosstie.log.event import Event
from crosstie.log.ingest import Arrival, Ingest
from crosstie.log.intake import Intake
from crosstie.log.park import Park, odd

#: what stands in a webhook-id as it is
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def speaks(document: Any) -> bool:
    """Whether a body is an event in our envelope, as a CloudEvent, or from a partner's outbox."""
    if not isinstance(document, dict):
        return False
    if "specversion" in document:
        return "type" in document
    named = isinstance(document.get("event_type"), str) or ("type" in document and "tenantId" in document)
    return named and ("data" in document or "payload" in document)


class Reader:
    """Makes events of requests, and has them committed. One per process."""

    def __init__(self, intake: Intake, ingest: Ingest, park: Park) -> None:
        self._intake = intake
        self._ingest = ingest
        self._park = park

    async def settle(
        self,
        id: UUID,
        source: Source,
        knock: Knock,
        said: tuple[str | None, str | None],
        confirmation: Mapping[str, Any] | None = None,
    ) -> tuple[Outcome, Problem | None]:
        """Count a proved request once; what became of it, and what is to be said to a sender who is refused."""
        try:
            if source.dialect.envelopes and source.options.get("payload") != "raw" and speaks(knock.document):
                return await self._envelope(source, knock), None
            return await self._message(id, source, knock, said, confirmation), None
        except Problem as problem:
            return Outcome("rejected", problem.code, _words(problem)), problem

    async def _envelope(self, source: Source, knock: Knock) -> Outcome:
        """The event that the envelope names. One of an unknown type is parked, as one from a broker."""
        actor = source.actor
        # another hub's webhooks say two things more, which are its own affair
        document = {name: value for name, value in knock.document.items() if name not in ("sequence", "actor")}
        try:
            arrival = await self._intake.arrival(source.tenant_id, actor, document, knock.body, trace=knock.trace)
        except EventTypeUnknown as problem:
            kept = odd(source.tenant_id, actor.principal, knock.document, knock.body, problem)
            await self._park.keep([kept])
            return Outcome("accepted", "parked", problem.detail)
        fresh = await self._put(arrival)
        return Outcome("accepted" if fresh else "duplicate", event_id=arrival.event.event_id)

    async def _message(
        self,
        id: UUID,
        source: Source,
        knock: Knock,
        said: tuple[str | None, str | None],
        confirmation: Mapping[str, Any] | None,
    ) -> Outcome:
        """The sender's own message as one event, known by the sender's id, else by its bytes."""
        name, kind = said
        event_id = name if name and PLAIN.fullmatch(name) else sha256((name or "").encode() or knock.body).hexdigest()
        data = {
            "inbound_request_id": id,
            "source_id": source.id,
            "source": source.name,
            "dialect": source.dialect.name,
            "provider_event_id": name,
            "provider_event_type": kind,
            "received_at": clock.format(knock.at),
            "headers": {name: clean(knock.headers[name]) for name in source.dialect.headers if name in knock.headers},
            "body": _body(knock),
            "confirmation": confirmation,
        }
        event = Event(
            tenant_id=source.tenant_id,
            id=ids.uuid7(),
            event_id=event_id,
            type=NAME,
            version=RECEIVED.version,
            at=knock.at,
            data=json.dumps(data).decode(),
            actor_type=source.actor.type,
            actor_id=source.actor.id,
            source=source.actor.principal,
            trace=knock.trace,
        )
        try:
            # a second look at the same request finds its own event; another request with the same id is a repeat
            await self._put(Arrival(event, sha256(id.bytes).digest()))
        except EventIdConflict:
            return Outcome("duplicate", event_id=event_id)
        return Outcome("accepted", event_id=event_id)

    async def _put(self, arrival: Arrival) -> bool:
        (fate,) = await self._ingest.put([arrival])
        if isinstance(fate, asyncpg.DataError):
            raise Invalid("A value of the event cannot be stored.")
        if isinstance(fate, BaseException):
            raise fate
        return fate


def _body(knock: Knock) -> Any:
    """JSON byte for byte as it came; the fields of a form; else the text."""
    if isinstance(knock.document, dict | list):
        return json.raw(knock.body)
    if knock.media != FORM:
        return clean(knock.body.decode("utf-8", "surrogateescape"))
    found: dict[str, Any] = {}
    for name, value in ((clean(name), clean(value)) for name, value in knock.form):
        known = found.get(name)
        found[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    return found


def _words(problem: Problem) -> str:
    return " ".join([problem.detail, *(f"{f.pointer} {f.message}." for f in problem.errors[:5])])[:2000]
