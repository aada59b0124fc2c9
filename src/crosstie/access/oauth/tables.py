"""What the flows keep: hashes of codes and refresh tokens, what people allowed, and what was revoked before its time.

A family is one consent put to use: the code, every refresh token after it, and the access tokens of all of them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from crosstie.declare import sealed
from crosstie.declare.row import Row


def _key() -> list[sa.Column[Any]]:
    return [sa.Column("tenant_id", sa.Uuid, primary_key=True), sa.Column("id", sa.Uuid, primary_key=True)]


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


signing_keys = sa.Table(
    "signing_keys",
    Row.metadata,
    *_key(),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("public", JSONB, nullable=False, comment="The public key as a JWK."),
    sa.Column("private", sa.LargeBinary, nullable=False, info=sealed.mark(), comment="The private key as a JWK."),
    _moment("signs_from"),
)
codes = sa.Table(
    "oauth_codes",
    Row.metadata,
    *_key(),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("family_id", sa.Uuid, nullable=False),
    sa.Column("app_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text),
    sa.Column("scopes", JSONB, nullable=False),
    sa.Column("methods", JSONB, nullable=False, comment="How the person proved who they are."),
    sa.Column("session_id", sa.Uuid, comment="The sign-in with which the family ends."),
    _moment("authenticated_at"),
    _moment("expires_at"),
    _moment("used_at", nullable=True),
    sa.Index("ix_oauth_codes_hash", "tenant_id", "hash"),
    sa.Index("ix_oauth_codes_expires_at", "tenant_id", "expires_at"),
)
families = sa.Table(
    "oauth_families",
    Row.metadata,
    *_key(),
    sa.Column("app_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("scopes", JSONB, nullable=False),
    sa.Column("methods", JSONB, nullable=False),
    sa.Column("session_id", sa.Uuid, comment="The sign-in with which the family ends."),
    _moment("authenticated_at"),
    _moment("expires_at"),
    _moment("revoked_at", nullable=True),
    sa.Index("ix_oauth_families_user_id", "tenant_id", "user_id"),
    sa.Index("ix_oauth_families_expires_at", "tenant_id", "expires_at"),
)
refreshes = sa.Table(
    "oauth_refreshes",
    Row.metadata,
    *_key(),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("family_id", sa.Uuid, nullable=False),
    _moment("expires_at"),
    _moment("used_at", nullable=True),
    sa.Index("ix_oauth_refreshes_hash", "tenant_id", "hash"),
    sa.Index("ix_oauth_refreshes_expires_at", "tenant_id", "expires_at"),
)
revocations = sa.Table(
    "oauth_revocations",
    Row.metadata,
    *_key(),
    _moment("expires_at"),
    sa.Index("ix_oauth_revocations_expires_at", "tenant_id", "expires_at"),
)
consents = sa.Table(
    "oauth_consents",
    Row.metadata,
    *_key(),
    sa.Column("app_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("scopes", JSONB, nullable=False),
    _moment("given_at"),
    sa.UniqueConstraint("tenant_id", "user_id", "app_id"),
)
TABLES = (signing_keys, codes, families, refreshes, revocations, consents)
