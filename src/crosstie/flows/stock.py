"""Stock: what the ERP's events mean for inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crosstie.declare.module import Reaction
from crosstie.flows.ask import Given, ask, entries, provided
from crosstie.log.event import Event
from crosstie.log.unit import Unit

Data = Mapping[str, Any]


async def receive(unit: Unit, event: Event, data: Data) -> None:
    """Received goods go to stock, where the event lists them."""
    if await provided(unit, "inventory"):
        about = ("purchase_order", data["purchase_order_id"])
        await _move(unit, event, entries(data, "lines"), about, type="receipt", to_warehouse_id=_place(data))


async def reserve(unit: Unit, event: Event, data: Data) -> None:
    """An order has its stock reserved: everything or nothing."""
    if not await provided(unit, "inventory"):
        return
    names = ("item_id", "sku", "quantity")
    wanted = [{name: line[name] for name in names if name in line} for line in entries(data, "lines")]
    if wanted:
        given = {"order_id": data["order_id"], "items": wanted, "warehouse_id": _place(data)}
        await ask(unit, event, "inventory.create_reservation", given)


async def consume(unit: Unit, event: Event, data: Data) -> None:
    """A work order that begins takes its materials."""
    if await provided(unit, "inventory"):
        about = ("work_order", data["work_order_id"])
        await _move(unit, event, entries(data, "materials"), about, type="issue", from_warehouse_id=_place(data))


async def finish(unit: Unit, event: Event, data: Data) -> None:
    """A work order that is done brings what it made."""
    if data.get("product_id") and data.get("actual_quantity") and await provided(unit, "inventory"):
        made = {"item_id": data["product_id"], "quantity": data["actual_quantity"]}
        about = ("work_order", data["work_order_id"])
        await _move(unit, event, [made], about, type="receipt", to_warehouse_id=_place(data))


async def _move(unit: Unit, event: Event, lines: Sequence[Given], about: tuple[str, str], **more: str | None) -> None:
    """A movement per line."""
    for number, line in enumerate(lines):
        given = {"item_id": line.get("item_id") or line.get("sku"), "sku": line.get("sku")}
        given |= {"quantity": line.get("quantity"), "reference_type": about[0], "reference_id": about[1], **more}
        await ask(unit, event, "inventory.record_movement", given, str(number))


def _place(data: Data) -> str | None:
    """The warehouse that an event names."""
    return data.get("warehouse_id")


REACTIONS = (
    Reaction("flows.receive", ("erp.purchase_order.received",), receive),
    Reaction("flows.reserve", ("erp.order.created",), reserve),
    Reaction("flows.consume", ("erp.work_order.started",), consume),
    Reaction("flows.finish", ("erp.work_order.completed",), finish),
)
