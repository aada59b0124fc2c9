"""The webhook sink: events as signed HTTPS posts (Standard Webhooks 1.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import msgspec
import structlog

from crosstie.access.vault import Vault
from crosstie.db.engine import Connection
from crosstie.deliver import filter, health
from crosstie.deliver.row import SEALED, TABLE
from crosstie.deliver.sender import Request, Response, Sender
from crosstie.kit import clock, text, webhook
from crosstie.kit.crypto import Unsealable
from crosstie.kit.http import basic
from crosstie.log.event import Event
from crosstie.log.sink import Lease, Outcome, Result, Route

#: an endpoint whose attempts all fail for this long is disabled, with an event
PATIENCE = timedelta(days=5)
MOST_WAIT = 86_400.0
logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Target:
    """What a send needs to know of an endpoint."""

    url: str
    headers: dict[str, str]
    format: str
    timeout: float
    signer: webhook.Signer
    old_signer: webhook.Signer | None
    old_until: datetime | None


class Terms(Protocol):
    """What the sink asks of the settings."""

    @property
    def public_url(self) -> str: ...

    @property
    def retry_schedule(self) -> Sequence[float]:
        """Seconds between attempts where an endpoint names none."""
        ...


class Webhooks:
    """The sink of webhook endpoints."""

    kind = "webhook"

    def __init__(self, pool: asyncpg.Pool, vault: Vault, sender: Sender, terms: Terms) -> None:
        self._pool = pool
        self._vault = vault
        self._sender = sender
        self._terms = terms
        #: endpoints that fail, and since when
        self._failing: dict[UUID, datetime] = {}

    async def routes(self, connection: Connection, tenants: Sequence[UUID]) -> list[Route]:
        """The endpoints of these tenants. Those of a suspended tenant wait."""
        await self._vault.load_many(self._pool, set(tenants))
        rows = await connection.fetch(
            "SELECT w.*, t.status AS tenant_status FROM webhook_endpoints w JOIN tenants t ON t.tenant_id = w.tenant_id"
            " WHERE w.tenant_id = ANY ($1::uuid[])",
            list(tenants),
        )
        await self._vault.know(connection, [row[column] for row in rows for column in SEALED if row[column]])
        return [self._route(row, self._target(row)) for row in rows]

    def _route(self, row: asyncpg.Record, target: Target | None) -> Route:
        limit = row["rate_limit"]
        if row["failing_since"] is None:
            self._failing.pop(row["id"], None)
        else:
            self._failing[row["id"]] = row["failing_since"]
        return Route(
            tenant_id=row["tenant_id"],
            id=row["id"],
            sink=self.kind,
            wants=text.matcher(row["event_types"]),
            passes=filter.compiled(row["filter"]) if row["filter"] else None,
            ordered=row["ordering"] == "subject",
            open=row["status"] == "active",
            flowing=target is not None and row["status"] == "active" and row["tenant_status"] == "active",
            max_in_flight=row["max_in_flight"],
            failing=row["failing_since"] is not None,
            schedule=tuple(row["retry_schedule"]) or self._terms.retry_schedule,
            rate=(limit["requests"], float(limit["seconds"])) if limit else None,
            target=target,
        )

    def _target(self, row: asyncpg.Record) -> Target | None:
        """What a send needs; None where a secret does not open, for then nothing is sent."""
        try:
            kept = {
                column: self._vault.open(row["tenant_id"], row[column], TABLE, column, row["id"]).decode()
                for column in SEALED
                if row[column]
            }
        except Unsealable as error:
            logger.error("webhook_endpoint.sealed", endpoint_id=str(row["id"]), error=str(error))
            return None
        credential = _credential(row["auth"], kept["auth_secret"]) if row["auth"] and "auth_secret" in kept else {}
        return Target(
            url=row["url"],
            headers=msgspec.json.decode(kept.get("header_values", "{}"), type=dict[str, str]) | credential,
            format=row["format"],
            timeout=float(row["timeout_seconds"]),
            signer=webhook.signer(kept["secret"]),
            old_signer=webhook.signer(kept["old_secret"]) if "old_secret" in kept else None,
            old_until=row["old_until"],
        )

    async def send(self, lease: Lease, route: Route) -> Outcome:
        """One signed POST."""
        target: Target = route.target
        if target.format == "cloudevents":
            body, media = lease.event.cloudevent(self._terms.public_url), "application/cloudevents+json"
        else:
            body, media = lease.event.envelope(), "application/json"
        signers = [target.signer]
        if target.old_signer is not None and target.old_until is not None and target.old_until > clock.now():
            signers.append(target.old_signer)
        headers = {"content-type": media, "user-agent": "Crosstie-Webhooks/1", **target.headers}
        headers |= webhook.headers(signers, lease.event.event_id, body)
        if lease.place:
            headers["traceparent"] = lease.place
        response = await self._sender.send(Request(target.url, headers, body, target.timeout))
        return _outcome(response, headers, target)

    async def settled(self, connection: Connection, results: Sequence[Result]) -> Sequence[Event]:
        """Note which endpoints fail and since when; disable those that are gone or failed for too long."""
        by_endpoint: dict[tuple[UUID, UUID], list[Result]] = {}
        for result in results:
            by_endpoint.setdefault((result.lease.tenant_id, result.lease.endpoint_id), []).append(result)
        news: list[Event] = []
        for (tenant_id, endpoint_id), own in sorted(by_endpoint.items(), key=lambda each: each[0]):
            if any(result.outcome.response_status == 410 for result in own):
                news += await health.disable(connection, tenant_id, endpoint_id, "the receiver answered 410 Gone")
            elif any(result.status == "delivered" for result in own):
                if endpoint_id in self._failing:
                    await health.recovered(connection, tenant_id, endpoint_id)
            elif endpoint_id not in self._failing:
                await health.failing(connection, tenant_id, endpoint_id)
            elif self._failing[endpoint_id] < clock.now() - PATIENCE:
                news += await health.disable(connection, tenant_id, endpoint_id, "every attempt failed for five days")
        return news


def _credential(auth: Mapping[str, Any], secret: str) -> dict[str, str]:
    """The header that an endpoint's credential stands for."""
    if auth["type"] == "bearer":
        return {"authorization": f"Bearer {secret}"}
    if auth["type"] == "api_key":
        return {(auth["header"] or "x-api-key").lower(): secret}
    return {"authorization": basic(auth["username"], secret)}


def _outcome(response: Response, headers: Mapping[str, str], target: Target) -> Outcome:
    error = response.error
    wait = response.retry_after
    status = response.status
    # what the tenant added may be a secret: it is in the settings, not in every attempt
    sent = {name: "***" if name in target.headers else value for name, value in headers.items()}
    return Outcome(
        ok=response.ok,
        started_at=datetime.fromtimestamp(response.started, UTC),
        duration_ms=response.duration_ms,
        gone=status == 410,
        retry_after=min(wait, MOST_WAIT) if wait is not None else None,
        response_status=status,
        error_code=error.code if error else (None if response.ok else f"http_{status}"),
        error_message=error.message if error else None,
        request_headers=sent,
        response_headers=dict(response.headers),
        response_body=response.body,
    )
