"""What goes wrong on demand, and what it never does: an effect that is done twice, or one that is lost."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crosstie.contracts.services import SERVICES
from tests.parts.outside import Outside, standing

INVOICE = SERVICES["treasury"].operation("create_invoice").request
PATH = "/api/v1/treasury/invoices"
CREATE = "treasury.create_invoice"


def make(caller: httpx2.Client, key: str | None = "k-1", **more: Any) -> httpx2.Response:
    """Ask for an invoice."""
    assert INVOICE is not None
    return caller.post(PATH, json=INVOICE.example | more, headers={"idempotency-key": key} if key else {})


@pytest.mark.parametrize(("status", "retry_after"), [(500, None), (503, 2), (429, 7)])
def test_a_status_does_nothing_so_many_times(
    outside: Outside, caller: httpx2.Client, status: int, retry_after: int | None
) -> None:
    outside.fault(CREATE, "status", status=status, retry_after=retry_after, times=2)
    first, second, third = (make(caller) for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [status, status, 201]
    assert first.headers.get("retry-after") == (str(retry_after) if retry_after else None)
    assert outside.effects(CREATE) == 1
    assert [each["status"] for each in outside.listed("requests")] == [201, status, status]
    assert {each["about"] for each in outside.listed("requests")} == {"opportunity reference-uuid"}


@pytest.mark.parametrize("kind", ["reset", "garbage", "drip"])
def test_the_work_is_done_and_the_answer_spoilt(outside: Outside, caller: httpx2.Client, kind: str) -> None:
    outside.fault(CREATE, kind, seconds=30)
    if kind == "reset":
        with pytest.raises(httpx2.TransportError):
            make(caller)
    elif kind == "garbage":
        with pytest.raises(json.JSONDecodeError):
            make(caller).json()
    else:
        assert INVOICE is not None
        with (
            pytest.raises(httpx2.ReadTimeout),
            httpx2.Client(base_url=outside.url, headers=caller.headers, timeout=0.02) as hasty,
        ):
            make(hasty)
    assert outside.effects(CREATE) == 1
    again = make(caller)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert outside.effects(CREATE, "opportunity reference-uuid") == 1


def test_a_twin_of_a_call_under_way_is_told_to_wait(outside: Outside, caller: httpx2.Client) -> None:
    outside.fault(CREATE, "delay", seconds=3)
    slow: list[httpx2.Response] = []

    def ask() -> None:
        with outside.client() as other:
            slow.append(make(other))

    thread = threading.Thread(target=ask)
    thread.start()
    outside.until(lambda: outside.listed("requests"))
    twin = make(caller)
    assert (twin.status_code, twin.json()["code"], twin.headers["retry-after"]) == (409, "in_progress", "1")
    thread.join()
    assert slow[0].status_code == 201
    assert outside.effects(CREATE) == 1


def test_a_service_does_at_its_pace_what_its_caller_gave_up(outside: Outside, caller: httpx2.Client) -> None:
    outside.fault(CREATE, "delay", seconds=1)
    with (
        pytest.raises(httpx2.ReadTimeout),
        httpx2.Client(base_url=outside.url, headers=caller.headers, timeout=0.2) as hasty,
    ):
        make(hasty)
    outside.until(lambda: outside.effects(CREATE))
    assert make(caller).headers["idempotent-replayed"] == "true"


def test_a_refusal_is_told(outside: Outside, caller: httpx2.Client) -> None:
    outside.fault(CREATE, "refuse")
    refused, again = make(caller), make(caller)
    assert (refused.status_code, refused.content) == (422, again.content)
    (event,) = outside.listed("events")
    assert event["type"] == "treasury.invoice.rejected"
    assert json.loads(event["data"])["opportunity_id"] == "reference-uuid"
    assert outside.effects(CREATE) == 0


def test_two_keys_for_one_thing_are_seen(outside: Outside, caller: httpx2.Client) -> None:
    for key in ("k-1", "k-2", None):
        assert make(caller, key).status_code == 201
    (effect,) = outside.listed("effects")
    assert effect["count"] == 3
    assert "3 – doubled" in caller.get("/services").text


def test_a_fault_of_a_whole_service_lasts_until_it_is_taken_away(outside: Outside, caller: httpx2.Client) -> None:
    outside.fault("treasury.", "status", status=500, times=0)
    assert [caller.get("/api/v1/treasury/accounts").status_code for _ in range(3)] == [500] * 3
    assert caller.get("/api/v1/pos/products").status_code == 200
    given = {"service": "treasury", "operation": None}
    assert caller.request("DELETE", "/services/faults", json=given).json() == {"data": []}
    assert caller.get("/api/v1/treasury/accounts").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"service": "treasury", "status": 200}, {"service": "nothing"}, {"service": "treasury", "operation": "x"},
        {"service": "treasury", "kind": "x"}, {"service": "treasury", "seconds": 1e9}, {"x": 1}, [],
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(caller: httpx2.Client, given: Any) -> None:
    assert caller.post("/services/faults", json=given).status_code == 422


def test_another_page_sets_no_fault(caller: httpx2.Client) -> None:
    for path in ("/services/faults", "/story"):
        answer = caller.post(path, json={"service": "treasury"}, headers={"origin": "http://evil.example"})
        assert answer.status_code == 403


def test_the_form_sets_and_clears(caller: httpx2.Client) -> None:
    form = {"target": "treasury.create_invoice", "kind": "status", "status": "503", "retry_after": "", "times": "2"}
    assert caller.post("/services/faults", data=form).headers["location"] == "/services"
    assert caller.get("/services/faults").json()["data"][0]["times"] == 2
    caller.post("/services/faults?lang=ar", data={"target": "treasury.create_invoice", "clear": "1"})
    assert caller.get("/services/faults").json() == {"data": []}


def test_what_is_done_outlives_a_restart(tmp_path: Path) -> None:
    with standing(tmp_path / "books.db") as outside, outside.client() as caller:
        first = make(caller)
    with standing(tmp_path / "books.db") as outside, outside.client() as caller:
        again = make(caller)
        assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
        assert outside.effects(CREATE) == 1
        assert len(caller.get("/api/v1/treasury/accounts").json()["bank_accounts"]) == 2


def test_twenty_at_once_with_one_key_are_one(outside: Outside) -> None:
    answers: list[int] = []

    def ask() -> None:
        with outside.client() as other:
            answers.append(make(other).status_code)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {201, 409}
    assert outside.effects(CREATE) == 1
