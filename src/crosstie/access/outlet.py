"""Outlets: the branches, shops and depots of a tenant."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Mapped

from crosstie.declare.field import data, state, text, zone
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record


class Outlet(Record):
    """A branch, shop or depot of the firm."""

    __tablename__ = "outlets"

    code: Mapped[str] = text(30, min=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", doc="Its short name; permanent.")
    name: Mapped[str] = text(200, min=1, doc="What it is called.")
    address: Mapped[str | None] = text(500, nullable=True, doc="Where it is.")
    time_zone: Mapped[str] = zone(doc="Where its days begin and end.", default="Africa/Johannesburg")
    status: Mapped[str] = state("open", "closed", doc="Whether it does business.")
    external_ids: Mapped[dict[str, Any]] = data(doc="Its ids in other systems.")


OUTLETS = Resource(
    row=Outlet,
    name="outlets",
    read=(
        Outlet.id,
        Outlet.code,
        Outlet.name,
        Outlet.address,
        Outlet.time_zone,
        Outlet.status,
        Outlet.external_ids,
        Outlet.created_at,
        Outlet.updated_at,
    ),
    write=(Outlet.name, Outlet.address, Outlet.time_zone, Outlet.external_ids),
    once=(Outlet.code,),
    filter=(Outlet.code, Outlet.status),
    sort=(Outlet.code, Outlet.name),
    search=(Outlet.code, Outlet.name),
    unique=((Outlet.code,),),
    # closed, not deleted: people and later sales refer to it
    verbs=frozenset(("list", "create", "retrieve", "update", "bulk")),
    machine=Machine(
        Outlet.status,
        (
            Move("close", ("open",), "closed", "outlet.closed", "The outlet does no more business."),
            Move("open", ("closed",), "open", "outlet.opened", "The outlet does business again."),
        ),
    ),
)
