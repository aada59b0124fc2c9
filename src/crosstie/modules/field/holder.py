"""What the client who holds a link to a quote may do: see it, approve it, decline it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, described
from crosstie.declare.link import Claim
from crosstie.errors import LinkExpired, NotFound
from crosstie.log import change
from crosstie.log.unit import Unit
from crosstie.modules.field.offer import MOVES, QUOTES, VERSION_SHOWN
from crosstie.modules.field.quote import Quote

FIRM = Field(kinds.Text(200), name="firm", doc="Whose offer it is.")
ZONE = Field(kinds.Zone(), name="time_zone", doc="The zone in which the firm reads its clock.")
SHOWN = (
    Field(kinds.Id(), name="quote_id", doc="The quote."),
    Field(kinds.Id(), name="job_id", doc="What it is for."),
    FIRM,
    ZONE,
    described(Quote.reference),
    *VERSION_SHOWN,
    described(Quote.status),
    described(Quote.approver),
    described(Quote.approved_at),
    described(Quote.declined_at),
    described(Quote.decline_reason),
)


async def see(unit: Unit, claim: Claim, given: Mapping[str, Any]) -> dict[str, Any]:
    """The quote as its client sees it; the first look is an event."""
    row = await _held(unit, claim)
    if row.status == "sent":
        row = await _moved(unit, row, "view", {})
    return await _shown(unit, row)


async def approve(unit: Unit, claim: Claim, given: Mapping[str, Any]) -> dict[str, Any]:
    """The client's yes."""
    return await _shown(unit, await _moved(unit, await _held(unit, claim), "approve", given))


async def decline(unit: Unit, claim: Claim, given: Mapping[str, Any]) -> dict[str, Any]:
    """The client's no."""
    return await _shown(unit, await _moved(unit, await _held(unit, claim), "decline", given))


async def _held(unit: Unit, claim: Claim) -> Quote:
    """The quote that the link is for, in the version that it was made for. Raises LinkExpired."""
    try:
        row = await unit.get(Quote, UUID(claim.about["quote"]), lock=True)
    except NotFound:
        raise LinkExpired("The quote is no longer there.") from None
    if row.version != claim.about["version"]:
        raise LinkExpired("The quote has changed since this link was made: ask for a new one.")
    return row


async def _moved(unit: Unit, row: Quote, verb: str, given: Mapping[str, Any]) -> Quote:
    after = await change.move(unit, QUOTES, row, MOVES[verb], given)
    assert isinstance(after, Quote)
    return after


async def _shown(unit: Unit, row: Quote) -> dict[str, Any]:
    (firm,) = await unit.connection.fetch("SELECT name, time_zone FROM tenants")
    return row.__dict__ | {"quote_id": row.id, "firm": firm["name"], "time_zone": firm["time_zone"]}
