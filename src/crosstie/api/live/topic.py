"""Topics: what a client wants to hear of, and whether it may.

    job.*  *.created  job.created  *     types of events, by pattern
    jobs                                 every event about a record of that noun
    job:<id>                             every event about that one record

The scope `events:read` reads every event, as on `GET /api/v1/events`, but those about nouns of the first tier. A noun's
own read scope reads the types that follow from that noun.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from crosstie.declare.catalogue import Catalogue
from crosstie.errors import Fault, InsufficientScope, Invalid
from crosstie.kit import text

SUBJECT = re.compile(r"([a-z][a-z0-9_]{0,99}):([!-~]{1,200})")
#: the scope that reads every event, but those about credentials and keys
ALL = "events:read"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: a pattern of types, or the type of a subject, with its id or without."""

    name: str
    pattern: str | None = None
    kind: str | None = None
    id: str | None = None


class Rights:
    """Which types of events somebody with these scopes may read."""

    def __init__(self, scopes: frozenset[str], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.scopes = scopes
        self._all = bool(scopes & {ALL, "*"})

    def reads(self, type: str) -> bool:
        """Whether events of this type may be read."""
        return self._has(self._scope(type))

    def _has(self, scope: str) -> bool:
        return "*" in self.scopes or scope in self.scopes or (self._all and scope not in self._catalogue.guards)

    def check(self, topic: Topic) -> None:
        """Raise InsufficientScope unless everything that the topic brings may be read."""
        if topic.kind is not None:
            needed = [self._noun(topic.kind)]
        else:
            assert topic.pattern is not None
            matches = text.matcher([topic.pattern])
            needed = [self._scope(type) for type in self._catalogue.events if matches(type)]
            if not needed or topic.pattern.startswith("*"):  # a tenant's own types may be among them
                needed = [ALL]
        missing = [scope for scope in needed if not self._has(scope)]
        if missing:
            also = "" if missing[0] in self._catalogue.guards else f", or {ALL}"
            raise InsufficientScope(f"The topic {topic.name} needs the scope {missing[0]}{also}.")

    def _scope(self, type: str) -> str:
        declared = self._catalogue.events.get(type)
        if declared is None or declared.open or declared.subject is None:
            return ALL
        return self._noun(declared.subject)

    def _noun(self, singular: str) -> str:
        noun = self._catalogue.singulars.get(singular)
        return f"{noun.scope_name}:read" if noun else ALL


def parse(name: str, catalogue: Catalogue, pointer: str = "") -> Topic:
    """The topic of that name. Raises Invalid."""
    found = SUBJECT.fullmatch(name)
    if found:
        return Topic(name, kind=found[1], id=found[2])
    noun = catalogue.resources.get(name)
    if noun is not None:
        return Topic(name, kind=noun.singular)
    try:
        text.pattern(name)
    except ValueError:
        pass
    else:
        if "." in name or name == "*":
            return Topic(name, pattern=name)
    shown = name[:80].replace("\0", "\ufffd")
    fault = Fault(pointer, "topic", "must be a pattern of event types, the name of a noun, or <type>:<id>")
    raise Invalid(f"There is no topic {shown}.", errors=[fault])


class Interest:
    """Several topics and rights as one question, answered for each event."""

    def __init__(self, topics: Iterable[Topic], rights: Rights) -> None:
        topics = list(topics)
        self._reads = rights.reads
        self._matches = text.matcher([t.pattern for t in topics if t.pattern is not None])
        self._kinds = frozenset(t.kind for t in topics if t.kind is not None and t.id is None)
        self._subjects = frozenset((t.kind, t.id) for t in topics if t.id is not None)
        self._types: dict[str, tuple[bool, bool]] = {}

    def takes(self, type: str, kind: str | None, id: str | None) -> bool:
        """Whether an event of this type about this subject is wanted, and may be read."""
        known = self._types.get(type)
        if known is None:
            known = self._types[type] = self._reads(type), self._matches(type)
        reads, matches = known
        return reads and (matches or kind in self._kinds or (kind, id) in self._subjects)
