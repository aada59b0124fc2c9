"""Long work: an operation is a row that callers can watch and cancel, worked off in small committed steps.

A step runs in one Unit that holds the operation's row, so that two workers never run the same one, and what a killed
worker had not committed is done again by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.db import statement
from crosstie.db.engine import TROUBLE
from crosstie.db.statement import Statement
from crosstie.declare.field import choice, data, integer, moment, text
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Record
from crosstie.errors import MoveRefused, Problem
from crosstie.log import change
from crosstie.log.unit import Log, Unit

STATES = ("queued", "running", "done", "failed", "cancelled")
OPEN = ("queued", "running")
CANCELLED = Statement("SELECT id FROM operations WHERE id = $1::uuid AND status = 'cancelled'", ["id"])
SETTLE = Statement(
    "UPDATE operations SET status = $2::text, result = $3::jsonb, problem = $4::jsonb, progress = 1,"
    " updated_at = now(), revision = revision + 1 WHERE id = $1::uuid AND status IN ('queued', 'running')",
    "1234",
)
SWEEP = 2.0
TRIES = 5

logger = structlog.get_logger()


class Operation(Record):
    """Long work that can be watched and cancelled."""

    __tablename__ = "operations"
    __table_args__ = (
        sa.Index("ix_operations_due", "due_at", postgresql_where=sa.text("status IN ('queued', 'running')")),
    )

    kind: Mapped[str] = text(60, doc="What is done.")
    status: Mapped[str] = choice(*STATES, doc="How far it is.", default="queued")
    count: Mapped[int | None] = integer(doc="How much there is to do; null until it is counted.", nullable=True)
    progress: Mapped[int] = integer(doc="How much is done.", default=0)
    result: Mapped[dict[str, Any] | None] = data(doc="What came of it.", nullable=True)
    problem: Mapped[dict[str, Any] | None] = data(doc="Why it failed.", nullable=True)
    due_at: Mapped[datetime] = moment(doc="When the next step is due.")
    given: Mapped[dict[str, Any]] = mapped_column(sa.dialects.postgresql.JSONB)
    state: Mapped[dict[str, Any]] = mapped_column(sa.dialects.postgresql.JSONB)
    failures: Mapped[int] = mapped_column(sa.Integer)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: how much, what the next must know, how long to wait before it."""

    done: int = 0
    state: Mapping[str, Any] | None = None
    finished: bool = False
    count: int | None = None
    result: Mapping[str, Any] | None = None
    wait: float = 0.0


#: async (unit, operation) -> Step
Job = Callable[[Unit, Operation], Awaitable[Step]]
#: as Job, with what an errand brought home
Finish = Job
#: async (log, operation) -> Finish: work outside any transaction, on files for example. It may be done twice
Errand = Callable[[Log, Operation], Awaitable[Finish]]
#: within which an errand is done, or another worker begins it again
LEASE = timedelta(minutes=15)


async def _cancel(unit: Unit, row: Operation, given: Mapping[str, Any]) -> Operation:
    """No further step is taken; what is done stays done."""
    if row.status not in OPEN:
        raise MoveRefused(f"An operation that is {row.status} cannot be cancelled.")
    return unit.update(row, {"status": "cancelled"})


OPERATIONS = Resource(
    row=Operation,
    name="operations",
    read=(
        Operation.id,
        Operation.kind,
        Operation.status,
        Operation.count,
        Operation.progress,
        Operation.result,
        Operation.problem,
        Operation.created_at,
        Operation.updated_at,
    ),
    filter=(Operation.kind, Operation.status),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    actions=(Action("cancel", _cancel, "Take no further step."),),
)


async def begin(
    unit: Unit, kind: str, given: Mapping[str, Any], *, count: int | None = None, finished: bool = False
) -> Operation:
    """Queue an operation with this Unit's commit; `finished`: it was a count and nothing else."""
    values = {"kind": kind, "given": dict(given), "state": {}, "failures": 0, "due_at": unit.now, "count": count}
    if finished:
        values |= {"status": "done", "result": {"dry_run": True}}
    row = await change.create(unit, OPERATIONS, values)
    unit.after.append(unit.log.stir)
    assert isinstance(row, Operation)
    return row


async def watched(unit: Unit, id: UUID, kind: str) -> Operation:
    """An operation whose work is done elsewhere: nobody takes steps of it here, `settle` ends it."""
    never = datetime.max.replace(tzinfo=UTC)
    values = {"id": id, "kind": kind, "given": {}, "state": {}, "failures": 0, "due_at": never}
    row = await change.create(unit, OPERATIONS, values)
    assert isinstance(row, Operation)
    return row


