"""Providers: whom a tenant has its messages sent by, in the order in which they are tried."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, data, integer, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.sealed import sealed
from crosstie.declare.shape import fault
from crosstie.errors import EgressForbidden, Fault
from crosstie.kit import webhook
from crosstie.kit.blob import Blobs
from crosstie.kit.egress import Forbidden, Guard
from crosstie.kit.fetch import Fetcher
from crosstie.kit.resolver import Resolver
from crosstie.log.sink import house_way
from crosstie.log.unit import Unit
from crosstie.modules.notifications.carrier import CARRIERS
from crosstie.modules.notifications.http import Http
from crosstie.modules.notifications.letter import Provider
from crosstie.modules.notifications.message import CHANNELS
from crosstie.modules.notifications.smtp import Server, Smtp
from crosstie.modules.notifications.watched import Observe, Watched

TABLE = "notification_providers"
SMTP = "smtp"
#: whether plain SMTP is spoken is for the operator to allow, by the networks that he opens
SCHEMES = ("smtp", "smtps")


class NotificationProvider(Record):
    """An account at a provider that sends messages. Its secret comes in, and is never shown."""

    __tablename__ = TABLE

    name: Mapped[str] = text(100, min=1, doc="What it is called in messages and attempts.")
    channel: Mapped[str] = choice(*CHANNELS[:-1], doc="Which messages it sends.")
    kind: Mapped[str] = choice(SMTP, *CARRIERS, doc="How it is spoken to.")
    url: Mapped[str | None] = text(
        2000, nullable=True, format="uri",
        doc="Of smtp: the server, smtp://host:587 (STARTTLS) or smtps://host:465. Else its usual address counts.",
    )  # fmt: skip
    options: Mapped[dict[str, Any]] = data(
        keys=20, doc="`sender`: the address, number or name that messages come from; `account`: the user or account."
    )
    position: Mapped[int] = integer(min=0, max=1000, default=0, doc="The lowest is tried first.")
    status: Mapped[str] = choice("active", "disabled", default="active", doc="Whether it is used.")
    secret: Mapped[bytes | None] = sealed(nullable=True)


async def _rule(unit: Unit, before: NotificationProvider | None, values: dict[str, Any]) -> None:
    row = (before.__dict__ if before else {}) | values
    carrier = CARRIERS.get(row["kind"])
    if row["channel"] not in (carrier.channels if carrier else ("email",)):
        raise fault("/channel", "channel", f"{row['kind']} does not send these")
    for name in carrier.options if carrier else ("sender",):
        if not isinstance(row["options"].get(name), str) or not row["options"][name]:
            raise fault(f"/options/{name}", "required", f"{row['kind']} needs it")
    if carrier is None:
        _server(row)
    elif row.get("url"):
        try:
            unit.log.guard.check_url(row["url"])
        except Forbidden as error:
            raise EgressForbidden(str(error), errors=[Fault("/url", "egress_forbidden", str(error))]) from None
    secret = values.pop("secret", None)
    if row["kind"] == "webhook" and (secret is not None or before is None):
        _signing(secret)
    if secret is not None:
        await unit.log.cipher.ready(unit.connection, unit.tenant_id)
        values["secret"] = unit.log.cipher.seal(unit.tenant_id, secret.encode(), TABLE, "secret", row["id"])


def _signing(secret: str | None) -> None:
    try:
        webhook.signer(secret or "")
    except ValueError:
        raise fault("/secret", "secret", "must be a signing secret: whsec_ and 24 to 64 bytes in base64") from None


def _server(row: Mapping[str, Any]) -> None:
    parts = urlsplit(row.get("url") or "")
    try:
        usable = parts.scheme in SCHEMES and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.path or parts.query not in ("", "security=none"):
        raise fault("/url", "server", "must be smtp://host:port or smtps://host:port; the name goes into options")
    if not kinds.Text(254, format="email").takes(row["options"]["sender"]):
        raise fault("/options/sender", "email", "must be an e-mail address")


WRITTEN = (
    NotificationProvider.name,
    NotificationProvider.url,
    NotificationProvider.options,
    NotificationProvider.position,
    NotificationProvider.status,
    Field(kinds.Text(16_000, min=1), name="secret", doc="Password, token, key or service account.", nullable=True,
          write_only=True),
)  # fmt: skip
PROVIDERS = Resource(
    row=NotificationProvider,
    name="notification-providers",
    tier=1,
    read=(NotificationProvider.id, NotificationProvider.channel, NotificationProvider.kind,
          *[each for each in WRITTEN if not isinstance(each, Field)], NotificationProvider.created_at,
          NotificationProvider.updated_at),
    write=WRITTEN,
    once=(NotificationProvider.channel, NotificationProvider.kind),
    filter=(NotificationProvider.channel, NotificationProvider.kind, NotificationProvider.status),
    sort=(NotificationProvider.position,),
    rule=_rule,
)  # fmt: skip

_ACTIVE = Statement(
    "SELECT * FROM notification_providers WHERE channel = $1::text AND status = 'active' ORDER BY position, id",
    ["channel"],
)


@dataclass(frozen=True, slots=True)
class Means:
    """What providers are spoken to with. `house` is the operator's own mail server, for tenants without one."""

    fetcher: Fetcher
    guard: Guard
    resolver: Resolver
    trust: ssl.SSLContext
    blobs: Blobs
    observe: Observe
    house: Server | None = None

    async def providers(self, unit: Unit, channel: str) -> list[Provider]:
        """The providers of a tenant for a channel, in the order in which they are tried."""
        rows = await unit.fetch(_ACTIVE, channel=channel)
        found = [(row["id"], self._provider(dict(row), await _opened(unit, row["id"], row["secret"]))) for row in rows]
        if channel == "email" and self.house is not None:
            found.append((house_way(unit.tenant_id), Smtp("house", self.house, self.trust, blobs=self.blobs)))
        return [Watched(provider, id, self.observe) for id, provider in found]

    def _provider(self, row: Mapping[str, Any], secret: str) -> Provider:
        options = row["options"]
        if row["kind"] != SMTP:
            return Http(row["name"], CARRIERS[row["kind"]], row["url"], options, secret, self.fetcher)
        plain = Server.of(row["url"], options["sender"])
        account = str(options.get("account") or "") or None
        server = Server(plain.host, plain.port, plain.security, plain.sender, account, secret or None)
        return Smtp(row["name"], server, self.trust, (self.guard, self.resolver), self.blobs)


async def _opened(unit: Unit, id: UUID, value: bytes | None) -> str:
    if value is None:
        return ""
    plain = await unit.log.cipher.unseal(unit.connection, unit.tenant_id, value, TABLE, "secret", id)
    return plain.decode()
