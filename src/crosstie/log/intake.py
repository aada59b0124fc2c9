"""Intake: from a document that an outside system sent to an arrival, whichever way it came (REST, broker).

Checked against the type's schema; refused where the noun is our own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from crosstie.declare.catalogue import Catalogue
from crosstie.declare.event import EventType
from crosstie.errors import EventTypeReserved, EventTypeUnknown, Fault, Forbidden, InsufficientScope, Invalid
from crosstie.kit import clock, ids, json
from crosstie.log import dialect, schema
from crosstie.log.event import DIRECTORY, Actor, Event
from crosstie.log.ingest import Arrival
from crosstie.log.registry import Registry

EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
REQUIRED = frozenset(("event_id", "event_type", "data"))
FIELDS = REQUIRED | {"timestamp", "subject", "version", "correlation_id", "causation_id", "tenant_id"}
#: an event may be this far ahead of our clock; one that is older than this is taken and flagged
AHEAD, OLD = timedelta(minutes=5), timedelta(days=90)
FAULTS = 20
_Raw = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Intake:
    """Reads documents. One per process."""

    def __init__(self, catalogue: Catalogue, registry: Registry) -> None:
        self._catalogue = catalogue
        self._registry = registry

    async def arrival(
        self, tenant_id: UUID, actor: Actor, document: Any, raw: bytes, *, source: str = "", trace: str | None = None
    ) -> Arrival:
        """The event of one document. `raw` are its bytes, from which the data is kept as it came.

        `source` names the channel, the actor's own unless given. Raises Invalid, Forbidden, EventTypeUnknown,
        EventTypeReserved.
        """
        if not isinstance(document, dict):
            raise Invalid("The event breaks its schema.", errors=[Fault("", "type", "must be an object")])
        envelope, place, faults = dialect.normal(document)
        if not _plain(envelope):
            faults = faults + _shape(envelope)
        if faults:
            raise Invalid("The event breaks its schema.", errors=faults)
        declared = await self._declared(tenant_id, envelope["event_type"], envelope.get("version"))
        self._check(declared, envelope["data"], place)
        tenant_id = _tenant(declared, envelope, tenant_id, actor)
        subject_type, subject_id = _subject(declared, envelope) or (None, None)
        event = Event(
            tenant_id=tenant_id,
            id=ids.uuid7(),
            event_id=envelope["event_id"],
            type=declared.name,
            version=envelope.get("version") or declared.version,
            at=_at(envelope.get("timestamp")),
            data=bytes(_Raw.decode(raw)[place]).decode(),
            subject_type=subject_type,
            subject_id=subject_id,
            actor_type=actor.type,
            actor_id=actor.id,
            source=source or actor.principal,
            # what begins a chain names it, so that all that follows is found by one id
            correlation_id=envelope.get("correlation_id") or envelope["event_id"],
            causation_id=envelope.get("causation_id"),
            trace=trace,
        )
        return Arrival(event, sha256(_sense(envelope)).digest())

    def founding(self, document: Any) -> bool:
        """Whether a document may tell of a tenant that is not here yet."""
        if not isinstance(document, dict):
            return False
        declared = self._catalogue.events.get(str(dialect.normal(document)[0].get("event_type")))
        return declared is not None and declared.scope == DIRECTORY

    async def _declared(self, tenant_id: UUID, name: str, version: int | None) -> EventType:
        declared = self._catalogue.events.get(name)
        if declared is None:
            declared = await self._registry.find(tenant_id, name, version)
        if declared is None:
            raise EventTypeUnknown(
                f"There is no event type {name[:100]}; register it at /api/v1/event-types.",
                errors=[Fault("/event_type", "unknown", "there is no such event type")],
            )
        if not declared.open:
            raise EventTypeReserved(f"Crosstie makes {name} itself.")
        return declared

    def _check(self, declared: EventType, data: Any, place: str) -> None:
        check = schema.check(declared)
        if check.is_valid(data):
            return
        found = zip(check.iter_errors(data), range(FAULTS), strict=False)
        raise Invalid(
            "The data breaks the schema of its type.",
            errors=[Fault(f"/{place}{json.pointer(e.instance_path)}", "schema", e.message[:300]) for e, _ in found],
        )


def _tenant(declared: EventType, envelope: Mapping[str, Any], own: UUID, actor: Actor) -> UUID:
    """Whose event it is: the sender's own tenant's, but the directory tells of all. Raises Forbidden."""
    named = envelope.get("tenant_id")
    if declared.scope is not None and DIRECTORY in actor.scopes:
        about = envelope["data"].get("tenant_id") or named
        return ids.stable(about) if isinstance(about, str) else own
    if named and named.lower() != str(own):
        raise Forbidden("The event names another tenant than the credential's.")
    if declared.scope and not actor.scopes & {declared.scope, "*"}:
        raise InsufficientScope(f"Events of this type need the scope {declared.scope}.")
    return own


def warnings(event: Event, now: datetime) -> list[Fault]:
    """What is odd about an event that is taken all the same."""
    if event.at < now - OLD:
        return [Fault("/timestamp", "old", f"is more than {OLD.days} days ago")]
    return []


def _plain(envelope: Mapping[str, Any]) -> bool:
    """Whether it is the three required fields and nothing else, all of them right: so are most."""
    if envelope.keys() != REQUIRED:
        return False
    id, name = envelope["event_id"], envelope["event_type"]
    return type(id) is type(name) is str and type(envelope["data"]) is dict and EVENT_ID.fullmatch(id) is not None


def _shape(envelope: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the envelope."""
    faults = [
        Fault(json.pointer([name]), "unknown_field", "there is no such field") for name in envelope.keys() - FIELDS
    ]
    faults += [Fault(f"/{name}", "required", "must be sent") for name in sorted(REQUIRED) if name not in envelope]
    id = envelope.get("event_id", "x")
    if not isinstance(id, str) or not EVENT_ID.fullmatch(id):
        faults.append(Fault("/event_id", "pattern", "must be 1 to 128 of A-Z, a-z, 0-9, _ and -"))
    if not isinstance(envelope.get("event_type", ""), str):
        faults.append(Fault("/event_type", "type", "must be a string"))
    if not isinstance(envelope.get("data", {}), dict):
        faults.append(Fault("/data", "type", "must be an object"))
    return faults + _optional(envelope)


