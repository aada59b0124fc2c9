"""The catalogue: everything that is declared, gathered once at start, and refused where it contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from crosstie.declare import kind as kinds
from crosstie.declare import sealed
from crosstie.declare.event import SYSTEMS, EventType
from crosstie.declare.field import Field
from crosstie.declare.machine import Move
from crosstie.declare.module import Module, Projection, Reaction
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from crosstie.declare.service import Operation, Provider, Service
from crosstie.declare.shape import Nested
from crosstie.errors import DeclarationError
from crosstie.kit import text

SAMPLE_ID = "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e"
#: believable texts; the first that a field takes is its example
TEXTS = (
    "text", "ZA", "ZAR", "thandi@example.com", "https://example.com/", "acme.meter.read", "role:owner", "+27821234567",
    "2026-03-01", "08:00", "2026-000017", "ABC-123", "a1b2c3d4" * 8, "a1b2c3d4" * 4, "image/jpeg", "1.50", "17",
)  # fmt: skip
SAMPLE_TIME = "2026-03-01T08:00:00Z"


class Catalogue:
    """Nouns, events, projections and reactions of the modules handed in."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = tuple(modules)
        self.resources: dict[str, Resource] = {}
        self.events: dict[str, EventType] = {}
        self.services: dict[str, Service] = {}
        #: what modules provide, by service
        self.providers: dict[str, Provider] = {}
        self._projecting: dict[str, tuple[Callable[..., None], ...]] = {}
        for module in self.modules:
            for resource in module.resources:
                self._add_resource(module, resource)
        for module in self.modules:
            for event in module.events:
                self._add_event(module.name, event)
        for module in self.modules:
            for service in module.services:
                self._add_service(module.name, service)
        for module in self.modules:
            for provider in module.provides:
                self._add_provider(module.name, provider)
        self._check_references()
        Row.registry.configure()

    @cached_property
    def singulars(self) -> dict[str, Resource]:
        """Nouns by the type that subjects and references use."""
        return {r.singular: r for r in self.resources.values()}

    def guarded(self, subject: str | None) -> Resource | None:
        """The noun of the first tier that this type of subject is, or None."""
        found = self.singulars.get(subject or "")
        return found if found and found.tier == 1 else None

    @cached_property
    def reports(self) -> dict[str, Resource]:
        """Nouns that have a report, by the type that templates are kept under."""
        return {r.singular: r for r in self.resources.values() if r.report is not None}

    @cached_property
    def guards(self) -> frozenset[str]:
        """The scopes that read nouns of the first tier: no other scope but `*` stands for one of them."""
        return frozenset(f"{r.scope_name}:read" for r in self.resources.values() if r.tier == 1)

    @cached_property
    def tables(self) -> tuple[sa.Table, ...]:
        """Every table, those of nouns and those without, parents before children."""
        declared = {table.name for module in self.modules for table in module.tables}
        declared |= {str(resource.row.__tablename__) for resource in self.resources.values()}
        declared |= {str(each.noun.row.__tablename__) for r in self.resources.values() for each in r.lists}
        return tuple(table for table in Row.metadata.sorted_tables if table.name in declared)

    @cached_property
    def sealed(self) -> tuple[sealed.Sealed, ...]:
        """Every column that holds sealed values."""
        return sealed.columns(self.tables)

    def projecting(self, event: str) -> tuple[Callable[..., None], ...]:
        """What runs inside the transaction that appends such an event."""
        found = self._projecting.get(event)
        if found is None:
            found = tuple(p.run for p in self.projections if text.matcher(p.events)(event))
            self._projecting[event] = found
        return found

    @property
    def projections(self) -> tuple[Projection, ...]:
        """Functions that write rows in the transaction of an event."""
        return tuple(p for m in self.modules for p in m.projections)

    @property
    def reactions(self) -> tuple[Reaction, ...]:
        """Functions that run after an event's commit."""
        return tuple(r for m in self.modules for r in m.reactions)

    @cached_property
    def scopes(self) -> dict[str, str]:
        """Every scope with its meaning."""
        found = {"events:read": "Read the event log.", "events:write": "Send events of outside systems."}
        for resource in self.resources.values():
            found[f"{resource.scope_name}:read"] = f"Read {resource.name}."
            found[f"{resource.scope_name}:write"] = f"Write {resource.name}."
        for service in self.services.values():
            found.setdefault(f"{service.name}:read", f"Read from the {service.name} service.")
            found.setdefault(f"{service.name}:write", f"Have the {service.name} service change something.")
        return found

    def operation(self, name: str) -> tuple[Service, Operation]:
        """The operation of a service, such as `treasury.create_invoice`. Raises KeyError."""
        service, _, own = name.partition(".")
        return self.services[service], self.services[service].operation(own)

    def _add_resource(self, module: Module, resource: Resource) -> None:
        if resource.name in self.resources:
            raise DeclarationError(f"{module.name}: the noun {resource.name} is declared twice; rename one of them.")
        self.resources[resource.name] = resource
        for event in noun_events(resource):
            self._add_event(module.name, event)

    def _add_event(self, module: str, event: EventType) -> None:
        if event.name in self.events:
            raise DeclarationError(f"{module}: the event {event.name} is declared twice; rename one of them.")
        _check_parties(module, event)
        self.events[event.name] = event

    def _add_service(self, module: str, service: Service) -> None:
        if service.name in self.services:
            raise DeclarationError(f"{module}: the service {service.name} is declared twice; rename one of them.")
        self.services[service.name] = service
        for each in service.operations:
            who = f"the cache of {service.name}.{each.name}"
            _check_known(each.cached.until if each.cached else (), self.events, who)

    def _add_provider(self, module: str, provider: Provider) -> None:
        service = self.services.get(provider.service)
        if service is None:
            raise DeclarationError(f"{module} provides {provider.service}, a service that no contract declares.")
        if provider.service in self.providers:
            raise DeclarationError(f"{module}: another module provides {provider.service} already; only one may.")
        for name in provider.operations:
            if name not in [each.name for each in service.operations]:
                raise DeclarationError(
                    f"{module} provides {provider.service}.{name}, which the contract does not have."
                )
        self.providers[provider.service] = provider

    def _check_references(self) -> None:
        for resource in self.resources.values():
            for field in (*resource.output.fields.values(), *resource.creation.fields.values()):
                of = field.kind.of if isinstance(field.kind, kinds.Id) else None
                if of and of not in self.resources:
                    raise DeclarationError(
                        f"{resource.name}: {field.name} refers to {of}, which no module declares; "
                        "add its module to the catalogue."
                    )
        for projection in self.projections:
            _check_known(projection.events, self.events, "a projection")
        for reaction in self.reactions:
            _check_known(reaction.events, self.events, f"the reaction {reaction.name}")


