"""The event log over REST: send events of outside systems, read the log, the catalogue of types."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request

from crosstie.access.token import Grant
from crosstie.api import body, filters, pages
from crosstie.api.entry import JSON, Api, trace
from crosstie.api.live.topic import Rights
from crosstie.api.operation import KEY, Operation, Parameter
from crosstie.db import session
from crosstie.declare.catalogue import envelope_example
from crosstie.declare.event import EventType
from crosstie.errors import Fault, Invalid, InvalidCursor, Problem, UnknownParameter
from crosstie.kit import clock, json, text
from crosstie.log import intake, read
from crosstie.log.idempotency import Answer
from crosstie.log.ingest import Ingest
from crosstie.log.intake import Intake
from crosstie.log.registry import Registry

MOST = 1000
#: event types on one page
TYPES = 1000
_RawBatch = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])


class Events:
    """The handlers of the log."""

    def __init__(self, api: Api, ingest: Ingest, registry: Registry) -> None:
        self.api = api
        self.ingest = ingest
        self.registry = registry
        self.intake = Intake(api.log.catalogue, registry)

    async def create(self, request: Request) -> Answer:
        grant = await self.api.enter(request, "events:write", "events")
        filters.none(request)
        raw, document = await body.document(request)

        async def work() -> Answer:
            arrival = await self.intake.arrival(grant.tenant_id, grant.actor, document, raw, trace=trace(request))
            (fate,) = await self.ingest.put([arrival])
            if isinstance(fate, BaseException):
                raise fate
            found: dict[str, Any] = {"event_id": arrival.event.event_id}
            odd = intake.warnings(arrival.event, clock.now())
            if odd:
                found["warnings"] = [_shown(fault) for fault in odd]
            return Answer(202, json.dumps(found), JSON)

        return await self.api.once(request, grant, raw, work)

    async def batch(self, request: Request) -> Answer:
        grant = await self.api.enter(request, "events:write", "events")
        filters.none(request)
        raw, document = await body.document(request, body.BULK_LIMIT)
        entries = _entries(document)

        async def work() -> Answer:
            return await self._together(request, grant, entries, _RawBatch.decode(raw)["events"])

        return await self.api.once(request, grant, raw, work)

    async def _together(self, request: Request, grant: Grant, entries: list[Any], pieces: list[msgspec.Raw]) -> Answer:
        """The good ones are committed together; each bad one is told of."""
        rejected: list[tuple[int, Problem]] = []
        numbers, arrivals, place = [], [], trace(request)
        for number, (entry, piece) in enumerate(zip(entries, pieces, strict=True)):
            try:
                arrivals.append(
                    await self.intake.arrival(grant.tenant_id, grant.actor, entry, bytes(piece), trace=place)
                )
                numbers.append(number)
            except Problem as problem:
                rejected.append((number, problem))
        fates = await self.ingest.put(arrivals) if arrivals else []
        for number, fate in zip(numbers, fates, strict=True):
            if isinstance(fate, Problem):
                rejected.append((number, fate))
            elif isinstance(fate, BaseException):
                raise fate
        request_id = request.scope["state"]["request_id"]
        listed = [
            {"index": number, "problem": problem.document(self.api.docs, request_id)}
            for number, problem in sorted(rejected, key=lambda each: each[0])
        ]
        found = {"accepted": fates.count(True), "duplicates": fates.count(False), "rejected": listed}
        return Answer(202, json.dumps(found), JSON)

    async def list(self, request: Request) -> Answer:
        grant = await self.api.enter(request, "events:read")
        rights = Rights(grant.actor.scopes, self.api.log.catalogue)
        wanted, start, limit, backwards = _query(request, rights)
        epoch = self.api.log.epoch
        async with session.of_tenant(self.api.log.app, grant.tenant_id) as connection:
            found, place, more = await read.page(connection, epoch, start, wanted, limit, backwards=backwards)
        # a reader forwards keeps its place at the end too, to go on from there later
        cursor = str(place) if more or not backwards else None
        data = [json.raw(event.envelope()) for _, event in found]
        name = "after" if "after" in request.query_params else "cursor"
        return self._paged(request, data, cursor if more else None, cursor, name)

    async def types(self, request: Request) -> Answer:
        grant = await self.api.enter(request, None)
        limit, start = _page(request)
        every = [*self.api.log.catalogue.events.values(), *await self.registry.types(grant.tenant_id)]
        every = sorted((t for t in every if (t.name, t.version) > start), key=lambda t: (t.name, t.version))
        page, more = every[:limit], len(every) > limit
        cursor = _cursor(page[-1]) if more else None
        return self._paged(request, [described(t) for t in page], cursor, cursor, "cursor")

    def _paged(
        self, request: Request, data: Sequence[Any], following: str | None, cursor: str | None, name: str
    ) -> Answer:
        """A page: `following` is where the next one begins, if there is one now; `cursor` where one may begin later."""
        headers = dict(JSON)
        if following is not None:
            headers["link"] = pages.link(self.api.address, request.url, following, name)
        found = {"data": data, "has_more": following is not None, "next_cursor": cursor}
        return Answer(200, json.dumps(found), headers)


def _entries(document: Any) -> list[Any]:
    if not isinstance(document, dict) or document.keys() != {"events"} or not isinstance(document["events"], list):
        raise Invalid('Send {"events": [...]}.', errors=[Fault("/events", "type", "must be a list")])
    if not 1 <= len(document["events"]) <= MOST:
        raise Invalid("Too many events.", errors=[Fault("/events", "length", f"must have 1 to {MOST} entries")])
    entries: list[Any] = document["events"]
    return entries


def _known(request: Request, known: set[str]) -> tuple[dict[str, str], list[Fault]]:
    pairs = request.query_params.multi_items()
    names = [name for name, _ in pairs]
    faults = [Fault(name, "unknown_parameter", "there is no such parameter") for name in names if name not in known]
    faults += [Fault(name, "repeated", "send it once") for name in known if names.count(name) > 1]
    return dict(pairs), faults


def _limit(parameters: Mapping[str, str], usual: int, most: int, faults: list[Fault]) -> int:
    given = parameters.get("limit", str(usual))
    if re.fullmatch(r"\d{1,4}", given, re.ASCII) and 1 <= int(given) <= most:
        return int(given)
    faults.append(Fault("limit", "range", f"must be a number from 1 to {most}"))
    return usual


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise UnknownParameter("A query parameter cannot be used: " + faults[0].message + ".", errors=faults)


def _query(request: Request, rights: Rights) -> tuple[read.Wanted, read.Cursor, int, bool]:
    known = {"limit", "cursor", "after", "event_type", "subject_type", "subject_id", "correlation_id", "sort"}
    parameters, faults = _known(request, known)
    limit = _limit(parameters, filters.LIMIT, filters.MOST, faults)
    if parameters.get("sort", "created_at") not in ("created_at", "-created_at"):
        faults.append(Fault("sort", "choice", "must be created_at or -created_at"))
    if ("subject_type" in parameters) != ("subject_id" in parameters):
        faults.append(Fault("subject_id", "together", "send subject_type and subject_id together"))
    if {"after", "cursor"} <= parameters.keys():
        faults.append(Fault("after", "together", "send cursor or after, not both"))
    types = tuple(parameters["event_type"].split(",")) if "event_type" in parameters else ()
    try:
        text.matcher(types)
    except ValueError as error:
        faults.append(Fault("event_type", "pattern", str(error)))
    _refuse(faults)
    backwards = "after" not in parameters and parameters.get("sort", "-created_at").startswith("-")
    given = parameters.get("cursor", parameters.get("after"))
    start = read.Cursor.parse(given) if given is not None else (read.END if backwards else read.Cursor())
    subject = (parameters["subject_type"], parameters["subject_id"]) if "subject_id" in parameters else None
    return read.Wanted(types, subject, parameters.get("correlation_id"), rights.reads), start, limit, backwards


def _page(request: Request) -> tuple[int, tuple[str, int]]:
    """Limit and place of a page of types."""
    parameters, faults = _known(request, {"limit", "cursor"})
    limit = _limit(parameters, TYPES, TYPES, faults)
    _refuse(faults)
    if "cursor" not in parameters:
        return limit, ("", 0)
    try:
        given = parameters["cursor"]
        name, version = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode("ascii").split(" ")
        return limit, (name, int(version))
    except ValueError:
        raise InvalidCursor("Take the cursor from the page before.") from None


def _cursor(last: EventType) -> str:
    return base64.urlsafe_b64encode(f"{last.name} {last.version}".encode()).decode().rstrip("=")


def _shown(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.pointer, "code": fault.code, "message": fault.message}


def described(event: EventType) -> dict[str, Any]:
    """An event type as the catalogue shows it."""
    return {
        "name": event.name,
        "version": event.version,
        "direction": event.direction,
        "summary": event.summary,
        "producers": event.producers,
        "consumers": event.consumers,
        "data_schema": event.data_schema,
        "example": envelope_example(event),
        "since": event.since,
        "deprecated": event.deprecated,
    }


def operations(events: Events) -> list[Operation]:
    """The operations of the log."""
    sending = (400, 401, 403, 406, 408, 409, 413, 415, 422, 429)
    return [
        Operation(
            "events.create", "POST", "/api/v1/events", "Send an event of an outside system.", events.create,
            "events:write", (KEY,), _ref("EventIn"), answers={202: _ref("EventAccepted")}, problems=sending,
            tag="events", further=("application/cloudevents+json",),
        ),
        Operation(
            "events.batch", "POST", "/api/v1/events/batch", f"Send up to {MOST} events.", events.batch, "events:write",
            (KEY,), _ref("EventBatch"), answers={202: _ref("EventBatchResult")}, problems=sending,
            tag="events", limit=body.BULK_LIMIT,
        ),
        Operation(
            "events.list", "GET", "/api/v1/events", "Read the event log.", events.list, "events:read", READING,
            answers={200: _ref("EventPage")}, problems=(400, 401, 403, 406, 429), tag="events",
        ),
        Operation(
            "event-types.list", "GET", "/api/v1/event-types", "List the types of events, the tenant's own included.",
            events.types, None,
            (
                Parameter("limit", {"type": "integer", "minimum": 1, "maximum": TYPES, "default": TYPES}, "Per page."),
                Parameter("cursor", {"type": "string"}, "Where the page before ended."),
            ),
            answers={200: _ref("CataloguePage")}, problems=(400, 401, 403, 406, 429), tag="event-types",
        ),
    ]  # fmt: skip


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


READING = (
    Parameter("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "Events per page."),
    Parameter("cursor", {"type": "string"}, "Where the page before ended."),
    Parameter("after", {"type": "string"}, "Read forwards from this cursor."),
    Parameter("sort", {"type": "string", "enum": ["created_at", "-created_at"]}, "The order; - is newest first."),
    Parameter("event_type", {"type": "string"}, "Types or patterns such as job.*, parted by commas."),
    Parameter("subject_type", {"type": "string"}, "With subject_id: only events of this subject."),
    Parameter("subject_id", {"type": "string"}, "With subject_type: only events of this subject."),
    Parameter("correlation_id", {"type": "string"}, "Only events of this correlation."),
)
