"""The pages of `/reference`: every operation by what it is about, and every event, from the API's own description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import msgspec

from crosstie.api.manual.frame import Entry, Frame, Group
from crosstie.api.manual.guide import Pages
from crosstie.api.manual.operation import Shown, shown
from crosstie.api.manual.schema import lines, mentioned
from crosstie.api.manual.search import Target
from crosstie.declare.catalogue import envelope_example
from crosstie.declare.event import EventType

ROOT = "/reference"
OPERATIONS, EVENTS = f"{ROOT}/operations", f"{ROOT}/events"


@dataclass(frozen=True, slots=True)
class Description:
    """What the reference is drawn from: the OpenAPI document, and the catalogue's events."""

    document: Mapping[str, Any]
    events: Mapping[str, EventType]

    @property
    def server(self) -> str:
        """The API's address."""
        return str(self.document["servers"][0]["url"])

    @property
    def schemas(self) -> Mapping[str, Any]:
        """The named schemas."""
        found: Mapping[str, Any] = self.document["components"]["schemas"]
        return found

    def tags(self) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
        """Method, path and operation, by what they are about."""
        found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                found.setdefault(operation["tags"][0], []).append((method, path, operation))
        return dict(sorted(found.items()))

    def families(self) -> list[tuple[str, list[EventType]]]:
        """Events by the first word of their names."""
        ordered = sorted(self.events.values(), key=lambda event: event.name)
        return [(family, list(events)) for family, events in groupby(ordered, lambda event: event.name.split(".")[0])]


def navigation(description: Description) -> tuple[Group, ...]:
    """A group of operations, and a group of events."""
    return (
        Group(OPERATIONS, "Operations", [Entry(f"{OPERATIONS}/{tag}", tag) for tag in description.tags()]),
        Group(EVENTS, "Events", [Entry(f"{EVENTS}#{name}", name) for name, _ in description.families()]),
    )


def targets(description: Description) -> Iterator[Target]:
    """What search finds of the reference."""
    for tag, operations in description.tags().items():
        for method, path, operation in operations:
            words = f"{operation['summary']} {operation['operationId']}"
            yield Target(f"{OPERATIONS}/{tag}#{operation['operationId']}", "API", f"{method.upper()} {path}", words)
    for event in description.events.values():
        yield Target(f"{EVENTS}/{event.name}", "Event", event.name, event.summary)


def pages(description: Description, frame: Frame) -> Pages:
    """Every page."""
    return dict(_pages(description, frame))


def _pages(description: Description, frame: Frame) -> Iterator[tuple[str, Callable[[], str]]]:
    yield ROOT, partial(_front, description, frame)
    yield OPERATIONS, partial(_operations, description, frame)
    for tag in description.tags():
        yield f"{OPERATIONS}/{tag}", partial(_tag, description, frame, tag)
    yield EVENTS, partial(_events, description, frame)
    for event in description.events.values():
        yield f"{EVENTS}/{event.name}", partial(_event, frame, event)


def _front(description: Description, frame: Frame) -> str:
    return frame.draw("reference", ROOT, "API reference", server=description.server, events=len(description.events))


def _operations(description: Description, frame: Frame) -> str:
    return frame.draw("operations", OPERATIONS, "Operations", tags=description.tags(), root=OPERATIONS)


def _tag(description: Description, frame: Frame, tag: str) -> str:
    schemas = description.schemas
    operations = description.tags()[tag]
    drawn = [shown(*operation, schemas, description.server) for operation in operations]
    wanted = {name for operation in operations for name in _answered(operation[2], schemas)}
    tables = [(name, schemas[name].get("description", ""), list(lines(schemas[name]))) for name in sorted(wanted)]
    return frame.draw("tag", f"{OPERATIONS}/{tag}", tag, headings=_headings(drawn), operations=drawn, tables=tables)


def _answered(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    """The schemas that an operation's answers and the fields of its body lead to."""
    media = operation.get("requestBody", {}).get("content", {}).values()
    bodies = {each["schema"].get("$ref", "").rsplit("/", 1)[-1] for each in media}
    return mentioned([operation["responses"], operation.get("requestBody")], schemas) - bodies


def _headings(operations: list[Shown]) -> list[tuple[str, str]]:
    return [(each.id, each.id.split(".", 1)[-1].replace("_", " ")) for each in operations]


def _events(description: Description, frame: Frame) -> str:
    return frame.draw("events", EVENTS, "Events", families=description.families(), root=EVENTS)


def _event(frame: Frame, event: EventType) -> str:
    example = msgspec.json.format(msgspec.json.encode(envelope_example(event)), indent=2).decode()
    return frame.draw(
        "event", f"{EVENTS}/{event.name}", event.name, event=event, lines=list(lines(event.data_schema)),
        example=example,
    )  # fmt: skip
