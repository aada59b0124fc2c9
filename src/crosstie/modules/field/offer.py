"""The way of a quote to the client and back: sent, seen through a signed link, approved or declined."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from crosstie.access import link
from crosstie.db.statement import compiled
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, described
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Action, Resource
from crosstie.errors import MoveRefused
from crosstie.kit import ids
from crosstie.log.blank import erasing
from crosstie.log.unit import Unit
from crosstie.modules.field import report
from crosstie.modules.field.quote import (
    CLIENT_GIVEN,
    CURRENCY_GIVEN,
    LINES_SHOWN,
    VERSIONS,
    Quote,
    QuoteVersion,
    before_delete,
    rule,
)

LINKS = "quote-links"
LINK_DAYS = 30
OVER = "The quote was valid until {}: ask for a new one."

APPROVER = Field(kinds.Text(200, min=1), name="approver", doc="Who approves: a name.")
REASON = Field(kinds.Text(2000), name="reason", doc="Why not.", nullable=True)

_SENT = compiled(
    sa.select(VERSIONS)
    .where(VERSIONS.c.quote_id == sa.bindparam("quote", type_=sa.Uuid()))
    .order_by(VERSIONS.c.version)
)


async def _send(unit: Unit, row: Quote, given: Mapping[str, Any]) -> None:
    """Freeze the version that the client gets."""
    if not row.lines:
        raise MoveRefused("A quote without lines cannot be sent.")
    if row.valid_until is not None and row.valid_until <= unit.now:
        raise MoveRefused("A quote whose valid_until is past cannot be sent.")
    kept = {c.key: row.__dict__.get(c.key) for c in VERSIONS.columns}
    unit.insert(QuoteVersion, kept | {"id": ids.uuid7(), "quote_id": row.id, "sent_at": unit.now})


async def _approve(unit: Unit, row: Quote, given: Mapping[str, Any]) -> dict[str, Any]:
    if row.valid_until is not None and row.valid_until <= unit.now:
        raise MoveRefused(OVER.format(row.valid_until.isoformat()))
    return {"approver": given["approver"]}


async def _decline(unit: Unit, row: Quote, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"decline_reason": given.get("reason")}


MACHINE = Machine(
    Quote.status,
    (
        Move(
            "send", ("draft",), "sent", "quote.sent", "A quote was sent to the client.", run=_send,
            stamp=Quote.sent_at,
        ),
        Move(
            "view", ("sent",), "viewed", "quote.viewed", "The client saw the quote.", stamp=Quote.viewed_at, inner=True
        ),
        Move(
            "approve", ("sent", "viewed"), "approved", "quote.approved", "The client approved the quote.",
            given=(APPROVER,), run=_approve, stamp=Quote.approved_at,
        ),
        Move(
            "decline", ("sent", "viewed"), "declined", "quote.declined", "The client declined the quote.",
            given=(REASON,), run=_decline, stamp=Quote.declined_at,
        ),
        Move(
            "expire", ("sent", "viewed"), "expired", "quote.expired", "The quote can be approved no more.",
            due=Quote.valid_until,
        ),
    ),
)  # fmt: skip
MOVES = {move.verb: move for move in MACHINE.moves}


async def _link(unit: Unit, row: Quote, given: Mapping[str, Any]) -> dict[str, Any]:
    """A link for the client to this version."""
    if row.status == "draft":
        raise MoveRefused("A quote that is a draft has no link yet: send it first.")
    until = (unit.now + timedelta(seconds=given["expires_in"])).replace(microsecond=0)
    about = {"quote": str(row.id), "version": row.version}
    token = link.make(unit.log.cipher, LINKS, unit.tenant_id, about, until, str(row.client_id))
    return {"url": f"{unit.log.address}/portal/quotes/{token}", "token": token, "expires_at": until}


async def _versions(unit: Unit, row: Quote, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every version as it was sent, and the present one."""
    found = [dict(each) for each in await unit.fetch(_SENT, quote=row.id)]
    if not found or found[-1]["version"] < row.version:
        found.append(dict(row.__dict__))
    return found


VERSION_SHOWN = (
    described(Quote.version),
    described(Quote.title),
    described(Quote.notes),
    LINES_SHOWN,
    described(Quote.currency),
    described(Quote.subtotal),
    described(Quote.tax_total),
    described(Quote.total),
    described(Quote.deposit),
    described(Quote.valid_until),
    described(Quote.sent_at),
)

QUOTES = Resource(
    row=Quote,
    name="quotes",
    report=report.QUOTE,
    read=(
        Quote.id,
        Quote.job_id,
        Quote.client_id,
        Quote.reference,
        Quote.title,
        Quote.notes,
        LINES_SHOWN,
        Quote.currency,
        Quote.subtotal,
        Quote.tax_total,
        Quote.total,
        Quote.deposit,
        Quote.valid_until,
        Quote.version,
        Quote.status,
        Quote.sent_at,
        Quote.viewed_at,
        Quote.approved_at,
        Quote.approver,
        Quote.declined_at,
        Quote.decline_reason,
        Quote.created_at,
        Quote.updated_at,
    ),
    write=(Quote.reference, Quote.title, Quote.notes, Quote.lines, Quote.deposit, Quote.valid_until),
    once=(Quote.job_id, CLIENT_GIVEN, CURRENCY_GIVEN),
    filter=(Quote.job_id, Quote.client_id, Quote.status, Quote.reference, Quote.total, Quote.valid_until),
    sort=(Quote.total, Quote.valid_until),
    search=(Quote.reference, Quote.title),
    machine=MACHINE,
    rule=rule,
    before_delete=before_delete,
    actions=(
        Action(
            "link",
            _link,
            "A signed link with which the client sees this version and answers, without a credential.",
            given=(
                Field(
                    kinds.Integer(60, 90 * 86_400), name="expires_in", doc="Seconds until the link ends.",
                    default=LINK_DAYS * 86_400,
                ),
            ),
            answer=(
                Field(kinds.Text(2000, format="uri"), name="url", doc="The page for the client."),
                Field(kinds.Text(1000), name="token", doc="The same for programs: /api/v1/quote-links/{token}."),
                Field(kinds.Moment(), name="expires_at", doc="When the link ends."),
            ),
            status=201,
        ),
        erasing("quotes", "quote"),
        Action(
            "versions", _versions, "Every version, as it was sent.", answer=VERSION_SHOWN, many=True, method="GET",
            scope="read",
        ),
    ),
)  # fmt: skip
