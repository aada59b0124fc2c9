"""The Unit: one transaction that sets the tenant, writes rows and appends events. Every change goes through one.

Writes are queued and leave together: as one statement where no row is written twice. Reading flushes first, so that a
verb sees what it wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from crosstie.db import session, statement
from crosstie.db.engine import Connection
from crosstie.db.statement import Statement
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.row import Row
from crosstie.errors import NotFound
from crosstie.kit import clock, ids, json
from crosstie.kit.egress import Guard
from crosstie.log import refusal, schema, trail
from crosstie.log.append import appended
from crosstie.log.event import ORIGIN, SYSTEM, Actor, Event, Origin
from crosstie.log.trail import Act

R = TypeVar("R", bound=Row)
#: writes that go into one statement
MOST = 24


class Cipher(Protocol):
    """Seals what must not be read from the tables."""

    #: hashes the tokens of API keys
    pepper: bytes
    #: stamps entries of the audit log
    witness: bytes

    async def load(self, pool: asyncpg.Pool, tenant_id: UUID) -> None: ...

    async def ready(self, connection: Connection, tenant_id: UUID) -> None: ...

    def seal(self, tenant_id: UUID, plain: bytes, table: str, column: str, row: UUID) -> bytes: ...

    def open(self, tenant_id: UUID, sealed: bytes, table: str, column: str, row: UUID) -> bytes: ...

    async def unseal(
        self, connection: Connection, tenant_id: UUID, sealed: bytes, table: str, column: str, row: UUID
    ) -> bytes: ...

    def derive(self, label: str) -> bytes: ...

    async def refresh(self) -> None: ...

    async def add_key(self, connection: Connection, tenant_id: UUID) -> UUID: ...


async def _nobody(*given: Any) -> None:
    raise NotImplementedError("no services were set up")


@dataclass(slots=True)
class Log:
    """What the Units of one process share."""

    app: asyncpg.Pool
    worker: asyncpg.Pool
    catalogue: Catalogue
    epoch: int
    cipher: Cipher
    guard: Guard
    #: where callers reach this installation
    address: str = ""
    #: events that Units of this process appended
    appended: int = 0
    #: called after a commit with the tenants that have news for the dispatcher
    wake: Callable[[Iterable[UUID]], None] = lambda tenants: None
    #: called after a commit with the tenants whose log has grown
    tell: Callable[[Iterable[UUID]], None] = lambda tenants: None
    #: called after a commit that changed who hears of what
    rerouted: Callable[[UUID], None] = lambda tenant: None
    #: called after a commit that made deliveries due
    poke: Callable[[], None] = lambda: None
    #: writes the call of a service: what `unit.request` does
    request: Callable[..., Awaitable[Any]] = _nobody
    #: reads from a service, outside any Unit: async (tenant_id, operation, given, actor)
    ask: Callable[..., Awaitable[Any]] = _nobody
    #: called after a commit that made background work
    stir: Callable[[], None] = lambda: None
    #: called after every commit
    observe: Callable[[Unit], None] = lambda unit: None

    @asynccontextmanager
    async def unit(self, tenant_id: UUID, actor: Actor = SYSTEM, **context: Any) -> AsyncIterator[Unit]:
        """One transaction of a tenant, committed at the end of the block."""
        async with self.app.acquire() as connection:
            unit = Unit(self, connection, tenant_id, actor, **context)
            async with session.transaction(connection, session.begin(tenant_id)):
                yield unit
                await unit.finish()
        unit.committed()


@dataclass(slots=True)
class Write:
    """One queued write, and the row that it touches."""

    statement: Statement
    arguments: Sequence[Any]
    row: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place inside a Unit."""

    appended: int
    acts: dict[tuple[str | None, str | None], Act]


