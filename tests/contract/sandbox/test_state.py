"""Counterparts keep what they did: sums to the cent, stock that is never below zero, things that move by themselves."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx2
import pytest

from tests.parts.outside import Outside

LINE = {"description": "Geyser", "quantity": 1, "unit_price": 100}
BIG = LINE | {"quantity": 999, "unit_price": 9e12}


def post(caller: httpx2.Client, path: str, status: int = 201, /, **body: Any) -> dict[str, Any]:
    """What a POST answers."""
    answer = caller.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def get(caller: httpx2.Client, path: str, **query: Any) -> dict[str, Any]:
    """What a GET answers."""
    return dict(caller.get(f"/api/v1/{path}", params=query).json())


def told(outside: Outside, name: str) -> list[dict[str, Any]]:
    """The data of the events of a type."""
    return [json.loads(each["data"]) for each in outside.listed("events") if each["type"] == name]


def invoice(caller: httpx2.Client, status: int = 201, **line: Any) -> dict[str, Any]:
    """An invoice of one line."""
    whole = {"description": "Geyser", "quantity": 1, "unit_price": 100} | line
    return post(caller, "treasury/invoices", status, customer_id="c", currency="KES", lines=[whole])


@pytest.mark.parametrize(
    ("line", "sums"),
    [
        ({"unit_price": 10000.00}, ("10000.00", "0.00", "10000.00")),
        ({"unit_price": "99.99", "quantity": 3, "tax_code": "VAT16"}, ("299.97", "48.00", "347.97")),
        ({"unit_price": 10, "discount_amount": "0.05", "tax_rate": 15}, ("9.95", "1.49", "11.44")),
    ],
)
def test_an_invoice_adds_up(caller: httpx2.Client, line: dict[str, Any], sums: tuple[str, ...]) -> None:
    made = invoice(caller, **line)
    assert (made["subtotal"], made["tax_amount"], made["total_amount"]) == sums


def test_what_treasury_does_not_know_is_refused(caller: httpx2.Client) -> None:
    assert invoice(caller, 422, tax_code="X")["code"] == "tax_code_unknown"
    assert invoice(caller, 422, unit_price="0.001")["code"] == "amount"
    assert caller.get("/api/v1/treasury/invoices/by-reference/opportunity/nobody").status_code == 404


def test_a_payment_is_decided_and_the_books_follow(outside: Outside, caller: httpx2.Client) -> None:
    made = invoice(caller, unit_price="100.50")
    before = get(caller, "treasury/accounts")["bank_accounts"][0]["balance"]
    pay = {"reference_type": "invoice", "reference_id": made["id"], "currency": "KES", "payment_method": "mpesa"}
    assert post(caller, "treasury/payments", **pay, amount="100.50")["status"] == "pending"
    assert post(caller, "treasury/payments", 422, **pay, amount="0.01")["code"] == "overpaid"
    outside.until(lambda: told(outside, "treasury.payment.succeeded"))
    (done,) = told(outside, "treasury.payment.processed")
    assert (done["amount"], done["reference_id"], done["status"]) == (100.5, made["id"], "succeeded")
    after = get(caller, "treasury/accounts")["bank_accounts"][0]["balance"]
    assert round(float(after) - float(before), 2) == 100.5


def test_a_payment_fails_where_that_is_wanted(outside: Outside, caller: httpx2.Client) -> None:
    outside.fault("treasury.create_payment", "refuse")
    pay = {"reference_type": "payroll", "reference_id": "p", "currency": "KES", "payment_method": "bank"}
    assert post(caller, "treasury/payments", **pay, amount=10)["status"] == "pending"
    (failed,) = outside.until(lambda: told(outside, "treasury.payment.failed"))
    assert failed["code"] == "refused"
    assert told(outside, "treasury.payment.succeeded") == []


def test_of_a_hundred_hasty_issues_only_those_succeed_for_which_there_is_stock(
    outside: Outside, caller: httpx2.Client
) -> None:
    post(caller, "inventory/adjustments", sku="PIPE-22", adjustment=-90, reason="counted")
    answers: list[int] = []

    def issue() -> None:
        with outside.client() as other:
            body = {"item_id": "item-uuid", "type": "issue", "quantity": 1}
            answers.extend(other.post("/api/v1/inventory/movements", json=body).status_code for _ in range(5))

    threads = [threading.Thread(target=issue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers.count(201), answers.count(422)) == (10, 10)
    assert get(caller, "inventory/items/PIPE-22/stock")["on_hand"] == 0
    assert told(outside, "inventory.stock.out")


def test_stock_follows_movements_and_reservations(outside: Outside, caller: httpx2.Client) -> None:
    move = {"item_id": "new-uuid", "sku": "NEW", "quantity": "2.5"}
    assert post(caller, "inventory/movements", **move, type="receipt", reference_id="PO-1")["on_hand"] == 2.5
    places = {"from_warehouse_id": "warehouse-uuid", "to_warehouse_id": "warehouse-2-uuid"}
    assert post(caller, "inventory/movements", **move, type="transfer", **places)["on_hand"] == 2.5
    assert get(caller, "inventory/items/NEW/stock", warehouse_id="warehouse-2-uuid")["on_hand"] == 2.5
    wanted = [{"sku": "PIPE-22", "quantity": 60}]
    assert post(caller, "inventory/reservations", order_id="o-1", items=wanted)["status"] == "confirmed"
    assert get(caller, "inventory/items/item-uuid/stock")["available"] == 40
    both = [{"sku": "CABLE-25", "quantity": 1}, *wanted]
    assert post(caller, "inventory/reservations", 422, order_id="o-2", items=both)["code"] == "out_of_stock"
    assert get(caller, "inventory/items/CABLE-25/stock")["reserved"] == 0
    assert told(outside, "inventory.reservation.rejected")[0]["order_id"] == "o-2"
    assert get(caller, "inventory/reservations/by-order/o-1")["order_id"] == "o-1"


def test_a_reservation_ends_when_its_time_is_over(outside: Outside, caller: httpx2.Client) -> None:
    wanted = [{"sku": "PIPE-22", "quantity": 60}]
    post(caller, "inventory/reservations", order_id="o", items=wanted, expires_at="2024-01-01T00:00:00Z")
    outside.until(lambda: told(outside, "inventory.reservation.released"))
    assert get(caller, "inventory/items/PIPE-22/stock")["available"] == 100


def test_a_shipment_moves_until_it_is_delivered(outside: Outside, caller: httpx2.Client) -> None:
    made = post(caller, "logistics/shipments", order_id="o")
    assert post(caller, "logistics/shipments", order_id="o")["id"] == made["id"]
    assert outside.effects("logistics.create_shipment") == 1
    (done,) = outside.until(lambda: told(outside, "logistics.shipment.delivered"))
    assert done["tracking_code"] == made["tracking_code"]
    history = get(caller, f"logistics/shipments/{made['tracking_code']}/tracking")["status_history"]
    assert [each["status"] for each in history] == ["created", "picked_up", "in_transit", "delivered"]


def test_a_budget_is_used_up(outside: Outside, caller: httpx2.Client) -> None:
    path = "projects/project-2-uuid"
    assert get(caller, f"{path}/budget")["remaining"] == "100.00"
    post(caller, f"{path}/expenses", amount="99.99", currency="KES", expense_id="e-1")
    assert get(caller, f"{path}/budget")["remaining"] == "0.01"
    assert (
        post(caller, f"{path}/expenses", 422, amount="0.02", currency="KES", expense_id="e-2")["code"] == "over_budget"
    )
    assert [each["expense_id"] for each in told(outside, "projects.expense.rejected")] == ["e-2"]
    assert told(outside, "projects.budget.updated")[0]["version"] == 2


def test_tills_and_devices(caller: httpx2.Client) -> None:
    order = {"outlet_id": "o", "currency": "KES", "client_reference": "t-1"}
    line = {"sku": "PIPE-22", "quantity": 2, "unit_price": 450}
    made = post(caller, "pos/orders", **order, lines=[line | {"total_price": 900}])
    assert (made["total"], post(caller, "pos/orders", **order, lines=[line])["id"]) == ("900.00", made["id"])
    wrong = post(caller, "pos/orders", 422, outlet_id="o", currency="KES", lines=[line | {"total_price": 899}])
    assert wrong["code"] == "total_price"
    assert [each["sku"] for each in get(caller, "pos/products", since_version=6)["products"]] == ["CABLE-25"]
    query = {"from": "2024-12-05T00:00:00Z", "to": "2024-12-05T01:00:00Z", "interval": "5m", "limit": 5}
    page = get(caller, "iot/devices/device-uuid/telemetry", **query)
    assert (len(page["readings"]), page["total"], page["readings"][0]["measured_at"]) == (5, 12, "2024-12-05T01:00:00Z")
    assert caller.get("/api/v1/iot/devices/nobody/telemetry").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("treasury/invoices", {"customer_id": "c", "currency": "KES", "lines": [LINE | {"quantity": 1e300}]}),
        ("treasury/invoices", {"customer_id": "c", "currency": "KES", "lines": [LINE | {"unit_price": 1e13}]}),
        ("treasury/invoices", {"customer_id": "c", "currency": "QQQ", "lines": [LINE]}),
        (
            "treasury/invoices",
            {"customer_id": "c", "currency": "KES", "lines": [BIG]},
        ),
        ("treasury/expenses", {"amount": 0.001, "currency": "KES", "description": "x"}),
        ("inventory/movements", {"item_id": "item-uuid", "type": "receipt", "quantity": 1e200}),
        ("inventory/movements", {"item_id": "item-uuid", "type": "receipt", "quantity": -1}),
        ("inventory/movements", {"item_id": "item-uuid", "type": "transfer", "quantity": 1}),
        ("inventory/adjustments", {"sku": "NOTHING", "adjustment": 1, "reason": "x"}),
        ("inventory/reservations", {"order_id": "o", "items": [{"sku": "PIPE-22", "quantity": 1}], "expires_at": "x"}),
        ("inventory/movements", {"item_id": "item-uuid", "type": "receipt", "quantity": 1e-9}),
        ("projects/nobody/expenses", {"amount": 1, "currency": "KES"}),
        ("projects/project-uuid/expenses", {"amount": 1, "currency": "USD"}),
        ("auth/users/sync", {"email": "a@example.com", "tenant_slug": "nobody"}),
    ],
)
def test_what_makes_no_sense_is_refused(
    outside: Outside, caller: httpx2.Client, path: str, body: dict[str, Any]
) -> None:
    answer = caller.post(f"/api/v1/{path}", json=body)
    assert answer.status_code in (404, 422), answer.text
    assert outside.listed("effects") == []


def test_people_are_known_once(caller: httpx2.Client) -> None:
    first = post(caller, "auth/users/sync", 200, email="Wanjiku@example.com", tenant_slug="savanna-traders")
    again = post(caller, "auth/users/sync", 200, email="wanjiku@example.com", status="active")
    assert (first["created"], again["created"], again["user_id"]) == (True, False, first["user_id"])
    assert get(caller, "auth/tenants/by-slug/savanna-traders")["id"] == first["tenant_id"]
