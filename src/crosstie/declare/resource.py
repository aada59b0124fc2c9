"""Resources: a noun is a row class and one frozen Resource beside it; everything else follows from the two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from crosstie.declare import kind as kinds
from crosstie.declare.field import MISSING, Field, described
from crosstie.declare.machine import Machine, Verb
from crosstie.declare.report import Report
from crosstie.declare.row import Row
from crosstie.declare.shape import Shape
from crosstie.declare.upload import Upload
from crosstie.errors import DeclarationError

Attribute = InstrumentedAttribute[Any]
Crud = Literal["list", "create", "retrieve", "update", "delete", "bulk", "put"]
EVERY: frozenset[Crud] = frozenset(("list", "create", "retrieve", "update", "delete", "bulk"))
READ_ONLY: frozenset[Crud] = frozenset(("list", "retrieve"))

#: async (unit, row before or None, values) -> None: may complete the values, and refuse by raising a Problem.
Rule = Callable[..., Awaitable[None]]
#: async (log, tenant_id) -> None: brings what is kept about the noun up to date before it is read.
Refresh = Callable[..., Awaitable[None]]
#: (row, unit) -> further fields of an answer, such as a signed link or a secret that is shown once.
Extra = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Events:
    """The names of the events of a noun's creation, change and end. None: no event. "" stands for the usual name."""

    created: str | None = ""
    updated: str | None = ""
    deleted: str | None = ""


@dataclass(frozen=True, slots=True)
class Action:
    """`POST …/{id}/<verb>` (or `…/<verb>` for a collection): a verb that data cannot say.

    `run` is async (unit, row, given) and returns the answer's document, or None for the row itself.
    """

    verb: str
    run: Verb
    doc: str
    given: tuple[Field, ...] = ()
    answer: tuple[Field, ...] | None = None
    many: bool = False
    method: Literal["GET", "POST"] = "POST"
    collection: bool = False
    scope: Literal["read", "write"] = "write"
    status: int = 200
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """`GET …/{id}/<verb>`: the records of another noun that belong to this one, oldest first.

    The other noun has no routes of its own. `outlives`: the list can still be read when its record is gone.
    """

    verb: str
    noun: Resource
    by: Attribute
    doc: str
    outlives: bool = False


