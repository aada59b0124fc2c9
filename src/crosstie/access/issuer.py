"""Trusted issuers: whose tokens a tenant takes, and what their claims mean here (Firebase, any OpenID provider)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import scope
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, data, many, text
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Nested
from crosstie.errors import EgressForbidden, Fault, Invalid
from crosstie.kit.egress import Forbidden
from crosstie.log.unit import Unit

#: where claims are that people usually look for under these names
USUAL = {"tenant": None, "email": "email", "name": "name", "roles": "roles", "scopes": None}


def _claim(name: str, doc: str) -> Field:
    return Field(kinds.Text(200, 1), name=name, doc=doc, nullable=True, default=USUAL[name])


CLAIMS = Nested(
    (
        _claim("tenant", "Claim with the tenant's id or slug; a token that names another tenant is refused."),
        _claim("email", "Claim with the e-mail address; with it the person becomes a user at the first request."),
        _claim("name", "Claim with what the person is called."),
        _claim("roles", "Claim with the person's roles, a list or words; a.b is b inside a."),
        _claim("scopes", "Claim with scopes: they narrow what the roles allow, or stand alone where there are none."),
    )
)


class TrustedIssuer(Record):
    """An outside party whose signed tokens the tenant takes as credentials."""

    __tablename__ = "trusted_issuers"
    __table_args__ = (sa.Index("ix_trusted_issuers_any", "issuer"),)

    issuer: Mapped[str] = text(500, min=8, format="uri", doc="Its address, exactly as its tokens have it in `iss`.")
    audience: Mapped[str] = text(500, min=1, doc="What its tokens must have in `aud`: with Firebase the project.")
    jwks_uri: Mapped[str | None] = text(
        2000, format="uri", nullable=True, doc="Where its keys are; else its discovery document says so."
    )
    claims: Mapped[dict[str, Any]] = mapped_column(
        sa.dialects.postgresql.JSONB,
        info={"field": Field(CLAIMS, doc="Which claims of its tokens mean what.", default=lambda: dict(USUAL))},
    )
    roles: Mapped[dict[str, Any]] = data(doc="Its roles and the tenant's own for each; others count as they are.")
    default_role: Mapped[str | None] = text(60, nullable=True, doc="The role of people whose token has none.")
    scopes: Mapped[list[str]] = many(
        kinds.Text(100), doc="The most that its tokens allow; `*` is everything.", min=1, default=lambda: ["*"]
    )


async def _rule(unit: Unit, before: TrustedIssuer | None, values: dict[str, Any]) -> None:
    """Whoever vouches for others gives rights away: at most his own."""
    for name in ("issuer", "jwks_uri"):
        if values.get(name) is not None:
            _check_url(unit, name, values[name])
    if values.get("issuer", "").rstrip("/") == unit.log.address:
        raise Invalid("Crosstie's own tokens need no registration.", errors=[Fault("/issuer", "own", "is Crosstie")])
    if "scopes" in values:
        scope.known(values["scopes"], unit.log.catalogue.scopes)
    scope.within(unit.actor, values.get("scopes") or (before.scopes if before else ["*"]))
    wrong = [name for name, own in (values.get("roles") or {}).items() if not isinstance(own, str)]
    if wrong:
        fault = Fault(f"/roles/{wrong[0]}", "type", "must be the name of a role")
        raise Invalid("A role cannot be read.", errors=[fault])


def _check_url(unit: Unit, name: str, url: str) -> None:
    try:
        unit.log.guard.check_url(url)
    except Forbidden as error:
        raise EgressForbidden(str(error), errors=[Fault(f"/{name}", "egress_forbidden", str(error))]) from None


TRUSTED_ISSUERS = Resource(
    row=TrustedIssuer,
    name="trusted-issuers",
    tier=1,
    read=(
        TrustedIssuer.id,
        TrustedIssuer.issuer,
        TrustedIssuer.audience,
        TrustedIssuer.jwks_uri,
        TrustedIssuer.claims,
        TrustedIssuer.roles,
        TrustedIssuer.default_role,
        TrustedIssuer.scopes,
        TrustedIssuer.created_at,
        TrustedIssuer.updated_at,
    ),
    write=(
        TrustedIssuer.audience,
        TrustedIssuer.jwks_uri,
        TrustedIssuer.claims,
        TrustedIssuer.roles,
        TrustedIssuer.default_role,
        TrustedIssuer.scopes,
    ),
    once=(TrustedIssuer.issuer,),
    filter=(TrustedIssuer.issuer,),
    sort=(TrustedIssuer.issuer,),
    unique=((TrustedIssuer.issuer, TrustedIssuer.audience),),
    rule=_rule,
)
