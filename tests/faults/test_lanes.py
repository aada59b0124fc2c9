"""The lanes as a machine: whatever is written, taken, answered, cancelled and tried again, in whatever order.

At most one of a lane is under way, the order is kept where nobody interfered, and nothing is left standing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crosstie.app import Process, opened
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.kit import clock, ids
from crosstie.log import delivery
from crosstie.log.append import QUERIES, columns
from crosstie.log.dispatch import Dispatcher
from crosstie.log.event import Event, read
from crosstie.log.record import APPEND, event, write
from crosstie.log.route import Routes
from crosstie.log.sink import Lease, Outcome, Result, Route
from tests.faults.rig import Rig

T = TypeVar("T")
UNFINISHED = "status IN ('pending', 'delivering', 'retrying')"


class Drawer:
    """A sink with one ordered route per tenant, that wants some of the types."""

    kind = "drawer"

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        return [
            Route(t, UUID(int=t.int ^ 1), self.kind, lambda name: name == "job.created", ordered=True) for t in tenants
        ]

    async def send(self, lease: Lease, route: Route) -> Outcome:
        raise NotImplementedError

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        return []


class Lanes(RuleBasedStateMachine):
    """`desk` is set by the test: a loop, and the parts of a process that works on nothing by itself."""

    runner: asyncio.Runner
    process: Process
    behind: asyncpg.Connection

    def __init__(self) -> None:
        super().__init__()
        self.tenant, self.worker = uuid4(), ids.uuid7()
        self.pool = self.process.log.worker
        self.dispatcher = Dispatcher(self.pool, Routes(self.pool, [Drawer()]), None)
        self.under_way: list[Lease] = []
        self.begun: dict[str, list[int]] = {}
        self.touched = False

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(wanted=st.lists(st.booleans(), min_size=2, max_size=5), held=st.integers(0, 7))
    def begin(self, wanted: list[bool], held: int) -> None:
        self.append("a", wanted)
        self.dispatch(held)

    @rule(subject=st.sampled_from("ab"), wanted=st.lists(st.booleans(), min_size=1, max_size=3))
    def append(self, subject: str, wanted: list[bool]) -> None:
        """Some events, of which the endpoint wants some."""
        made = [
            event("job.created" if want else "job.closed", self.tenant, {}, ("job", subject), clock.now())
            for want in wanted
        ]

        async def work() -> None:
            async with session.of_tenants(self.pool, {self.tenant}) as connection:
                await connection.execute(APPEND, *columns(made, 1))

        self.do(work())

    @rule(held=st.integers(0, 7))
    def dispatch(self, held: int) -> None:
        """A batch, while another dispatcher holds some of the events (every one whose place has its bit set)."""

        async def work() -> None:
            async with self.behind.transaction():
                rows = await self.behind.fetch("SELECT id FROM outbox WHERE tenant_id = $1 ORDER BY id", self.tenant)
                kept = [row["id"] for place, row in enumerate(rows) if held >> (place % 3) & 1]
                await self.behind.fetch("SELECT FROM outbox WHERE id = ANY ($1) FOR UPDATE", kept)
                await self.dispatcher.batch({self.tenant})

        self.do(work())

    @rule()
    def claim(self) -> None:
        """Take what is due."""

        async def work() -> list[asyncpg.Record]:
            async with session.of_tenants(self.pool, {self.tenant}) as connection:
                endpoint = UUID(int=self.tenant.int ^ 1)
                return await connection.fetch(QUERIES["claim"].text, [self.tenant], [endpoint], [10], self.worker)

        for row in self.do(work()):
            found = read(row)
            self.under_way.append(
                Lease(
                    self.tenant, row["delivery_id"], row["endpoint_id"], row["sink"], row["attempts"], found,
                    base=row["base"], lane=row["lane"],
                )
            )  # fmt: skip
            self.begun.setdefault(row["lane"], []).append(found.sequence or 0)

    @precondition(lambda self: self.under_way)
    @rule(status=st.sampled_from(["delivered", "retrying", "dead"]), which=st.integers(0, 5))
    def answer(self, status: str, which: int) -> None:
        lease = self.under_way.pop(which % len(self.under_way))
        outcome = Outcome(status == "delivered", clock.now(), 1, response_status=204, error_code=None)
        result = Result(lease, outcome, status, 0.0 if status == "retrying" else None)

        async def work() -> None:
            async with session.of_tenants(self.pool, {self.tenant}) as connection:
                await write(connection, [result], self.worker, {}, 1)

        self.do(work())

    @rule(which=st.integers(0, 9), cancel=st.booleans())
    def interfere(self, which: int, cancel: bool) -> None:
        """Somebody cancels or retries a delivery that is not under way."""

        async def work() -> bool:
            async with self.process.log.unit(self.tenant) as unit:
                query = "SELECT id, status FROM deliveries WHERE status <> 'delivering' ORDER BY id"
                rows = [
                    row
                    for row in await unit.connection.fetch(query)
                    if not cancel or row["status"] in delivery.UNFINISHED
                ]
                if not rows:
                    return False
                row = await unit.get(delivery.Delivery, rows[which % len(rows)]["id"], lock=True)
                await (delivery.cancel if cancel else delivery.retry)(unit, row, {})
                return True

        self.touched = self.do(work()) or self.touched

    @invariant()
    def one_of_a_lane_is_under_way(self) -> None:
        query = (
            f"SELECT max(n) FROM (SELECT count(*) AS n FROM deliveries WHERE tenant_id = $1 AND {UNFINISHED}"
            " AND due_at IS DISTINCT FROM 'infinity' GROUP BY lane) AS lanes"
        )
        assert (self.do(self.behind.fetchval(query, self.tenant)) or 0) <= 1

    def teardown(self) -> None:
        """Everything comes to an end when all do their work."""
        for _ in range(200):
            self.dispatch(0)
            self.claim()
            if not self.under_way:
                break
            while self.under_way:
                self.answer("delivered", 0)
        left = self.do(
            self.behind.fetch(f"SELECT * FROM deliveries WHERE tenant_id = $1 AND {UNFINISHED}", self.tenant)
        )
        assert not left
        assert not self.do(self.behind.fetchval("SELECT count(*) FROM outbox WHERE tenant_id = $1", self.tenant))
        if not self.touched:
            assert all(begun == sorted(begun) for begun in self.begun.values()), self.begun


@pytest.fixture
def desk(cluster: Rig) -> Iterator[None]:
    """What every machine works with, and no process that would dispatch for it."""
    cluster.close()
    with asyncio.Runner() as runner:
        process = opened(cluster.stage.settings, cluster.stage.dsns, work=False, name="lanes")
        Lanes.runner, Lanes.process = runner, runner.run(process.__aenter__())
        Lanes.behind = runner.run(cluster.stage.superuser())
        yield
        runner.run(Lanes.behind.close())
        runner.run(process.__aexit__(None, None, None))


def _run(examples: int) -> None:
    run_state_machine_as_test(
        Lanes,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.usefixtures("desk")
def test_lanes() -> None:
    _run(20)


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("desk")
def test_lanes_at_length() -> None:
    _run(800)


@pytest.mark.usefixtures("desk")
def test_what_is_tried_again_waits_for_what_is_under_way() -> None:
    lanes = Lanes()
    lanes.append("a", [True, True])
    lanes.dispatch(0)
    lanes.claim()
    lanes.answer("dead", 0)
    lanes.claim()
    assert [lease.event.sequence for lease in lanes.under_way] == [2]
    lanes.interfere(0, cancel=False)
    lanes.one_of_a_lane_is_under_way()
    lanes.claim()
    assert len(lanes.under_way) == 1
    lanes.teardown()
    assert lanes.begun["job:a"] == [1, 2, 1]


@pytest.mark.usefixtures("desk")
def test_an_event_held_elsewhere_holds_back_those_behind_it_and_no_longer() -> None:
    lanes = Lanes()
    lanes.append("a", [False, True])
    lanes.dispatch(1)
    lanes.claim()
    assert not lanes.under_way
    lanes.teardown()
    assert lanes.begun["job:a"] == [2]
