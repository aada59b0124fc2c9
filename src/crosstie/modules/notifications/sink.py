"""The sink of messages: each leaves as the delivery of the event `message.queued`, by the first provider that takes it.

Who is asked is noted on the message before it is asked, what it made of it in the transaction that records the attempt:
a process that dies in between leaves behind who may have taken it, and nobody else is asked then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import structlog

from crosstie.db.engine import TROUBLE, Connection
from crosstie.db.statement import Statement
from crosstie.errors import NotFound, TemplateUnknown
from crosstie.kit import clock
from crosstie.kit.crypto import Unsealable
from crosstie.kit.template import Unusable
from crosstie.log import change, record
from crosstie.log.event import Actor, Event
from crosstie.log.sink import Lease, Outcome, Result, Route
from crosstie.log.unit import Log, Unit
from crosstie.modules.notifications import draft
from crosstie.modules.notifications.address import segments
from crosstie.modules.notifications.follow import Terms
from crosstie.modules.notifications.letter import Letter, Provider, Verdict
from crosstie.modules.notifications.message import CHANNELS, MESSAGES, Message
from crosstie.modules.notifications.provider import Means

ACTOR = Actor("system", "notifications", frozenset("*"))
READY = ("message.queued", "message.requeued")
#: a dead letter that is tried again finds its message failed
OPEN = ("queued", "failed")
NOTE = """
WITH own AS (
  UPDATE messages SET status = $3, reason = $4, provider_message_id = $6, detail = $7, delivery_id = $8,
    provider = CASE WHEN $10 THEN NULL ELSE coalesce($5, provider) END, segments = coalesce($9, segments),
    sent_at = CASE WHEN $3 = 'sent' THEN now() ELSE sent_at END,
    updated_at = now(), revision = revision + 1
  WHERE tenant_id = $1 AND id = $2 AND status IN ('queued', 'failed') RETURNING *),
members AS (
  UPDATE messages m SET status = own.status, reason = own.reason, provider = own.provider, sent_at = own.sent_at,
    updated_at = now(), revision = m.revision + 1
  FROM own WHERE m.tenant_id = $1 AND m.digest_id = own.id AND m.status = 'collected' AND own.status <> 'queued'
  RETURNING m.*)