def _optional(envelope: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name in ("correlation_id", "causation_id", "tenant_id"):
        value = envelope.get(name)
        if value is not None and (not isinstance(value, str) or not 0 < len(value) <= 128):
            faults.append(Fault(f"/{name}", "type", "must be a string of at most 128 characters"))
    version = envelope.get("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 2**31):
        faults.append(Fault("/version", "type", "must be a whole number from 1"))
    subject = envelope.get("subject")
    if subject is not None and not (
        isinstance(subject, dict)
        and subject.keys() == {"type", "id"}
        and all(isinstance(part, str) and 0 < len(part) <= 128 for part in subject.values())
    ):
        faults.append(Fault("/subject", "type", 'must be {"type": "job", "id": "…"}'))
    timestamp = envelope.get("timestamp")
    if timestamp is not None:
        try:
            clock.parse(timestamp)
        except (TypeError, ValueError):
            faults.append(Fault("/timestamp", "date_time", "must be a time of RFC 3339"))
    return faults


def _at(timestamp: str | None) -> datetime:
    now = clock.now()
    at = clock.parse(timestamp) if timestamp else now
    if at > now + AHEAD:
        fault = Fault("/timestamp", "future", "is in the future")
        raise Invalid("The event lies ahead of our clock.", errors=[fault])
    return at


def _subject(declared: EventType, envelope: Mapping[str, Any]) -> tuple[str, str] | None:
    given = envelope.get("subject")
    if given:
        return given["type"], given["id"]
    id = envelope["data"].get(declared.subject_field) if declared.subject_field else None
    if declared.subject is None or not isinstance(id, str | int) or not 0 < len(str(id)) <= 128:
        return None
    return declared.subject, str(id)


def _sense(envelope: Mapping[str, Any]) -> bytes:
    """What tells a repeat from a contradiction: the envelope in one fixed form (order and spaces do not count)."""
    return msgspec.json.encode({k: v for k, v in envelope.items() if v is not None}, order="deterministic")
