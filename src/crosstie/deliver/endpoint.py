"""Webhook endpoints: where a tenant's events go, which ones, in which form and how fast."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.deliver import filter, verbs
from crosstie.deliver.row import WebhookEndpoint
from crosstie.deliver.sender import RESERVED
from crosstie.errors import EgressForbidden, Fault, Invalid
from crosstie.kit import json
from crosstie.kit.egress import Forbidden
from crosstie.kit.mask import MASK
from crosstie.log import registry
from crosstie.log.operation import begin
from crosstie.log.unit import Unit

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
VALUE = re.compile(r"[\x20-\x7e]{0,1000}", re.ASCII)
SENDABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)


async def _rule(unit: Unit, before: WebhookEndpoint | None, values: dict[str, Any]) -> None:
    await unit.log.cipher.ready(unit.connection, unit.tenant_id)
    if "url" in values:
        _check_url(unit, values["url"])
    await registry.check(unit, values.get("event_types") or ())
    wrong = [Fault(f"/filter/{key}", "filter", message) for key, message in filter.faults(values.get("filter") or {})]
    wrong += [Fault(f"/headers/{name}", "header", message) for name, message in _headers(values.get("headers") or {})]
    wrong += [Fault(f"/auth/{name}", name, message) for name, message in _credential(values.get("auth") or {})]
    if wrong:
        raise Invalid("A filter, header or credential cannot be used.", errors=wrong)
    id = before.id if before else values["id"]
    if values.get("headers") is not None:
        values |= await _hidden(unit, before, id, values["headers"])
    if values.get("auth") is not None:
        values["auth_secret"] = verbs.seal(unit, id, "auth_secret", values["auth"].pop("secret"))
    if before is None:
        secret = verbs.signing(values.pop("secret", None), values["signature"])
        values["secret"] = verbs.seal(unit, values["id"], "secret", secret)
        unit.shown["secret"] = secret


def _check_url(unit: Unit, url: str) -> None:
    try:
        unit.log.guard.check_url(url)
    except Forbidden as error:
        raise EgressForbidden(str(error), errors=[Fault("/url", "egress_forbidden", str(error))]) from None


def _headers(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a tenant's own headers."""
    found = []
    seen: set[str] = set()
    for name, value in headers.items():
        if name.lower() in seen:
            found.append((name, "stands there twice"))
        seen.add(name.lower())
        if not TOKEN.fullmatch(name):
            found.append((name, "is not the name of a header"))
        elif _ours(name):
            found.append((name, "is set by Crosstie"))
        elif not isinstance(value, str) or not VALUE.fullmatch(value):
            found.append((name, "must be printable text of at most 1000 characters"))
    return found


def _credential(auth: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a credential: what could not be sent is not taken."""
    found = []
    if auth and auth["type"] != "basic" and not SENDABLE.fullmatch(auth["secret"]):
        found.append(("secret", "must be printable ASCII: it goes into a header"))
    if _ours(auth.get("header") or ""):
        found.append(("header", "is set by Crosstie"))
    return found


def _ours(header: str) -> bool:
    name = header.lower()
    return name in RESERVED or name.startswith("webhook-") or name == "content-type"


async def _hidden(unit: Unit, before: WebhookEndpoint | None, id: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The columns of headers: their names, and their values sealed. One that is given as it is shown stays as it is."""
    kept: dict[str, str] = {}
    if before is not None and before.header_values is not None:
        kept = msgspec.json.decode(await verbs.unseal(unit, before, "header_values", before.header_values))
    unknown = [name for name, value in given.items() if value == MASK and name.lower() not in kept]
    if unknown:
        faults = [Fault(f"/headers/{name}", "header", "has no value yet that could stay") for name in unknown]
        raise Invalid("A header has no value.", errors=faults)
    whole = {name.lower(): kept[name.lower()] if value == MASK else value for name, value in given.items()}
    found: dict[str, Any] = {"headers": dict.fromkeys(given, MASK)}
    if whole != kept:
        found["header_values"] = verbs.seal(unit, id, "header_values", json.dumps(whole).decode())
    return found


async def _deleted(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> None:
    """What still waits for it is cancelled, step by step."""
    await begin(unit, "drop", {"endpoint_id": str(row.id)})


async def _enable(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"disabled_reason": None, "failing_since": None}


async def _disable(unit: Unit, row: WebhookEndpoint, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"disabled_reason": "disabled by its owner"}


_SECRET = Field(kinds.Text(200), name="secret", doc="The signing secret; shown this once.")
#: what callers write
WRITTEN = (
    WebhookEndpoint.url,
    WebhookEndpoint.event_types,
    WebhookEndpoint.filter,
    WebhookEndpoint.description,
    WebhookEndpoint.headers,
    WebhookEndpoint.auth,
    WebhookEndpoint.format,
    WebhookEndpoint.ordering,
    WebhookEndpoint.rate_limit,
    WebhookEndpoint.max_in_flight,
    WebhookEndpoint.timeout_seconds,
    WebhookEndpoint.retry_schedule,
)

ENDPOINTS = Resource(
    row=WebhookEndpoint,
    name="webhook-endpoints",
    tier=1,
    most=1000,
    read=(
        WebhookEndpoint.id,
        *WRITTEN,
        WebhookEndpoint.signature,
        WebhookEndpoint.status,
        WebhookEndpoint.disabled_reason,
        WebhookEndpoint.failing_since,
        WebhookEndpoint.created_at,
        WebhookEndpoint.updated_at,
    ),
    write=WRITTEN,
    once=(
        WebhookEndpoint.signature,
        Field(kinds.Text(200), name="secret", doc="A secret of your own.", nullable=True),
    ),
    filter=(WebhookEndpoint.status,),
    machine=Machine(
        WebhookEndpoint.status,
        (
            Move(
                "enable",
                ("disabled", "active"),
                "active",
                "webhook_endpoint.enabled",
                "It hears of events again.",
                run=_enable,
            ),
            Move(
                "disable",
                ("active", "disabled"),
                "disabled",
                "webhook_endpoint.disabled",
                "It hears of events no more.",
                run=_disable,
            ),
        ),
    ),
    actions=verbs.ACTIONS,
    rule=_rule,
    before_delete=_deleted,
    shown_once=(_SECRET,),
    routes=True,
)