def _check_parties(module: str, event: EventType) -> None:
    """No event without somebody who sends it and somebody who waits for it."""
    for role, named in (("producers", event.producers), ("consumers", event.consumers)):
        if not named or not SYSTEMS.issuperset(named):
            raise DeclarationError(f"{module}: {event.name} needs {role}, of {', '.join(sorted(SYSTEMS))}.")
    if event.open == (event.producers == ("crosstie",)):
        raise DeclarationError(f"{module}: {event.name} is open exactly where others than Crosstie may send it.")


def _check_known(patterns: tuple[str, ...], events: dict[str, EventType], who: str) -> None:
    for pattern in patterns:
        if "*" not in pattern and pattern not in events:
            raise DeclarationError(f"{who} waits for {pattern}, an event that nobody emits.")


def noun_events(resource: Resource) -> Iterator[EventType]:
    """The event types that follow from a noun: its changes, its moves, and what its actions say they emit."""
    phrases = {"created": "was made", "updated": "changed", "deleted": "was deleted"}
    noun = resource.singular.replace("_", " ")
    article = "An" if noun[0] in "aeio" else "A"
    for change, phrase in phrases.items():
        name = resource.event(change)  # type: ignore[arg-type]  # the keys are the literals
        if name:
            yield noun_event(resource, name, f"{article} {noun} {phrase}.")
    for move in resource.machine.moves if resource.machine else ():
        yield noun_event(resource, move.event, move.doc, move)
    for action in resource.actions:
        for name in action.events:
            yield noun_event(resource, name, action.doc)
    if resource.upload and resource.upload.replaced:
        yield noun_event(resource, resource.upload.replaced, f"A {noun} got a new version.")


def noun_event(resource: Resource, name: str, summary: str, move: Move | None = None) -> EventType:
    """One event type of a noun: its data is the noun as answers show it, the id under the noun's name."""
    fields = list(resource.fact.fields.values())
    schema = resource.fact.schema(output=True)
    properties = {event_key(resource, key): value for key, value in schema["properties"].items()}
    required = [event_key(resource, key) for key in schema["required"]]
    sample = {event_key(resource, field.name): example(field) for field in fields}
    if move and resource.machine:
        properties["previous_status"] = {"type": "string", "enum": list(resource.machine.states)}
        required += [] if move.born else ["previous_status"]
        sample["previous_status"] = resource.machine.states[0]
    return EventType(
        name=name,
        summary=summary,
        data_schema={"type": "object", "properties": properties, "required": required, "additionalProperties": True},
        example=sample,
        subject=resource.singular,
        subject_field=event_key(resource, "id"),
        personal=resource.fact.personal,
    )


def event_key(resource: Resource, name: str) -> str:
    """The name of a field inside event data: `id` becomes `job_id`."""
    return f"{resource.singular}_id" if name == "id" else name


def example(field: Field) -> Any:
    """A believable value of a field, for documentation."""
    kind = field.kind
    if isinstance(kind, kinds.Choice):
        return kind.values[0]
    if isinstance(kind, kinds.Many):
        return [example(Field(kind.of))]
    if isinstance(kind, Nested):
        return {f.name: example(f) for f in kind.fields}
    if isinstance(kind, kinds.Integer):
        return max(1, kind.min)
    if isinstance(kind, kinds.Text):
        return next((words for words in TEXTS if kind.takes(words)), "text")
    samples: dict[type[kinds.Kind], Any] = {
        kinds.Id: SAMPLE_ID,
        kinds.Moment: SAMPLE_TIME,
        kinds.Day: date(2026, 3, 1).isoformat(),
        kinds.Flag: True,
        kinds.Number: "1.5",
        kinds.Money: {"amount": "1200.00", "currency": "ZAR"},
        kinds.Zone: "Africa/Johannesburg",
        kinds.Data: {},
    }
    return next(samples[each] for each in type(kind).__mro__ if each in samples)


def envelope_example(event: EventType) -> dict[str, Any]:
    """A whole envelope with the type's example as data."""
    subject = event.example.get(event.subject_field or "", SAMPLE_ID)
    return {
        "event_id": SAMPLE_ID,
        "event_type": event.name,
        "tenant_id": "01936f0e-0000-7000-8000-000000000001",
        "timestamp": SAMPLE_TIME,
        "data": event.example,
        "version": event.version,
        "subject": {"type": event.subject, "id": subject} if event.subject else None,
        "sequence": 1 if event.subject else None,
        "actor": {"type": "api_key", "id": SAMPLE_ID},
        "correlation_id": None,
        "causation_id": None,
    }