@dataclass(slots=True)
class Unit:
    """One transaction. `given` carries what a verb may need of its request."""

    log: Log
    connection: Connection
    tenant_id: UUID
    actor: Actor = SYSTEM
    correlation_id: str | None = None
    causation_id: str | None = None
    trace: str | None = None
    source: str | None = None
    #: for the audit log
    origin: Origin = field(default_factory=ORIGIN.get)
    now: datetime = field(default_factory=clock.now)
    appended: list[Event] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    #: secrets made here: they go into the answer, once
    shown: dict[str, str] = field(default_factory=dict)
    _writes: list[Write] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _acts: dict[tuple[str | None, str | None], Act] = field(default_factory=dict)

    # reading

    async def get(self, row: type[R], id: UUID, *, lock: bool = False) -> R:
        """The row with this id, locked until the end where `lock`. Raises NotFound."""
        found = await self.fetch(statement.fetch(_table(row), lock), key_tenant=self.tenant_id, key_id=id)
        if not found:
            raise NotFound(f"There is no such {row.__name__.lower()}.")
        return row.view(found[0])

    async def fetch(self, query: Statement, **values: Any) -> list[asyncpg.Record]:
        """The rows of a compiled statement."""
        await self.flush()
        return await self.connection.fetch(query.text, *query.arguments(values))

    async def select(self, query: sa.Select[Any], **values: Any) -> list[asyncpg.Record]:
        """The rows of a Core query. Row-level security narrows it to the tenant; queries need not repeat that."""
        return await self.fetch(statement.compiled(query), **values)

    # writing

    def insert(self, row: type[R], values: Mapping[str, Any]) -> R:
        """Queue a new row. Columns that are not given are null."""
        table = _table(row)
        made = statement.insert(table)
        whole = {name: values.get(name) for name in made.names} | {"tenant_id": self.tenant_id}
        self._writes.append(Write(made, made.arguments(whole), (table.name, whole["id"])))
        return row.view(whole)

    def update(self, row: R, changes: Mapping[str, Any]) -> R:
        """Queue changes of a row that was read with `lock`; returns the row as it will be."""
        table = _table(type(row))
        stamped = dict(changes)
        if "revision" in table.c:
            stamped |= {"updated_at": self.now, "revision": row.__dict__["revision"] + 1}
        made = statement.update(table, frozenset(stamped))
        arguments = made.arguments(stamped | {"key_tenant": self.tenant_id, "key_id": row.id})
        self._writes.append(Write(made, arguments, (table.name, row.id)))
        return type(row).view(row.__dict__ | stamped)

    def delete(self, row: Row) -> None:
        """Queue the end of a row."""
        table = _table(type(row))
        made = statement.delete(table)
        arguments = made.arguments({"key_tenant": self.tenant_id, "key_id": row.id})
        self._writes.append(Write(made, arguments, (table.name, row.id)))

    def write(self, made: Statement, arguments: Sequence[Any]) -> None:
        """Queue any other write."""
        self._writes.append(Write(made, arguments))

    def append(self, type: str, data: Mapping[str, Any], subject: tuple[str, str] | None = None) -> Event:
        """Append an event; projections queue their rows with it. Raises RuntimeError where it breaks its schema."""
        declared = self.log.catalogue.events[type]
        written = json.dumps(data)
        schema.hold(declared, written)
        id = ids.uuid7()
        event = Event(
            tenant_id=self.tenant_id,
            id=id,
            event_id=str(id),
            type=type,
            version=declared.version,
            at=self.now,
            data=written.decode(),
            subject_type=subject[0] if subject else None,
            subject_id=subject[1] if subject else None,
            actor_type=self.actor.type,
            actor_id=self.actor.id,
            source=self.source,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            trace=self.trace,
        )
        self._events.append(event)
        for run in self.log.catalogue.projecting(type):
            run(self, event, data)
        return event

    async def request(
        self, operation: str, given: Mapping[str, Any], about: tuple[str, str] | None = None, key: str | None = None
    ) -> Any:
        """Have a service asked after the commit (log/call.py): answers the row of the call, whose outcome is an event.

        `about` is the type and id of what it is for; the outcome hands it back. `key` is the idempotency key, for what
        may be asked twice by two ways; else each call has one of its own.
        """
        return await self.log.request(self, operation, given, about, key)

    def note(self, act: Act) -> None:
        """Have an act in the audit log with the commit: one entry per target, however many steps it takes."""
        key = act.target_type, act.target_id
        earlier = self._acts.get(key)
        self._acts[key] = earlier.follow(act) if earlier else act

    async def finish(self) -> None:
        """Send what is left, the audit entries with it: the last statement of the transaction."""
        if self._acts:
            acts, self._acts = self._acts, {}
            witness = self.log.cipher.witness
            made = trail.noted(witness, self.tenant_id, acts.values(), self.now, self.actor, self.origin)
            self._writes.append(Write(*made))
        await self.flush()

    async def flush(self) -> None:
        """Send what is queued. Raises the Problem that a broken constraint stands for."""
        if self._events:
            self._writes.append(Write(*appended(self._events, self.log.epoch)))
            self.appended += self._events
            self._events = []
        while self._writes:
            batch = _separate(self._writes)
            self._writes = self._writes[len(batch) :]
            if len(batch) == 1 and len(batch[0].statement.parts) == 1:
                text = batch[0].statement.text
            else:
                text = statement.joined(tuple(write.statement for write in batch))
            try:
                await self.connection.fetchrow(text, *(a for write in batch for a in write.arguments))
            except asyncpg.IntegrityConstraintViolationError as error:
                raise refusal.of(error) from error

    def mark(self) -> Mark:
        """Where this Unit stands, for `forget`."""
        return Mark(len(self.appended), dict(self._acts))

    def forget(self, mark: Mark) -> None:
        """Drop what is queued, and the events and acts after a mark: their savepoint was rolled back."""
        self._writes, self._events = [], []
        del self.appended[mark.appended :]
        self._acts = mark.acts

    def committed(self) -> None:
        """What follows the commit: nothing that must happen, only wake-ups."""
        self.log.observe(self)
        for follow in self.after:
            follow()
        if self.appended:
            self.log.appended += len(self.appended)
            self.log.wake((self.tenant_id,))
            self.log.tell((self.tenant_id,))


def _separate(writes: list[Write]) -> list[Write]:
    """The longest start of the queue that writes no row twice."""
    seen: set[tuple[Any, ...]] = set()
    for number, write in enumerate(writes[:MOST]):
        if write.row is not None and write.row in seen:
            return writes[:number]
        if write.row is not None:
            seen.add(write.row)
    return writes[:MOST]


def _table(row: type[Row]) -> sa.Table:
    table = row.__table__
    assert isinstance(table, sa.Table)
    return table
