"""The row of a webhook endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, data, integer, many, moment, text
from crosstie.declare.row import Record
from crosstie.declare.sealed import sealed
from crosstie.declare.shape import Nested

TABLE = "webhook_endpoints"
SEALED = ("auth_secret", "header_values", "secret", "old_secret")


class Auth(Nested):
    """A credential for the receiver. The secret comes in; what is shown does not hold it."""

    def schema(self) -> dict[str, Any]:
        found = super().schema()
        found["properties"]["secret"]["writeOnly"] = True
        found["required"] = ["type"]
        return found


AUTH = Auth(
    (
        Field(kinds.Choice(("basic", "bearer", "api_key")), name="type", doc="How it is sent."),
        Field(
            kinds.Text(200),
            name="username",
            doc="With basic: the name; without it the secret is `name:password`.",
            nullable=True,
        ),
        Field(
            kinds.Text(100, pattern=r"^[A-Za-z0-9-]+$"), name="header", doc="With api_key: the header.", nullable=True
        ),
        Field(kinds.Text(2000, min=1), name="secret", doc="Password, token or key."),
    )
)


class WebhookEndpoint(Record):
    """An address that hears of a tenant's events through signed webhooks."""

    __tablename__ = TABLE
    __table_args__ = ({"info": {"reach": "batch", "batch": "SELECT, UPDATE"}},)

    url: Mapped[str] = text(
        2000, min=8, format="uri", doc="Where events are posted; https, or http where the operator allows it."
    )
    event_types: Mapped[list[str]] = many(
        kinds.Text(200), doc="Types or patterns (`job.*`, `*`) that it hears of.", min=1, default=lambda: ["*"]
    )
    filter: Mapped[dict[str, Any] | None] = data(
        doc="Fields of `data` and the values they must have.", keys=20, nullable=True
    )
    description: Mapped[str | None] = text(500, doc="What it is for.", nullable=True)
    headers: Mapped[dict[str, Any]] = data(
        doc="Headers that go along. Their values are never shown: `***` stands for one, and leaves it as it is.",
        keys=20,
    )
    header_values: Mapped[bytes | None] = sealed(nullable=True)
    auth: Mapped[dict[str, Any] | None] = mapped_column(
        sa.dialects.postgresql.JSONB,
        info={"field": Field(AUTH, doc="A credential that goes along; its secret is never shown.", nullable=True)},
    )
    auth_secret: Mapped[bytes | None] = sealed(nullable=True)
    format: Mapped[str] = choice("envelope", "cloudevents", doc="The form of the body.", default="envelope")
    ordering: Mapped[str] = choice(
        "none", "subject", doc="Whether events of one subject arrive one after the other.", default="none"
    )
    rate_limit: Mapped[dict[str, Any] | None] = mapped_column(
        sa.dialects.postgresql.JSONB,
        info={
            "field": Field(
                Nested(
                    (
                        Field(kinds.Integer(1, 100_000), name="requests", doc="Requests …"),
                        Field(kinds.Integer(1, 3600), name="seconds", doc="… in so many seconds."),
                    )
                ),
                doc="How many requests it takes.",
                nullable=True,
            )
        },
    )
    max_in_flight: Mapped[int] = integer(doc="Requests under way at once.", min=1, max=1000, default=64)
    timeout_seconds: Mapped[int] = integer(doc="Seconds until an attempt is given up.", min=1, max=30, default=15)
    retry_schedule: Mapped[list[int]] = many(
        kinds.Integer(1, 604_800), doc="Waits in seconds between attempts; empty: the usual ones.", max=30
    )
    signature: Mapped[str] = choice("v1", "v1a", doc="HMAC-SHA256 (v1) or ed25519 (v1a).", default="v1")
    status: Mapped[str] = choice("active", "disabled", doc="Whether it hears of events.", default="active")
    disabled_reason: Mapped[str | None] = text(200, doc="Why it is disabled.", nullable=True)
    failing_since: Mapped[datetime | None] = moment(doc="Since when no attempt succeeded.", nullable=True)
    secret: Mapped[bytes] = sealed()
    old_secret: Mapped[bytes | None] = sealed(nullable=True)
    old_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
