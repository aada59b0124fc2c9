"""The numbers of a call, the budget of its retries, and what a service's own words become."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from crosstie.catalog import catalogue
from crosstie.errors import Conflict, NotFound, Problem, ServiceFault, ServiceRefused
from crosstie.kit import ids
from crosstie.kit.http import Response
from crosstie.services.budget import HELD, Budget
from crosstie.services.peer import Peer
from crosstie.services.remote import Call, Outcome, Pace
from crosstie.services.verdict import document, unavailable

SERVICE, OPERATION = catalogue().operation("treasury.create_invoice")
GOOD = OPERATION.answer.example
PEER = Peer(ids.uuid7(), "treasury", ids.uuid7(), 1, "https://t.example/a", {"type": "none"}, "", 0, None, None, 0.0)


def test_the_numbers_of_the_guide() -> None:
    pace = Pace(10.0, 1.0, 30.0, 3)
    assert [pace.wait(number) for number in range(3)] == [1, 2, 4]
    assert pace.whole == 47
    assert [Pace(10.0, 1.0, 30.0, 8).wait(number) for number in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_the_budget_runs_out_and_fills_again() -> None:
    budget = Budget()
    taken = 0
    while budget.retry():
        taken += 1
    assert taken >= 15, "five failing calls in a row are tried four times each"
    assert taken <= HELD + 5  # the seconds that a busy machine takes for this add one each
    budget.at = time.monotonic()
    for _ in range(5):
        budget.call()
    assert budget.retry()
    budget.at = time.monotonic() - 5
    assert budget.retry()


def test_a_budget_holds_no_more_than_it_may() -> None:
    budget = Budget()
    budget.at = time.monotonic() - 3600
    taken = 0
    while budget.retry():
        taken += 1
    assert taken <= HELD + 5


def call(**given: Any) -> Call:
    return Call(PEER, SERVICE, OPERATION, given, "k")


def test_values_go_where_they_belong() -> None:
    _, find = catalogue().operation("treasury.find_invoice")
    found = Call(PEER, SERVICE, find, {"reference_type": "a/b", "reference_id": "../x?y"}, None)
    assert found.url() == "https://t.example/a/api/v1/treasury/invoices/by-reference/a%2Fb/..%2Fx%3Fy"
    assert found.body() is None
    service, stock = catalogue().operation("inventory.get_stock")
    asked = Call(PEER, service, stock, {"id": "i 1", "warehouse_id": "w&1"}, None)
    assert asked.url() == "https://t.example/a/api/v1/inventory/items/i%201/stock?warehouse_id=w%261"


def answered(status: int, body: Any) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Outcome(response=Response(status, {}, raw))


def test_a_good_answer_is_its_document() -> None:
    assert document(call(), answered(200, GOOD | {"more": 1}))["more"] == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"id": "\\u0000"}', {"id": "x"}, b'{"id": NaN}'])
def test_a_success_that_breaks_the_contract_is_a_fault(body: Any) -> None:
    with pytest.raises(ServiceFault):
        document(call(), answered(201, body))


@pytest.mark.parametrize(
    ("status", "body", "problem", "words"),
    [
        (422, {"error": "No such customer"}, ServiceRefused, "No such customer"),
        (400, {"error": {"message": "Bad lines"}}, ServiceRefused, "Bad lines"),
        (402, {"error": "quota", "code": "plan", "upgrade": True}, ServiceFault, "quota"),
        (403, {"code": "x", "message": "Not yours"}, ServiceFault, "Not yours"),
        (404, {"detail": "None\n  there"}, NotFound, "None there"),
        (409, {"title": "Twice"}, Conflict, "Twice"),
        (418, b"<html>", ServiceRefused, "(418)."),
    ],
)
def test_refusals_of_every_shape(status: int, body: Any, problem: type[Problem], words: str) -> None:
    with pytest.raises(problem) as found:
        document(call(), answered(status, body))
    assert words in found.value.detail


def test_single_faults_are_handed_on() -> None:
    errors = [{"pointer": "/lines/0", "code": "tax", "message": "no such code"}, {"pointer": "/x"}, 7]
    with pytest.raises(ServiceRefused) as found:
        document(call(), answered(422, {"detail": "Wrong", "errors": errors}))
    assert [(f.pointer, f.code, f.message) for f in found.value.errors] == [("/lines/0", "tax", "no such code")]


def test_when_to_come_back() -> None:
    assert unavailable("treasury", Outcome("timeout", "no answer")).headers == {"Retry-After": "1"}
    assert unavailable("treasury", Outcome("x", "y", retry_after=59.2)).headers == {"Retry-After": "60"}
