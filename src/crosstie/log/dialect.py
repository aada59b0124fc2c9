"""Dialects of events: what partner services send, brought into the form of our own envelope (checklist §2.2).

- ours: `event_id`, `event_type`, `tenant_id`, `timestamp`, `data` and the rest of an envelope, nothing else
- CloudEvents 1.0 in structured mode: `specversion`, `id`, `source`, `type`, `time`, `data`
- the partner services' outbox: `id`, `aggregate_type`, bare `event_type`, `payload`, `version` "1.0"; also with `type`,
  `tenantId` and `data`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crosstie.errors import Fault

Document = Mapping[str, Any]
#: what the log that keeps an event says of it: in an envelope that another Crosstie sent on it is passed over
ASSIGNED = frozenset(("sequence", "actor"))
_TYPED = re.compile(r"([a-z][a-z0-9_]{0,127})/([^/]{1,128})")


def normal(document: dict[str, Any]) -> tuple[dict[str, Any], str, list[Fault]]:
    """The document in our form, the name under which its data stood, and what is wrong with the dialect itself."""
    if "specversion" in document:
        return _cloudevent(document)
    if document.keys() & {"payload", "aggregate_type", "tenantId"} or ("id" in document and "event_id" not in document):
        return _outbox(document)
    if not ASSIGNED.isdisjoint(document):
        document = {name: value for name, value in document.items() if name not in ASSIGNED}
    return document, "data", []


def _cloudevent(document: Document) -> tuple[dict[str, Any], str, list[Fault]]:
    """CloudEvents 1.0.2 §3.1; extension attributes that mean nothing to us are passed over."""
    faults = []
    if document["specversion"] != "1.0":
        faults.append(Fault("/specversion", "choice", "must be 1.0"))
    if not isinstance(document.get("source"), str) or not document["source"]:
        faults.append(Fault("/source", "required", "must be a URI reference"))
    media = document.get("datacontenttype", "application/json")
    if not isinstance(media, str) or not re.fullmatch(r"application/(.+\+)?json", media.split(";")[0].strip().lower()):
        faults.append(Fault("/datacontenttype", "choice", "must be application/json"))
    if "data_base64" in document:
        faults.append(Fault("/data_base64", "unsupported", "send data as JSON"))
    found = _picked(document, event_id="id", event_type="type", timestamp="time", tenant_id="tenantid", data="data")
    found |= _picked(document, correlation_id="correlationid", causation_id="causationid")
    subject = _TYPED.fullmatch(str(document.get("subject") or ""))
    if subject:
        found["subject"] = {"type": subject[1], "id": subject[2]}
    return found, "data", faults


def _outbox(document: Document) -> tuple[dict[str, Any], str, list[Fault]]:
    """The envelope that the partner services' outboxes publish; what is unknown in it is passed over."""
    place = "payload" if "payload" in document else "data"
    found = _picked(document, timestamp="timestamp", data=place)
    for ours, theirs in (
        ("event_id", ("event_id", "id")),
        ("event_type", ("event_type", "type")),
        ("tenant_id", ("tenant_id", "tenantId")),
        ("timestamp", ("timestamp", "time", "occurred_at")),
        ("correlation_id", ("correlation_id", "correlationId")),
        ("causation_id", ("causation_id", "causationId")),
    ):
        for each in theirs:
            if document.get(each) is not None:
                found.setdefault(ours, document[each])
    aggregate, bare = document.get("aggregate_type"), found.get("event_type")
    if isinstance(aggregate, str) and isinstance(bare, str) and not bare.startswith(f"{aggregate}."):
        found["event_type"] = f"{aggregate}.{bare}"
    major = re.fullmatch(r"v?(\d{1,9})(\.\d+)*", str(document.get("version") or ""))
    if major:
        found["version"] = int(major[1]) or 1
    return found, place, []


def _picked(document: Document, **names: str) -> dict[str, Any]:
    return {ours: document[theirs] for ours, theirs in names.items() if document.get(theirs) is not None}