@dataclass(frozen=True)
class Resource:
    """A noun. `read` is what answers show, `write` what callers send, `once` what they send at creation only."""

    row: type[Row]
    name: str
    read: tuple[Attribute | Field, ...]
    write: tuple[Attribute | Field, ...] = ()
    once: tuple[Attribute | Field, ...] = ()
    filter: tuple[Attribute, ...] = ()
    sort: tuple[Attribute, ...] = ()
    search: tuple[Attribute, ...] = ()
    unique: tuple[tuple[Attribute, ...], ...] = ()
    machine: Machine | None = None
    actions: tuple[Action, ...] = ()
    events: Events = Events()
    verbs: frozenset[Crud] = EVERY
    rule: Rule | None = None
    before_delete: Rule | None = None
    before_read: Refresh | None = None
    #: (document, actor, catalogue) -> the document without what this reader may not see
    veil: Callable[..., dict[str, Any]] | None = None
    #: async (unit, row) -> further columns that an erasure changes: those that no field shows
    forget: Callable[..., Awaitable[dict[str, Any]]] | None = None
    #: why its records outlive a person's request for erasure; empty: they do not
    retained: str = ""
    #: each fetch of a record's file is in the audit log
    watched: bool = False
    extra: Extra | None = None
    extra_fields: tuple[Field, ...] = ()
    shown_once: tuple[Field, ...] = ()
    singular: str = ""
    #: bytes that come with a creation (media, documents); the engine streams them, the noun keeps their digest
    upload: Upload | None = None
    #: records are addressed by this field instead of their id, and PUT makes or replaces one; the field is unique
    keyed: Attribute | None = None
    #: lists below a record
    lists: tuple[Listing, ...] = ()
    #: a creation that repeats these fields of an earlier one gives that one, and no event
    natural: tuple[Attribute, ...] = ()
    #: events carry the further fields of an answer, too
    extra_told: bool = False
    #: the column that names whose record it is: no other user sees it, but for those who may do everything
    own: Attribute | None = None
    #: records that a tenant may have, where work grows by each of them; another is refused with 409
    most: int | None = None
    #: whose change alters who hears of which event
    routes: bool = False
    #: the record as a page for people
    report: Report | None = None
    #: 1: holds credentials or keys; events, audit entries and files tell of it to those alone who may read the noun
    tier: Literal[1, 2] = 2
    doc: str = ""
    personal_events: bool = field(default=True)

    def __post_init__(self) -> None:
        if not self.singular:
            object.__setattr__(self, "singular", singular(self.name))
        self._check()
        self._index()

    # what follows from the declaration

    @cached_property
    def output(self) -> Shape:
        """What answers show."""
        return Shape([described(a) for a in self.read] + list(self.extra_fields))

    @cached_property
    def creation(self) -> Shape:
        """What a creation may send."""
        return Shape([described(a) for a in self.write + self.once])

    @cached_property
    def change(self) -> Shape:
        """What a change may send."""
        return Shape([described(a) for a in self.write])

    @cached_property
    def fact(self) -> Shape:
        """The data of this noun's events."""
        return self.output if self.extra_told else self.kept

    @cached_property
    def kept(self) -> Shape:
        """What a record itself holds of an answer, without what is made for each answer anew."""
        return Shape([described(a) for a in self.read])

    @cached_property
    def initial(self) -> dict[str, Field]:
        """The columns that a creation fills without the caller, with their fields."""
        sent = self.creation.fields
        found = {}
        for column in self.row.__table__.columns:
            declared = column.info.get("field")
            if isinstance(declared, Field) and column.key not in sent:
                found[column.key] = declared
        return found

    @cached_property
    def summary(self) -> str:
        """The noun in one sentence: the row class's docstring."""
        return self.doc or " ".join((self.row.__doc__ or "").split())

    def event(self, change: Literal["created", "updated", "deleted"]) -> str | None:
        """The name of the event of a change, or None."""
        name: str | None = getattr(self.events, change)
        return f"{self.singular}.{change}" if name == "" else name

    @property
    def title(self) -> str:
        """The name of its schema: `WebhookEndpoint`."""
        return "".join(part.capitalize() for part in self.singular.split("_"))

    @property
    def stamped(self) -> bool:
        """Whether records know when they were made and changed."""
        return "revision" in self.row.__table__.c

    @property
    def path(self) -> str:
        """Where it lives in the API."""
        return f"/api/v1/{self.name}"

    @property
    def one(self) -> str:
        """Where one record lives."""
        return f"{self.path}/{{{self.keyed.key if self.keyed is not None else 'id'}}}"

    @property
    def scope_name(self) -> str:
        """The noun's part of a scope: `jobs` in `jobs:read`."""
        return self.name

    # what is refused at import

    def _check(self) -> None:
        self._check_fields()
        if self.machine:
            self._check_machine(self.machine)
        if ("put" in self.verbs) != (self.keyed is not None):
            raise DeclarationError(f"{self.name}: PUT and keyed belong together: name the field that is addressed.")
        if not {"tenant_id", "id"} <= set(self.row.__table__.columns.keys()):
            raise DeclarationError(f"{self.name}: {self.row.__tablename__} needs the key (tenant_id, id).")

    def _check_fields(self) -> None:
        for attribute in (*self.read, *self.write, *self.once, *self.filter, *self.sort, *self.search):
            if isinstance(attribute, Field):
                continue
            owner: Any = attribute.class_
            if owner is not self.row and not issubclass(self.row, owner):
                raise DeclarationError(
                    f"{self.name}: {attribute} is a field of another row; name columns of {self.row.__name__}."
                )
            self._check_default(described(attribute))
        for attribute in (*self.filter, *self.sort):
            if not described(attribute).kind.filterable:
                raise DeclarationError(
                    f"{self.name}: {attribute.key} cannot be filtered or sorted: under row-level security only uuid, "
                    "text, timestamptz, date, bigint and boolean columns reach an index."
                )

    def _check_default(self, declared: Field) -> None:
        if declared.default is MISSING or declared.default is None or declared.kind.encode is not None:
            return
        faults: kinds.Faults = []
        declared.kind.decode(declared.initial(), "", faults)
        if faults:
            raise DeclarationError(
                f"{self.name}: the default of {declared.name} is none of its values: it {faults[0].message}."
            )

    def _check_machine(self, machine: Machine) -> None:
        if machine.column.class_ is not self.row:
            raise DeclarationError(f"{self.name}: the state column belongs to {machine.column.class_}.")
        if machine.column.key in {getattr(a, "key", "") for a in self.write + self.once}:
            raise DeclarationError(
                f"{self.name}: {machine.column.key} is a state column; only moves write it, so take it out of write."
            )
        for move in machine.moves:
            for state in (*move.sources, move.target):
                if state not in machine.states:
                    raise DeclarationError(f"{self.name}: move {move.verb} names the unknown state {state}.")

    def _index(self) -> None:
        """Add what the declaration implies to the table: references, an index per filter and sort, unique keys."""
        table = self.row.__table__
        assert isinstance(table, sa.Table)
        for column in table.columns:
            declared = column.info.get("field")
            if isinstance(declared, Field) and isinstance(declared.kind, kinds.Id) and declared.kind.of:
                target = declared.kind.of.replace("-", "_")
                table.append_constraint(
                    sa.ForeignKeyConstraint(
                        ["tenant_id", column.key],
                        [f"{target}.tenant_id", f"{target}.id"],
                        name=f"fk_{table.name}_{column.key}",
                    )
                )
            if isinstance(declared, Field) and isinstance(declared.kind, kinds.Choice):
                words = ", ".join(f"'{word}'" for word in declared.kind.values)
                table.append_constraint(sa.CheckConstraint(f"{column.key} IN ({words})", name=column.key))
        keys = {a.key for a in (*self.filter, *self.sort)} - {"id"}
        if self.stamped:
            keys.add("created_at")
        walked = {a.key for a in self.sort} | {"created_at"}
        fields = {c.key: c.info["field"] for c in table.columns if isinstance(c.info.get("field"), Field)}
        referring = {name for name, field in fields.items() if isinstance(field.kind, kinds.Id) and field.kind.of}
        for key in sorted(keys | referring):
            if isinstance(described(getattr(self.row, key)).kind, kinds.Flag):
                continue  # a flag splits a table in two: the walk by time with a filter is the cheaper way
            # what is only filtered by is listed by time: the index keeps that order within each value
            order = ["created_at"] if self.stamped and key not in walked else []
            sa.Index(f"ix_{table.name}_{key}", *(table.c[name] for name in ("tenant_id", key, *order, "id")))
        keyed = [(self.keyed,)] if self.keyed is not None else []
        for group in (*self.unique, *keyed, *([self.natural] if self.natural else [])):
            name = f"uq_{table.name}_{'_'.join(a.key for a in group)}"
            table.append_constraint(sa.UniqueConstraint("tenant_id", *(a.key for a in group), name=name))


def singular(name: str) -> str:
    """The singular in snake_case of a resource's name: `webhook-endpoints` → `webhook_endpoint`."""
    word = name.replace("-", "_")
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") else word