async def cancelled(unit: Unit, id: UUID) -> bool:
    """Whether somebody cancelled a watched operation."""
    return bool(await unit.fetch(CANCELLED, id=id))


def settle(
    unit: Unit, id: UUID, *, result: Mapping[str, Any] | None = None, problem: Mapping[str, Any] | None = None
) -> None:
    """End a watched operation, where there is one that is not over."""
    status = "done" if problem is None else "failed"
    unit.write(SETTLE, [id, status, result, problem])


class Chores:
    """Works operations off. One per working process."""

    def __init__(self, log: Log, jobs: Mapping[str, Job], errands: Mapping[str, Errand]) -> None:
        self._log = log
        self._jobs = jobs
        self._errands = errands
        self._out: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """An operation may be due."""
        self._awake.set()

    async def run(self) -> None:
        """Take steps until cancelled; errands end with it, and are begun again elsewhere when their lease is over."""
        try:
            await self._run()
        finally:
            for task in self._out:
                task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(SWEEP):
                    await self._awake.wait()
            except TimeoutError:
                pass
            self._awake.clear()
            try:
                for row in await self._log.worker.fetch("SELECT tenant_id, id FROM due_operations(100)"):
                    await self.step(row["tenant_id"], row["id"])
            except TROUBLE as error:
                logger.warning("operations.failed", error=repr(error))
                await asyncio.sleep(0.5)

    async def step(self, tenant_id: UUID, id: UUID) -> None:
        """One step of one operation, unless another worker is at it."""
        try:
            async with self._log.unit(tenant_id) as unit:
                row = await _held(unit, id)
                if row is None:
                    return
                if row.kind in self._errands:
                    row = unit.update(row, {"status": "running", "due_at": unit.now + LEASE})
                    unit.after.append(partial(self._send, row))
                    return
                step = await self._jobs[row.kind](unit, row)
                unit.update(row, _after(unit, row, step))
            if not step.finished and step.wait == 0:
                self.wake()
        except (Problem, ValueError, KeyError, asyncpg.PostgresError) as error:
            await self._failed(tenant_id, id, error)

    def _send(self, row: Operation) -> None:
        """Go on an errand, while other steps are taken."""
        task = asyncio.create_task(self._errand(row))
        self._out.add(task)
        task.add_done_callback(self._out.discard)

    async def _errand(self, sent: Operation) -> None:
        try:
            finish = await self._errands[sent.kind](self._log, sent)
            async with self._log.unit(sent.tenant_id) as unit:
                row = await _held(unit, sent.id)
                if row is not None:
                    unit.update(row, _after(unit, row, await finish(unit, row)))
        except (Problem, ValueError, KeyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            await self._failed(sent.tenant_id, sent.id, error)

    async def _failed(self, tenant_id: UUID, id: UUID, error: Exception) -> None:
        """Try a step again some times, then give the operation up with its problem."""
        logger.warning("operation.step_failed", operation_id=str(id), error=repr(error))
        async with self._log.unit(tenant_id) as unit:
            row = await _held(unit, id)
            if row is None:
                return
            final = isinstance(error, Problem) or row.failures + 1 >= TRIES
            detail = error.detail if isinstance(error, Problem) else "a step failed again and again; the log says why"
            code = error.code if isinstance(error, Problem) else "internal_error"
            changes: dict[str, Any] = {
                "failures": row.failures + 1,
                "due_at": unit.now + timedelta(seconds=2**row.failures),
            }
            if final:
                changes |= {"status": "failed", "problem": {"code": code, "detail": detail}}
            unit.update(row, changes)


async def _held(unit: Unit, id: UUID) -> Operation | None:
    table = Operation.__table__
    query = sa.select(table).where(table.c.id == sa.bindparam("id", type_=sa.Uuid()))
    rows = await unit.fetch(statement.compiled(query.with_for_update(skip_locked=True)), id=id)
    return Operation.view(rows[0]) if rows and rows[0]["status"] in OPEN else None


def _after(unit: Unit, row: Operation, step: Step) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "status": "done" if step.finished else "running",
        "progress": row.progress + step.done,
        "failures": 0,
        "due_at": unit.now + timedelta(seconds=step.wait),
    }
    if step.state is not None:
        changes["state"] = dict(step.state)
    if step.count is not None:
        changes["count"] = step.count
    if step.result is not None:
        changes["result"] = dict(step.result)
    return changes
