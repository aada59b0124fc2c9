"""Stock: what the ERP's events mean for inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstie.declare.module import Reaction
from crosstie.flows.ask import ask, provided
from crosstie.log.event import Event
from crosstie.log.unit import Unit

Data = Mapping[str, Any]


async def receive(unit: Unit, event: Event, data: Data) -> None:
    """Received goods go to stock, where the event lists them."""
    about = ("purchase_order", data["purchase_order_id"])
    await _move(unit, event, "receipt", data.get("lines") or (), about, to_warehouse_id=data.get("warehouse_id"))


async def reserve(unit: Unit, event: Event, data: Data) -> None:
    """An order has its stock reserved: everything or nothing."""
    if not data.get("lines") or not await provided(unit, "inventory"):
        return
    wanted = [{name: line[name] for name in ("item_id", "sku", "quantity") if name in line} for line in data["lines"]]
    given = {"order_id": data["order_id"], "items": wanted, "warehouse_id": data.get("warehouse_id")}
    await ask(unit, event, "inventory.create_reservation", given)


async def consume(unit: Unit, event: Event, data: Data) -> None:
    """A work order that begins takes its materials."""
    about = ("work_order", data["work_order_id"])
    await _move(unit, event, "issue", data.get("materials") or (), about, from_warehouse_id=data.get("warehouse_id"))


async def finish(unit: Unit, event: Event, data: Data) -> None:
    """A work order that is done brings what it made."""
    if data.get("product_id") is None or data.get("actual_quantity") is None:
        return
    made = {"item_id": data["product_id"], "quantity": data["actual_quantity"]}
    about = ("work_order", data["work_order_id"])
    await _move(unit, event, "receipt", (made,), about, to_warehouse_id=data.get("warehouse_id"))


async def _move(unit: Unit, event: Event, kind: str, lines: Any, about: tuple[str, str], **places: str | None) -> None:
    """A movement per line."""
    if not lines or not await provided(unit, "inventory"):
        return
    for number, line in enumerate(lines):
        given = {"item_id": line.get("item_id") or line.get("sku"), "sku": line.get("sku"), "type": kind}
        given |= {"quantity": line["quantity"], "reference_type": about[0], "reference_id": about[1], **places}
        await ask(unit, event, "inventory.record_movement", given, str(number))


REACTIONS = (
    Reaction("flows.receive", ("erp.purchase_order.received",), receive),
    Reaction("flows.reserve", ("erp.order.created",), reserve),
    Reaction("flows.consume", ("erp.work_order.started",), consume),
    Reaction("flows.finish", ("erp.work_order.completed",), finish),
)
