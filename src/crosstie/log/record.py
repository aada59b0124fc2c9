"""Recording results in one transaction: attempts, statuses, dead letters, the next in each lane, what sinks learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from crosstie.db import session, statement
from crosstie.db.engine import Connection
from crosstie.kit import ids, json
from crosstie.log import queue
from crosstie.log.append import QUERIES, columns
from crosstie.log.event import Event
from crosstie.log.sink import Result, Sink

APPEND = statement.joined((QUERIES["append"],))
BURY = (
    "INSERT INTO dead_letters (tenant_id, id, source, event, event_type, endpoint_id, cause, attempts, first_at,"
    " last_at, status) SELECT d.tenant_id, d.id, g.source, g.event, d.event_type, d.endpoint_id, g.cause, d.attempts,"
    " d.created_at, g.at, 'dead'"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::json[], $5::text[], $6::timestamptz[])"
    " AS g (tenant_id, id, source, event, cause, at)"
    " JOIN deliveries d ON d.tenant_id = g.tenant_id AND d.id = g.id ON CONFLICT (tenant_id, id) DO UPDATE"
    " SET cause = excluded.cause, attempts = excluded.attempts, last_at = excluded.last_at"
)


async def write(
    connection: Connection, results: Sequence[Result], worker: UUID, sinks: Mapping[str, Sink], epoch: int
) -> bool:
    """Record results in the caller's transaction, set to BY_KEYS. Answers whether anything became claimable."""
    done = await connection.fetch(QUERIES["record"].text, *arguments(results, worker))
    held = {row["id"] for row in done}
    results = [result for result in results if result.lease.delivery_id in held]
    news: list[Event] = []
    dead = [result for result in results if result.status == "dead"]
    lanes = [(row["tenant_id"], row["endpoint_id"], row["lane"]) for row in done if row["lane"] is not None]
    if dead or lanes:
        await connection.execute(session.BY_KEY)
    if dead:
        await _bury(connection, dead)
        # a death notice that dies makes no further notice: an endpoint that takes all types would never come to rest
        news += [_dead(result) for result in dead if result.lease.event.type != "delivery.dead"]
    for kind, sink in sinks.items():
        own = [result for result in results if result.lease.sink == kind]
        if own:
            news += await sink.settled(connection, own)
    if news:
        await connection.execute(APPEND, *columns(news, epoch))
    return await queue.promote(connection, lanes) > 0


def arguments(results: Sequence[Result], worker: UUID) -> list[object]:
    """$1 … $14 of `record`."""
    leases = [result.lease for result in results]
    outcomes = [result.outcome for result in results]
    deliveries = [lease.delivery_id for lease in leases]
    return [
        [lease.tenant_id for lease in leases],
        deliveries,
        [lease.number for lease in leases],
        worker,
        [result.status for result in results],
        [result.wait for result in results],
        [outcome.started_at for outcome in outcomes],
        [outcome.duration_ms for outcome in outcomes],
        [outcome.response_status for outcome in outcomes],
        [outcome.error_code for outcome in outcomes],
        [outcome.error_message for outcome in outcomes],
        [_text(outcome.request_headers) for outcome in outcomes],
        [_text(outcome.response_headers) for outcome in outcomes],
        [outcome.response_body for outcome in outcomes],
    ]


def _text(headers: Mapping[str, str] | None) -> str | None:
    return json.dumps(headers).decode() if headers is not None else None


async def _bury(connection: Connection, dead: Sequence[Result]) -> None:
    """A dead letter keeps its own copy of the event, for longer than the log does."""
    await connection.execute(
        BURY,
        [result.lease.tenant_id for result in dead],
        [result.lease.delivery_id for result in dead],
        [result.lease.sink for result in dead],
        [result.lease.event.envelope().decode() for result in dead],
        [cause(result) for result in dead],
        [result.outcome.started_at for result in dead],
    )


def cause(result: Result) -> str:
    """Why a delivery was given up, in a word or two."""
    outcome = result.outcome
    return outcome.error_code or f"http_{outcome.response_status}"


def _dead(result: Result) -> Event:
    lease = result.lease
    data = {
        "delivery_id": lease.delivery_id,
        "endpoint_id": lease.endpoint_id,
        "failed_event_id": lease.event.event_id,
        "failed_event_type": lease.event.type,
        "attempts": lease.number,
        "cause": cause(result),
    }
    return event(
        "delivery.dead", lease.tenant_id, data, ("delivery", str(lease.delivery_id)), result.outcome.started_at
    )


def event(type: str, tenant_id: UUID, data: Mapping[str, object], subject: tuple[str, str], at: datetime) -> Event:
    """An event that Crosstie itself makes, outside any request."""
    id = ids.uuid7()
    return Event(
        tenant_id=tenant_id,
        id=id,
        event_id=str(id),
        type=type,
        version=1,
        at=at,
        data=msgspec.json.encode(data).decode(),
        subject_type=subject[0],
        subject_id=subject[1],
    )
