"""Inbound sources: who may knock at which address, and how he proves it is him."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, data, moment, text
from crosstie.declare.resource import Action, Resource
from crosstie.declare.row import Record
from crosstie.declare.sealed import sealed
from crosstie.declare.shape import Shape
from crosstie.deliver.inbound.dialect import DIALECTS, IPS, Dialect
from crosstie.errors import EgressForbidden, Fault, Invalid
from crosstie.kit import crypto, ids
from crosstie.kit.egress import Forbidden
from crosstie.log import change
from crosstie.log.unit import Unit

TABLE = "inbound_sources"
SEALED = ("secret", "old_secret")
#: of the key that tokens are hashed with
LABEL = "inbound-sources"
#: some providers take no address in which one of these stands, wherever it does (M-Pesa)
UNWELCOME = ("mpesa", "safaricom", "sql", "query", "exe", "cmd")
SHAPES = {name: Shape((*each.options, IPS)) for name, each in DIALECTS.items()}


class InboundSource(Record):
    """A party whose webhooks come in, at an address of its own."""

    __tablename__ = TABLE
    __table_args__ = ({"info": {"reach": "batch", "batch": "SELECT"}},)

    name: Mapped[str] = text(100, min=1, doc="What it is.")
    dialect: Mapped[str] = choice(*DIALECTS, doc="How its requests prove themselves.")
    options: Mapped[dict[str, Any]] = data(doc="What the dialect leaves open; see the reference of dialects.")
    secret_at: Mapped[datetime | None] = moment(doc="When its secret was set; null: it has none.", nullable=True)
    old_until: Mapped[datetime | None] = moment(doc="Until when the secret before works, too.", nullable=True)
    url_until: Mapped[datetime | None] = moment(doc="Until when the address before works, too.", nullable=True)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary, index=True)
    old_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary, index=True)
    secret: Mapped[bytes | None] = sealed(nullable=True)
    old_secret: Mapped[bytes | None] = sealed(nullable=True)


async def _rule(unit: Unit, before: InboundSource | None, values: dict[str, Any]) -> None:
    dialect = DIALECTS[before.dialect if before else values["dialect"]]
    if "options" in values:
        values["options"] = _options(unit, dialect, values["options"])
    if before is None:
        await unit.log.cipher.ready(unit.connection, unit.tenant_id)
        values["hash"] = _address(unit)
        values |= _secret(unit, dialect, values["id"], values.pop("secret", None))


def _options(unit: Unit, dialect: Dialect, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were sent, checked. Raises Invalid, EgressForbidden."""
    faults: list[Fault] = []
    found = SHAPES[dialect.name].read(given, "/options", faults)
    for number, network in enumerate(found.get("ips") or ()):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            faults.append(Fault(f"/options/ips/{number}", "ip", "must be an address or a network"))
    if "{timestamp}" in (found.get("signed") or "") and not found.get("timestamp_header"):
        faults.append(Fault("/options/timestamp_header", "required", "must name the header that `signed` asks for"))
    if faults:
        raise Invalid("The options break their schema.", errors=faults)
    if "base_url" in found:
        try:
            unit.log.guard.check_url(found["base_url"])
        except Forbidden as error:
            fault = Fault("/options/base_url", "egress_forbidden", str(error))
            raise EgressForbidden(str(error), errors=[fault]) from None
    return {name: found[name] for name in given}


def _address(unit: Unit) -> bytes:
    """The keyed hash of a new token; the address itself is left with the unit, to be shown once."""
    token = ids.token("in")
    while any(word in token.lower() for word in UNWELCOME):
        token = ids.token("in")
    unit.shown["url"] = f"{unit.log.address}/hooks/{token}"
    return crypto.digest(unit.log.cipher.derive(LABEL), token)


def _secret(unit: Unit, dialect: Dialect, id: Any, given: str | None) -> dict[str, Any]:
    """The columns of a secret; where none is given, one is made if that is ours to do."""
    secret = given or (dialect.generate() if dialect.generate else "")
    unit.shown["secret"] = secret
    if not secret:
        return {}
    try:
        if dialect.check:
            dialect.check(secret)
    except ValueError as error:
        raise Invalid("The secret cannot be used.", errors=[Fault("/secret", "secret", str(error))]) from None
    return {"secret": unit.log.cipher.seal(unit.tenant_id, secret.encode(), TABLE, "secret", id), "secret_at": unit.now}


async def _rotate(unit: Unit, row: InboundSource, given: Mapping[str, Any]) -> InboundSource:
    """Give it another secret, or its first; the one before works until the overlap is over."""
    dialect, cipher = DIALECTS[row.dialect], unit.log.cipher
    await cipher.ready(unit.connection, unit.tenant_id)
    if given.get("secret") is None and dialect.generate is None:
        raise Invalid("The provider makes the secret.", errors=[Fault("/secret", "required", "must be sent")])
    fresh = _secret(unit, dialect, row.id, given.get("secret")) | {"old_secret": None, "old_until": None}
    if row.secret is not None and given["overlap_seconds"]:
        kept = await cipher.unseal(unit.connection, unit.tenant_id, row.secret, TABLE, "secret", row.id)
        fresh["old_secret"] = cipher.seal(unit.tenant_id, kept, TABLE, "old_secret", row.id)
        fresh["old_until"] = unit.now + timedelta(seconds=given["overlap_seconds"])
    after = unit.update(row, fresh)
    change.tell(unit, INBOUND_SOURCES, "inbound_source.secret_rotated", after)
    return after


async def _renew(unit: Unit, row: InboundSource, given: Mapping[str, Any]) -> InboundSource:
    """Give it another address; the one before works until the overlap is over."""
    until = unit.now + timedelta(seconds=given["overlap_seconds"])
    after = unit.update(row, {"hash": _address(unit), "old_hash": row.hash, "url_until": until})
    change.tell(unit, INBOUND_SOURCES, "inbound_source.url_renewed", after)
    return after


def _overlap(what: str) -> Field:
    return Field(
        kinds.Integer(0, 604_800), name="overlap_seconds", doc=f"How long the old {what} works.", default=86_400
    )


_GIVEN = Field(kinds.Text(2000, min=1), name="secret", doc="The shared secret.", nullable=True, write_only=True)
INBOUND_SOURCES = Resource(
    row=InboundSource,
    name="inbound-sources",
    tier=1,
    read=(
        InboundSource.id,
        InboundSource.name,
        InboundSource.dialect,
        InboundSource.options,
        InboundSource.secret_at,
        InboundSource.old_until,
        InboundSource.url_until,
        InboundSource.created_at,
        InboundSource.updated_at,
    ),
    write=(InboundSource.name, InboundSource.options),
    once=(InboundSource.dialect, _GIVEN),
    filter=(InboundSource.dialect, InboundSource.name),
    sort=(InboundSource.name,),
    rule=_rule,
    actions=(
        Action(
            "rotate-secret",
            _rotate,
            "A source got another secret; the one before works until the overlap is over.",
            given=(_GIVEN, _overlap("secret")),
            events=("inbound_source.secret_rotated",),
        ),
        Action(
            "renew-url",
            _renew,
            "A source got another address; the one before works until the overlap is over.",
            given=(_overlap("address"),),
            events=("inbound_source.url_renewed",),
        ),
    ),
    shown_once=(
        Field(kinds.Text(2000, format="uri"), name="url", doc="Where its requests go; shown this once."),
        Field(kinds.Text(2000), name="secret", doc="Its secret, shown this once; empty where it has none yet."),
    ),
)
