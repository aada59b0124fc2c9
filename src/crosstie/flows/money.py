"""Money: what the ERP's events mean for treasury."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from crosstie.declare.module import Reaction
from crosstie.flows.ask import ask, currency, entries, provided
from crosstie.log.event import Event
from crosstie.log.unit import Unit

Data = Mapping[str, Any]
#: when a bill is due that does not say so
TERMS = timedelta(days=30)


async def invoice(unit: Unit, event: Event, data: Data) -> None:
    """A won opportunity becomes an invoice of its amount."""
    if not await provided(unit, "treasury"):
        return
    line = {"description": f"Opportunity {data['opportunity_id']}", "quantity": 1, "unit_price": data["amount"]}
    given = {"customer_id": data["customer_id"], "currency": data["currency"], "lines": [line]}
    given |= {"reference_type": "opportunity", "reference_id": data["opportunity_id"]}
    await ask(unit, event, "treasury.create_invoice", given)


async def bill(unit: Unit, event: Event, data: Data) -> None:
    """Received goods become a bill of what came: each receipt of a purchase order one of its own."""
    if not await provided(unit, "treasury"):
        return
    order = data["purchase_order_id"]
    line = {"description": f"Purchase order {order}", "quantity": 1, "unit_price": data["total_amount"]}
    given = {"vendor_id": data["vendor_id"], "currency": data["currency"], "lines": [line]}
    given |= {"due_date": data.get("due_date") or (event.at + TERMS).date().isoformat()}
    given |= {"reference_type": "purchase_order", "reference_id": order}
    await ask(unit, event, "treasury.create_bill", given)


async def payroll(unit: Unit, event: Event, data: Data) -> None:
    """A payroll becomes a payment per line where the event has lines, else one of the whole.

    Nothing is paid where the lines do not come to the whole.
    """
    if not await provided(unit, "treasury"):
        return
    words = f"Payroll {data['period']}"
    given = {"reference_type": "payroll", "reference_id": data["payroll_id"], "payment_method": "bank"}
    given |= {"currency": await currency(unit, data), "source_service": "erp"}
    lines = entries(data, "lines")
    if not lines:
        await ask(
            unit, event, "treasury.create_payment", given | {"amount": data["total_amount"], "description": words}
        )
        return
    if wrong := _unsound(data["total_amount"], [line.get("amount") for line in lines]):
        told = {"payroll_id": data["payroll_id"], "code": "lines_differ", "reason": wrong}
        unit.append("treasury.payroll.rejected", told, ("payroll", data["payroll_id"]))
        return
    # an employee may have several lines, a salary and a bonus: the number of the line tells them apart
    for number, line in enumerate(lines, 1):
        own = {"amount": line["amount"], "description": f"{words}, line {number}, employee {line.get('employee_id')}"}
        await ask(unit, event, "treasury.create_payment", given | own, str(number))


def _unsound(total: Any, amounts: Sequence[Any]) -> str:
    """Why lines cannot be what a payroll is made of; empty where they can."""
    try:
        whole = sum(Decimal(str(amount)) for amount in amounts)
        if whole == Decimal(str(total)):
            return ""
    except InvalidOperation:
        return "A line has no amount."
    return f"The lines come to {whole}, the payroll to {total}."


async def expense(unit: Unit, event: Event, data: Data) -> None:
    """An approved expense is recorded."""
    if not await provided(unit, "treasury"):
        return
    given = {"amount": data.get("amount"), "currency": await currency(unit, data)}
    given |= {"description": data.get("category") or "Expense", "expense_date": event.at.date().isoformat()}
    given |= {"reference_type": "expense", "reference_id": data["expense_id"]}
    await ask(unit, event, "treasury.record_expense", given)


REACTIONS = (
    Reaction("flows.invoice", ("erp.opportunity.won",), invoice),
    Reaction("flows.bill", ("erp.purchase_order.received",), bill),
    Reaction("flows.payroll", ("erp.payroll.processed",), payroll),
    Reaction("flows.expense", ("erp.expense.approved", "erp.expense_claim.approved"), expense),
)
