"""Delivery: orders that are ready are shipped, expenses are booked on the projects that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstie.declare.module import Reaction
from crosstie.flows.ask import ask, currency, provided
from crosstie.log.event import Event
from crosstie.log.unit import Unit

Data = Mapping[str, Any]


async def ship(unit: Unit, event: Event, data: Data) -> None:
    """An order that is ready is shipped."""
    if await provided(unit, "logistics"):
        names = ("order_id", "ship_to", "parcels", "warehouse_id")
        await ask(unit, event, "logistics.create_shipment", {name: data.get(name) for name in names})


async def book(unit: Unit, event: Event, data: Data) -> None:
    """An expense of a project is booked on it."""
    if data.get("project_id") is None or data.get("amount") is None or not await provided(unit, "projects"):
        return
    given = {name: data.get(name) for name in ("expense_id", "employee_id", "amount", "category")}
    given |= {"id": data["project_id"], "currency": await currency(unit, data)}
    await ask(unit, event, "projects.record_expense", given)


REACTIONS = (
    Reaction("flows.ship", ("erp.order.fulfilled",), ship),
    Reaction("flows.book", ("erp.expense.created",), book),
)