SELECT * FROM own UNION ALL SELECT * FROM members
"""
#: notes who is asked, for whoever still has the delivery
ASKED = Statement(
    "UPDATE messages SET provider = $2::text, updated_at = now(), revision = revision + 1 WHERE id = $1::uuid"
    " AND EXISTS (SELECT FROM deliveries WHERE id = $3::uuid AND attempts = $4::bigint) RETURNING true",
    ["id", "provider", "delivery", "number"],
)
logger = structlog.get_logger()


class Messages:
    """Messages leave. One route per tenant and channel, so that none waits for another."""

    kind = "message"

    def __init__(self, log: Log, means: Means, terms: Terms) -> None:
        self._log = log
        self._means = means
        self._terms = terms

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """A route per tenant and channel; those of a suspended tenant wait."""
        rows = await connection.fetch(
            "SELECT tenant_id FROM tenants WHERE tenant_id = ANY ($1::uuid[]) AND status = 'active'", tenants
        )
        active = {row["tenant_id"] for row in rows}
        return [self._route(tenant, channel, tenant in active) for tenant in tenants for channel in CHANNELS[:-1]]

    def _route(self, tenant: UUID, channel: str, active: bool) -> Route:
        return Route(
            tenant_id=tenant,
            id=uuid5(tenant, f"messages {channel}"),
            sink=self.kind,
            wants=READY.__contains__,
            passes=_going(channel),
            urgent=False,
            flowing=active,
            schedule=self._terms.retry_schedule,
            max_in_flight=8,
            rate=(self._terms.rate_limit_messages, 60.0),
            target=channel,
            name=f"messages by {channel}",
        )

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """Have a message sent by the first provider that takes it."""
        started, begun = clock.now(), time.perf_counter()
        said: dict[str, str] = {}
        try:
            async with self._log.unit(lease.tenant_id, ACTOR) as unit:
                row = await unit.get(Message, UUID(lease.event.subject_id or ""), lock=True)
                ready = await self._ready(unit, row)
                if not isinstance(ready, Verdict) and not await _asked(unit, lease, ready[1][0]):
                    ready = Verdict(False, "lost", "another worker has it")
            if isinstance(ready, Verdict):
                verdict = ready
            else:
                name, verdict = await self._tried(lease, *ready)
                said = _said(name, verdict, ready[0], doubtful=row.provider is not None)
        except NotFound:
            verdict = Verdict(True, "obsolete")
        except (*TROUBLE, Unsealable) as error:
            verdict = Verdict(False, "database", type(error).__name__)
        return Outcome(
            ok=verdict.ok,
            started_at=started,
            duration_ms=round((time.perf_counter() - begun) * 1000),
            gone=verdict.final,
            response_status=verdict.status,
            error_code=verdict.code,
            error_message=verdict.message,
            response_headers=said,
        )

    async def _ready(self, unit: Unit, row: Message) -> tuple[Letter, list[Provider]] | Verdict:
        """The letter with its providers; or why there is nothing to send."""
        if row.status not in OPEN:
            return Verdict(True, row.status)
        if (reason := await draft.unwanted(unit, row)) is not None:
            return Verdict(True, reason)
        providers = await self._means.providers(unit, row.channel)
        if row.provider is not None:  # it may have taken it already: nobody else is asked
            providers = [each for each in providers if each.name == row.provider]
        if not providers:  # what follows from an event is for those who set a channel up; what was asked for is not
            asked = row.event_id is None
            return Verdict(not asked, "no_provider", f"there is no provider for {row.channel}", final=asked)
        try:
            letter = await draft.letter(unit, row)
        except (Unusable, TemplateUnknown) as error:
            return Verdict(False, "template", str(error)[:300], final=True)
        return (letter, providers) if letter is not None else Verdict(True, "obsolete")

    async def _tried(self, lease: Lease, letter: Letter, providers: Sequence[Provider]) -> tuple[str, Verdict]:
        """Ask one provider after the other, until one takes it, none ever will, or one may have. The first is noted."""
        name, verdict = "", Verdict(False)
        for provider in providers:
            if name and not await self._next(lease, provider):
                break
            name, verdict = provider.name, await provider.send(letter)
            if verdict.ok or verdict.final or verdict.uncertain:
                break
            logger.info("message.refused", message_id=str(letter.id), provider=name, code=verdict.code)
        return name, verdict

    async def _next(self, lease: Lease, provider: Provider) -> bool:
        """Whether a further provider may be asked, which is noted then."""
        try:
            async with self._log.unit(lease.tenant_id, ACTOR) as unit:
                await unit.get(Message, UUID(lease.event.subject_id or ""), lock=True)
                return await _asked(unit, lease, provider)
        except TROUBLE:
            return False

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Note on each message what became of it, and on those of a digest that they went with it."""
        news: list[Event] = []
        for result in results:
            lease = result.lease
            rows = await connection.fetch(
                NOTE, lease.tenant_id, UUID(lease.event.subject_id or ""), *_noted(result.status, result.outcome),
                lease.delivery_id, _parts(result.outcome), _refused(result.outcome),
            )  # fmt: skip
            news += [self._news(row) for row in rows if row["status"] != "queued"]
        return news

    def _news(self, row: asyncpg.Record) -> Event:
        message = Message.view(row)
        data = change.fact(MESSAGES, message, self._log)
        subject = change.subject(MESSAGES, message.id)
        return record.event(f"message.{message.status}", message.tenant_id, data, subject, clock.now())


def _going(channel: str) -> Callable[[Any], bool]:
    return lambda data: data["channel"] == channel


async def _asked(unit: Unit, lease: Lease, provider: Provider) -> bool:
    """Note that a provider is about to be asked; False where the delivery has gone to another worker."""
    values = {"id": UUID(lease.event.subject_id or ""), "provider": provider.name}
    return bool(await unit.fetch(ASKED, **values, delivery=lease.delivery_id, number=lease.number))


def _said(name: str, verdict: Verdict, letter: Letter, *, doubtful: bool) -> dict[str, str]:
    """What the record of an attempt says of the provider. `doubtful`: it may have taken the message earlier."""
    found = {"provider": name, "provider-message-id": verdict.provider_message_id or ""}
    if verdict.uncertain or (doubtful and not verdict.ok):
        found["uncertain"] = "true"
    if letter.channel == "sms":
        found["segments"] = str(segments(letter.content.short))
    return {key: value for key, value in found.items() if value}


def _noted(status: str, outcome: Outcome) -> tuple[str, str | None, str | None, str | None, str | None]:
    """Status, reason, provider, its id of the message, what it said."""
    said: Mapping[str, str] = outcome.response_headers or {}
    ended = {"delivered": "suppressed" if outcome.error_code else "sent", "dead": "failed"}.get(status, "queued")
    provider = said.get("provider") if ended == "sent" or "uncertain" in said else None
    detail = (outcome.error_message or "")[:500] or None
    return ended, outcome.error_code, provider, said.get("provider-message-id"), detail


def _parts(outcome: Outcome) -> int | None:
    said: Mapping[str, str] = outcome.response_headers or {}
    return int(said["segments"]) if "segments" in said else None


def _refused(outcome: Outcome) -> bool:
    """Whether all who were asked surely sent nothing."""
    said = outcome.response_headers or {}
    return not outcome.ok and "provider" in said and "uncertain" not in said
