"""Orders: what a client asks for, subscribe or unsubscribe, in the one form that is taken."""

from __future__ import annotations

import msgspec

from crosstie.errors import Fault, Invalid, MalformedJson
from crosstie.kit import json

#: topics of one connection
TOPICS = 100
#: characters of a cursor that are looked at
CURSOR = 200
FIELDS = {"subscribe": {"action", "topics", "after"}, "unsubscribe": {"action", "topics"}}


class Order(msgspec.Struct, frozen=True):
    """One order."""

    action: str
    topics: tuple[str, ...]
    after: str | None = None


def read(body: bytes) -> Order:
    """The order in a frame. Raises MalformedJson or Invalid."""
    try:
        document = json.loads(body)
    except json.BadJson as error:
        if error.pointer is None:
            raise MalformedJson(f"The frame is not JSON: {error.message}.") from None
        raise Invalid("The frame cannot be used.", errors=[Fault(error.pointer, "json", error.message)]) from None
    if not isinstance(document, dict):
        raise Invalid('Send {"action": "subscribe", "topics": [...], "after": null}.')
    action, topics, after = (document.get(name) for name in ("action", "topics", "after"))
    if not isinstance(action, str) or action not in FIELDS:
        fault = Fault("/action", "choice", "must be subscribe or unsubscribe")
        raise Invalid("There is no such action.", errors=[fault])
    strange = sorted(document.keys() - FIELDS[action])
    faults = [Fault(json.pointer([name[:80]]), "unknown_field", "there is no such field") for name in strange[:20]]
    if not isinstance(topics, list) or not topics or not all(isinstance(each, str) for each in topics):
        faults.append(Fault("/topics", "type", "must be a list of one text or more"))
    elif len(topics) > TOPICS:
        faults.append(Fault("/topics", "length", f"must have {TOPICS} entries at most"))
    if after is not None and not (isinstance(after, str) and len(after) <= CURSOR):
        faults.append(Fault("/after", "type", "must be a cursor or null"))
    if faults:
        raise Invalid("The frame cannot be used.", errors=faults)
    return Order(action, tuple(dict.fromkeys(topics or ())), after)
