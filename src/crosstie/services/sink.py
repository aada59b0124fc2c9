"""Calls as a sink: what modules asked for, and what nobody could be told yet, is done by the worker.

A call is a delivery of the event that says it is to be done: leased, tried again, a dead letter in the end. An
uncertain one is resolved first: looked up, where the contract says how, else sent again with the very same key.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from crosstie.db.engine import TROUBLE, Connection
from crosstie.declare.service import Implementation
from crosstie.errors import MoveRefused, Problem, ServiceFault, ServiceUnavailable, ServiceUnconfigured
from crosstie.kit import clock, json, text
from crosstie.log import call as calls
from crosstie.log.call import OVER, ServiceCall, Wish
from crosstie.log.event import Actor, Event
from crosstie.log.operation import cancelled
from crosstie.log.sink import RESTING, Lease, Outcome, Result, Route
from crosstie.log.unit import Log, Unit
from crosstie.services import files
from crosstie.services.caller import Caller
from crosstie.services.gateway import headers
from crosstie.services.peer import Peer, Peers
from crosstie.services.provider import way
from crosstie.services.record import Verdict, judge, note
from crosstie.services.remote import Call

KIND = "service"
#: seconds between attempts of a call: soon, then every minute for a day, so that one that is back is asked at once
SCHEDULE = (5.0, 15.0, 30.0, *[60.0] * 1440)
#: seconds between looks whether somebody provides a service by now
UNNAMED = 300.0
#: for so long services remember keys: after that a change that nobody answered is not sent again
REMEMBERED = timedelta(hours=72)
ABREAST = 16
#: those that say that a call is to be done
TYPES = ("service_call.requested", "service_call.queued", "service_call.retried", "service_call.uncertain")
ELSEWHERE = "It was sent to another provider than the present one, and nobody answered: ask there, then try it again."
NAMED = (
    "SELECT t.tenant_id, t.status, p.service FROM tenants t LEFT JOIN service_providers p ON p.tenant_id = t.tenant_id"
    " WHERE t.tenant_id = ANY ($1::uuid[])"
)


class Undone(Exception):
    """The call is still to be done; the code says why."""

    def __init__(self, code: str, words: str, wait: float | None = None) -> None:
        super().__init__(words)
        self.code = code
        self.wait = wait


class Calls:
    """The sink of calls. One per process."""

    kind = KIND

    def __init__(self, log: Log, peers: Peers, caller: Caller) -> None:
        self._log = log
        self._peers = peers
        self._caller = caller
        self._wants = text.matcher(TYPES)

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """A route per tenant and service with a provider of its own, that none waits for another; one for the rest."""
        rows = await connection.fetch(NAMED, list(tenants))
        status = {row["tenant_id"]: row["status"] for row in rows}
        named: dict[UUID, set[str]] = {tenant: set() for tenant in status}
        for row in rows:
            if row["service"] is not None:
                named[row["tenant_id"]].add(row["service"])
        return [
            self._route(tenant, service, named[tenant], flowing=status[tenant] == "active")
            for tenant in status
            for service in (*sorted(named[tenant]), "")
        ]

    def _route(self, tenant: UUID, service: str, named: set[str], *, flowing: bool) -> Route:
        return Route(
            tenant_id=tenant,
            id=way(tenant, service),
            sink=KIND,
            wants=self._wants,
            passes=partial(_passes, service, frozenset(named)),
            urgent=bool(service),
            flowing=flowing,
            ready=partial(self._ready, tenant, service),
            schedule=SCHEDULE,
            max_in_flight=ABREAST,
        )

    def _ready(self, tenant: UUID, service: str) -> bool:
        return not self._peers.resting(tenant, service)

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Do what a call asks for, unless it is done."""
        started, began = clock.now(), time.perf_counter()
        code = message = wait = None
        try:
            await self._run(lease)
        except Undone as error:
            code, message, wait = error.code, str(error), error.wait
        except ServiceUnconfigured as problem:  # naming one has it looked at at once
            code, message, wait = problem.code, problem.detail, UNNAMED
        except Problem as problem:
            code, message = problem.code, problem.detail
        except TROUBLE as error:
            code, message = "database", type(error).__name__
        duration = round((time.perf_counter() - began) * 1000)
        return Outcome(code is None, started, duration, retry_after=wait, error_code=code, error_message=message)

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Nothing follows here: a call that is given up is told of by its dead letter."""
        return ()

    async def _run(self, lease: Lease) -> None:
        async with self._unit(lease) as unit:
            row = await unit.get(ServiceCall, UUID(lease.event.subject_id), lock=True)
            if row.status == "dead":  # somebody tries its dead letter again
                await calls.take(unit, row, "retry", {})
                return
        if row.status in OVER:
            return
        service, operation = self._log.catalogue.operation(row.operation)
        given = json.loads((row.given or "{}").encode())
        peer = await self._peers.find(lease.tenant_id, service.name)
        unknown = row.unanswered_at is not None or row.status == "running"
        if unknown and row.sent_to not in (None, peer.base_url if peer else None):
            await self._note(lease, row, Verdict("give-up", problem=ServiceFault(ELSEWHERE)), {})
            return
        if peer is not None:
            actor = Actor(row.actor_type, row.actor_id)
            wish = Wish(lease.tenant_id, actor, service, operation, given, row.correlation_id, lease.place)
            await self._remote(lease, row, peer, wish)
            return
        function = self._log.catalogue.providers[service.name].operations.get(operation.name)
        if function is None:
            raise ServiceUnconfigured(f"Crosstie itself has no {row.operation}: name a remote service.")
        await self._builtin(lease, row, function, given)

    # a module of Crosstie

    async def _builtin(
        self, lease: Lease, row: ServiceCall, function: Implementation, given: Mapping[str, Any]
    ) -> None:
        """Its effect and the call's end are one commit."""
        more = {"provider": "builtin", "attempts": row.attempts + 1}
        try:
            async with self._unit(lease, row) as unit:
                held = await unit.get(ServiceCall, row.id, lock=True)
                if held.status in OVER:
                    return
                document = await function(unit, given)
                await note(unit, held, Verdict("complete", document=document), more)
        except Problem as problem:
            if problem.status >= 500:
                raise
            await self._note(lease, row, Verdict("fail", problem=problem), more)

    # a remote service

    async def _remote(self, lease: Lease, row: ServiceCall, peer: Peer, wish: Wish) -> None:
        if peer.rest is not None and peer.rest > 0:
            raise Undone(RESTING, "it failed again and again and is left in peace", peer.rest)
        row = await self._begun(lease, row, peer)
        if row.status in OVER:
            return
        doubtful = row.unanswered_at is not None
        given = files.linked(self._log, wish, row.created_at)
        call = Call(peer, wish.service, wish.operation, given, row.key, headers(wish), doubtful)
        found = await self._found(call) if doubtful else None
        if found is not None:
            await self._note(lease, row, found, {})
            return
        outcome = await self._caller.call(call)
        found = judge(call, outcome)
        await self._note(lease, row, found, {})
        # one that has just become uncertain says so by an event, whose delivery finds out what came of it
        if outcome.code and (found.move != "lose" or doubtful):
            raise Undone(outcome.code, outcome.words, outcome.retry_after)

    async def _begun(self, lease: Lease, row: ServiceCall, peer: Peer) -> ServiceCall:
        """The call as one that is under way. What was so already, by a worker that died, is uncertain."""
        async with self._unit(lease) as unit:
            held = await unit.get(ServiceCall, row.id, lock=True)
            if held.status in OVER:
                return held
            if held.unanswered_at is None and await cancelled(unit, held.id):
                gone = MoveRefused("Its operation was cancelled before it was sent.")
                return await note(unit, held, Verdict("fail", problem=gone), {})
            changes: dict[str, Any] = {"provider": "remote", "attempts": held.attempts + 1, "lease_until": None}
            changes["sent_to"] = peer.base_url
            if held.status == "running" and held.unanswered_at is None:
                changes |= {"status": "uncertain", "unanswered_at": unit.now}
            elif held.unanswered_at is None:
                changes |= {"status": "running"}
            elif held.unanswered_at < unit.now - REMEMBERED and not _told(self._log, held):
                problem = ServiceFault(
                    "Nobody answered in time, and the service may have forgotten the key: ask there."
                )
                return await note(unit, held, Verdict("give-up", problem=problem), {})
            return unit.update(held, changes)

    async def _found(self, call: Call) -> Verdict | None:
        """What an earlier sending of the call made, where the contract says how that is looked up; None: nothing."""
        name = call.operation.found_by
        if name is None:
            return None
        finding = call.service.operation(name)
        given = {key: call.given.get(key) for key in finding.placeholders}
        if None in given.values():
            return None
        look = Call(call.peer, call.service, finding, given, None, call.headers)
        outcome = await self._caller.call(look)
        if outcome.code:
            raise Undone(outcome.code, outcome.words, outcome.retry_after)
        found = judge(look, outcome)
        return found if found.move == "complete" else None

    async def _note(self, lease: Lease, row: ServiceCall, found: Verdict, more: Mapping[str, Any]) -> ServiceCall:
        """Write down what came of it."""
        async with self._unit(lease) as unit:
            held = await unit.get(ServiceCall, row.id, lock=True)
            if held.status in OVER:
                return held
            if found.move == "lose" and held.status == "running":
                return await note(unit, held, found, more)
            if found.move in ("", "lose"):  # still to be done, or still unknown
                state = "pending" if held.unanswered_at is None else "uncertain"
                return unit.update(held, found.changes() | dict(more) | {"status": state})
            return await note(unit, held, found, more)

    def _unit(self, lease: Lease, row: ServiceCall | None = None) -> AbstractAsyncContextManager[Unit]:
        """A Unit that belongs to the request the call came from; with a row in the name of whoever asked."""
        event = lease.event
        actor = Actor("system", "services", frozenset("*"))
        if row is not None:
            actor = Actor(row.actor_type, row.actor_id, frozenset("*"))
        return self._log.unit(
            lease.tenant_id, actor, correlation_id=event.correlation_id, causation_id=event.event_id, trace=lease.place
        )


def _passes(service: str, named: frozenset[str], data: Any) -> bool:
    """Whether the call that an event tells of is this route's, and not in the hands of whoever asks."""
    if data["status"] == "running":
        return False
    return bool(data["service"] == service) if service else data["service"] not in named


def _told(log: Log, row: ServiceCall) -> bool:
    """Whether an earlier sending of the call can be looked up."""
    return log.catalogue.operation(row.operation)[1].found_by is not None


SUBJECT = "SELECT subject_id FROM events WHERE event_id = $1 AND subject_type = 'service_call'"


async def given_up(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """A call whose delivery is dead waits for somebody."""
    if data["failed_event_type"] not in TYPES:
        return
    id = await unit.connection.fetchval(SUBJECT, data["failed_event_id"])
    if id is None:
        return
    row = await unit.get(ServiceCall, UUID(id), lock=True)
    if row.status not in OVER:
        problem = ServiceUnavailable(f"{row.service} could not be asked for too long ({data['cause']}).")
        await note(unit, row, Verdict("give-up", problem=problem), {})
