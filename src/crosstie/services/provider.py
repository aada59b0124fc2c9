"""Service providers: who provides a service to a tenant, a module of Crosstie or a remote service, and how it does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.event import EventType
from crosstie.declare.field import Field, choice, integer, moment, text
from crosstie.declare.resource import Action, Events, Resource
from crosstie.declare.row import Record
from crosstie.declare.sealed import sealed
from crosstie.declare.shape import Nested, Shape, fault
from crosstie.errors import EgressForbidden, Fault, NotFound, StillReferenced
from crosstie.kit.egress import Forbidden
from crosstie.kit.http import PRINTABLE
from crosstie.log import change
from crosstie.log.unit import Log, Unit

TABLE = "service_providers"
STIR = Statement(
    "UPDATE deliveries SET due_at = now() WHERE tenant_id = $1::uuid AND endpoint_id = ANY ($2::uuid[])"
    " AND status = 'retrying' AND due_at > now()",
    ["tenant", "ways"],
)
WAITING = Statement(
    "SELECT id FROM service_calls WHERE service = $1::text AND status IN ('pending', 'running', 'uncertain') LIMIT 1",
    ["service"],
)
#: headers that no credential may be
RESERVED = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "content-type", "idempotency-key", "x-tenant-id")
)
TYPES = ("none", "bearer", "api_key", "basic", "oauth2")


class Auth(Nested):
    """A credential for the service. The secret comes in; what is shown does not hold it."""

    def schema(self) -> dict[str, Any]:
        found = super().schema()
        found["properties"]["secret"]["writeOnly"] = True
        found["required"] = ["type"]
        return found


def _word(name: str, doc: str, most: int = 200, **more: Any) -> Field:
    return Field(kinds.Text(most, **more), name=name, doc=doc, nullable=True)


AUTH = Auth(
    (
        Field(kinds.Choice(TYPES), name="type", doc="How Crosstie shows who it is."),
        _word("secret", "Token, key, password or client secret.", 16_000, min=1),
        _word("username", "With basic: the name; without it the secret is `name:password`."),
        _word("header", "With api_key: the header, X-API-Key unless given.", 100, pattern=r"^[A-Za-z0-9-]+$"),
        _word("token_url", "With oauth2: where tokens are had for client credentials.", 2000, format="uri"),
        _word("client_id", "With oauth2: the client."),
        _word("scope", "With oauth2: what the tokens are to allow.", 1000),
    )
)


def _nobody() -> dict[str, Any]:
    return {"type": "none"}


class ServiceProvider(Record):
    """Who provides a service to the tenant, and how a remote one does."""

    __tablename__ = TABLE
    __table_args__ = ({"info": {"reach": "batch", "batch": "SELECT"}},)

    service: Mapped[str] = text(60, doc="Which service.")
    mode: Mapped[str] = choice("builtin", "remote", doc="A module of Crosstie, or a remote service.")
    base_url: Mapped[str | None] = text(
        2000, min=8, format="uri", doc="Where the remote one is: the contract's paths follow it.", nullable=True
    )
    auth: Mapped[dict[str, Any]] = mapped_column(
        sa.dialects.postgresql.JSONB,
        info={"field": Field(AUTH, doc="A credential for it; its secret is never shown.", default=_nobody)},
    )
    auth_secret: Mapped[bytes | None] = sealed(nullable=True)
    failures: Mapped[int] = integer(doc="Calls that failed one after the other.", default=0)
    open_until: Mapped[datetime | None] = moment(doc="Until when it is left in peace.", nullable=True)
    #: who may ask first after that has until then to do so
    probe_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    reason: Mapped[str | None] = text(300, doc="Why the last call failed.", nullable=True)
    failed_at: Mapped[datetime | None] = moment(doc="When a call failed last.", nullable=True)
    succeeded_at: Mapped[datetime | None] = moment(doc="When it answered last, to the minute.", nullable=True)


async def _rule(unit: Unit, before: ServiceProvider | None, values: dict[str, Any]) -> None:
    name = before.service if before else values["service"]
    if name not in unit.log.catalogue.services:
        raise NotFound(f"There is no service {name}.")
    sent = values.pop("auth", None) or _nobody()
    auth, secret = {word: sent.get(word) for word in AUTH.shape.fields if word != "secret"}, sent.get("secret")
    if values["mode"] == "builtin":
        if name not in unit.log.catalogue.providers:
            raise fault("/mode", "mode", f"Crosstie has no module of its own for {name}")
        values["base_url"], auth, secret = None, dict.fromkeys(auth) | _nobody(), None
    else:
        _check(unit, values, auth, secret)
    _stir(unit, name)
    # the breaker is about the service that was asked so far
    fresh = {"failures": 0, "open_until": None, "probe_until": None, "reason": None}
    values |= fresh | {"auth": auth, "auth_secret": None}
    if secret is not None:
        id = before.id if before else values["id"]
        await unit.log.cipher.ready(unit.connection, unit.tenant_id)
        values["auth_secret"] = unit.log.cipher.seal(unit.tenant_id, secret.encode(), TABLE, "auth_secret", id)


def _check(unit: Unit, values: Mapping[str, Any], auth: Mapping[str, Any], secret: str | None) -> None:
    if not values.get("base_url"):
        raise fault("/base_url", "required", "a remote service has a base_url")
    if "?" in values["base_url"]:
        raise fault("/base_url", "query", "must not have a query string: paths follow it")
    _callable(unit, values["base_url"], "/base_url")
    if (auth["type"] == "none") != (secret is None):
        raise fault("/auth/secret", "secret", "must be sent, but with the type none")
    if auth["type"] in ("bearer", "api_key") and not PRINTABLE.fullmatch(secret or ""):
        raise fault("/auth/secret", "secret", "must be printable ASCII: it goes into a header")
    if (auth.get("header") or "").lower() in RESERVED:
        raise fault("/auth/header", "header", "is set by Crosstie")
    named = ":" in (secret or "")
    wanted = {"basic": () if named else ("username",), "oauth2": ("token_url", "client_id")}.get(auth["type"], ())
    for name in wanted:
        if not auth.get(name):
            raise fault(f"/auth/{name}", "required", f"must be sent with {auth['type']}")
    if auth.get("token_url"):
        _callable(unit, auth["token_url"], "/auth/token_url")


def _callable(unit: Unit, url: str, pointer: str) -> None:
    try:
        unit.log.guard.check_url(url)
    except Forbidden as error:
        raise EgressForbidden(str(error), errors=[Fault(pointer, "egress_forbidden", str(error))]) from None


def way(tenant_id: UUID, service: str) -> UUID:
    """The id under which calls of a service wait; with "" those of services that the tenant named no provider for."""
    return uuid5(tenant_id, f"calls of {service}")


def _stir(unit: Unit, service: str) -> None:
    """Have calls that wait for it tried now."""
    unit.write(STIR, [unit.tenant_id, [way(unit.tenant_id, service), way(unit.tenant_id, "")]])
    unit.after.append(unit.log.poke)


async def _idle(unit: Unit, row: ServiceProvider, given: Mapping[str, Any]) -> None:
    """What waits for it must not be left without a way."""
    if await unit.fetch(WAITING, service=row.service):
        raise StillReferenced(f"Calls of {row.service} are not done yet: name another provider, or wait for them.")


def _state(row: ServiceProvider, log: Log | Unit) -> dict[str, Any]:
    """Where its breaker stands."""
    return {"breaker": "open" if row.open_until is not None else "closed"}


async def _reset(unit: Unit, row: ServiceProvider, given: Mapping[str, Any]) -> ServiceProvider:
    """Ask it again at once."""
    _stir(unit, row.service)
    return unit.update(row, {"failures": 0, "open_until": None, "probe_until": None})


_BREAKER = Field(
    kinds.Choice(("closed", "open")), name="breaker", doc="Whether it is asked (closed) or left in peace (open)."
)
PROVIDERS = Resource(
    row=ServiceProvider,
    name="service-providers",
    tier=1,
    read=(
        ServiceProvider.id,
        ServiceProvider.service,
        ServiceProvider.mode,
        ServiceProvider.base_url,
        ServiceProvider.auth,
        ServiceProvider.failures,
        ServiceProvider.open_until,
        ServiceProvider.reason,
        ServiceProvider.failed_at,
        ServiceProvider.succeeded_at,
        ServiceProvider.created_at,
        ServiceProvider.updated_at,
    ),
    write=(ServiceProvider.mode, ServiceProvider.base_url, ServiceProvider.auth),
    filter=(ServiceProvider.mode,),
    keyed=ServiceProvider.service,
    verbs=frozenset(("list", "retrieve", "put", "delete")),
    rule=_rule,
    before_delete=_idle,
    extra=_state,
    extra_fields=(_BREAKER,),
    actions=(Action("reset", _reset, "Ask a service again that is left in peace."),),
    events=Events(),
    routes=True,
)

_TOLD = (
    Field(kinds.Id(), name="service_provider_id", doc="The provider."),
    Field(kinds.Text(60), name="service", doc="Which service."),
    Field(kinds.Integer(0), name="failures", doc="Calls that failed one after the other."),
    Field(kinds.Text(300), name="reason", doc="Why the last one failed.", nullable=True),
)


def _told(name: str, summary: str, example: Mapping[str, Any]) -> EventType:
    return EventType(
        name,
        summary,
        Shape(_TOLD).schema(output=True),
        {"service_provider_id": "01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e", "service": "treasury"} | dict(example),
        subject="service_provider",
        subject_field="service_provider_id",
    )


OPENED = _told(
    "service_provider.opened",
    "A remote service failed again and again: it is left in peace for a while.",
    {"failures": 5, "reason": "http_503"},
)
CLOSED = _told("service_provider.closed", "A remote service answers again.", {"failures": 0, "reason": None})


def tell(unit: Unit, event: EventType, row: Mapping[str, Any]) -> None:
    """Append an event about a breaker."""
    data = {"service_provider_id": row["id"], "service": row["service"]}
    data |= {"failures": row["failures"], "reason": row["reason"]}
    unit.append(event.name, data, change.subject(PROVIDERS, row["id"]))
