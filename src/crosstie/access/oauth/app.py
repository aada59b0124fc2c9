"""Apps: programs of others that act for the tenant or its people. Pending until an admin approves them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.access import scope
from crosstie.access.oauth import address
from crosstie.access.oauth.scopes import IDENTITY
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, flag, many, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Action, Resource
from crosstie.declare.row import Record
from crosstie.errors import Fault, Forbidden, Invalid
from crosstie.kit import crypto, ids
from crosstie.log import change
from crosstie.log.unit import Unit

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS = ("authorization_code", "refresh_token", "client_credentials", EXCHANGE)
USUAL = ["authorization_code", "refresh_token"]
#: how secrets begin
PREFIX = "cta"


class OauthApp(Record):
    """A program that acts for the tenant, or for people of it, with tokens (OAuth 2)."""

    __tablename__ = "oauth_apps"

    name: Mapped[str] = text(100, min=1, doc="What people are asked to trust.")
    redirect_uris: Mapped[list[str]] = many(
        kinds.Text(2000, 1), doc="Where browsers are sent back to; compared character by character.", max=20
    )
    grant_types: Mapped[list[str]] = many(
        kinds.Choice(GRANTS), doc="How it may get tokens.", min=1, default=lambda: list(USUAL)
    )
    scopes: Mapped[list[str]] = many(kinds.Text(100), doc="The most that it may ever do.", min=1)
    public: Mapped[bool] = flag(doc="Whether it runs where no secret can be kept: in a browser or on a phone.")
    status: Mapped[str] = state("pending", "approved", "suspended", doc="Only an approved app gets tokens.")
    client_id: Mapped[str] = text(60, doc="Its name in the protocol.")
    secret: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    old_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))

    __table_args__ = (sa.Index("ix_oauth_apps_client_id", "client_id"),)


async def _rule(unit: Unit, before: OauthApp | None, values: dict[str, Any]) -> None:
    whole = (before.__dict__ if before else {}) | values
    if "scopes" in values:
        scope.known(values["scopes"], unit.log.catalogue.scopes | IDENTITY)
    if before is not None and before.status == "approved":
        # what an admin has approved grows only by the hand of somebody who could approve it
        _approvable(unit, whole["scopes"])
    faults = _faults(whole)
    if faults:
        raise Invalid("The app cannot work like this.", errors=faults)
    if before is None:
        values["client_id"] = f"app_{ids.random62(22)}"
        unit.shown["client_secret"] = ""
        if not values["public"]:
            values["secret"] = _fresh(unit)


def _faults(whole: Mapping[str, Any]) -> list[Fault]:
    """What keeps an app from working, or from being safe."""
    found = [
        Fault(f"/redirect_uris/{number}", "redirect_uri", wrong)
        for number, uri in enumerate(whole["redirect_uris"])
        if (wrong := address.fault(uri))
    ]
    if "authorization_code" in whole["grant_types"] and not whole["redirect_uris"]:
        found.append(Fault("/redirect_uris", "required", "must name where browsers are sent back to"))
    if whole["public"] and {"client_credentials", EXCHANGE} & set(whole["grant_types"]):
        found.append(Fault("/grant_types", "grant_type", "a public app has no secret with which to act by itself"))
    if "refresh_token" in whole["grant_types"] and "authorization_code" not in whole["grant_types"]:
        found.append(Fault("/grant_types", "grant_type", "refresh_token goes with authorization_code"))
    return found


def _fresh(unit: Unit) -> bytes:
    """The hash of a new secret. The secret itself is left with the unit, to be shown once."""
    made = ids.token(PREFIX)
    unit.shown["client_secret"] = made
    return crypto.digest(unit.log.cipher.pepper, made)


async def _approve(unit: Unit, row: OauthApp, given: Mapping[str, Any]) -> None:
    _approvable(unit, row.scopes)


def _approvable(unit: Unit, scopes: list[str]) -> None:
    """Nobody gives an app more than he has; and no app decides about apps."""
    if unit.actor.type == "app":
        raise Forbidden("An app cannot approve apps: a person or a key of the tenant can.")
    scope.within(unit.actor, [each for each in scopes if each not in IDENTITY])


async def _rotate(unit: Unit, row: OauthApp, given: Mapping[str, Any]) -> OauthApp:
    """A new secret; the old one works on for the overlap."""
    if row.public:
        raise Invalid("A public app has no secret.")
    until = unit.now + timedelta(seconds=given["overlap_seconds"])
    after = unit.update(row, {"secret": _fresh(unit), "old_secret": row.secret, "old_until": until})
    change.tell(unit, OAUTH_APPS, "oauth_app.secret_rotated", after)
    return after


OAUTH_APPS = Resource(
    row=OauthApp,
    name="oauth-apps",
    tier=1,
    read=(
        OauthApp.id,
        OauthApp.name,
        OauthApp.redirect_uris,
        OauthApp.grant_types,
        OauthApp.scopes,
        OauthApp.public,
        OauthApp.status,
        OauthApp.client_id,
        OauthApp.created_at,
        OauthApp.updated_at,
    ),
    write=(OauthApp.name, OauthApp.redirect_uris, OauthApp.grant_types, OauthApp.scopes),
    once=(OauthApp.public,),
    filter=(OauthApp.status, OauthApp.client_id),
    sort=(OauthApp.name,),
    search=(OauthApp.name,),
    machine=Machine(
        OauthApp.status,
        (
            Move(
                "approve", ("pending", "suspended"), "approved", "oauth_app.approved", "An app may get tokens.",
                run=_approve,
            ),
            Move(
                "suspend", ("pending", "approved"), "suspended", "oauth_app.suspended",
                "An app gets no more tokens, and those it has stop working within seconds.",
            ),
        ),
    ),
    rule=_rule,
    actions=(
        Action(
            "rotate-secret", _rotate, "The app got a new secret; the old one works until the overlap is over.",
            given=(
                Field(
                    kinds.Integer(0, 604800), name="overlap_seconds", doc="How long the old secret works on.",
                    default=86400,
                ),
            ),
            events=("oauth_app.secret_rotated",),
        ),
    ),
    shown_once=(
        Field(kinds.Text(100), name="client_secret", doc="The secret, shown this once; empty for a public app."),
    ),
)  # fmt: skip
