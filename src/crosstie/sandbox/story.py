"""The story of the demo: an opportunity is won, and becomes an invoice at a treasury that fails twice.

The sandbox plays the ERP that tells of the opportunity, and the treasury; what lies between is Crosstie's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crosstie.kit import json
from crosstie.sandbox.books import Books, Shelf, fresh, stamp
from crosstie.sandbox.fault import Fault, Faults

Step = dict[str, Any]
FAILURES = 2
WON = {"customer_id": "customer-uuid", "amount": Decimal("10000.00"), "currency": "KES"}


class Story:
    """Begins it, and tells how far it is."""

    def __init__(self, books: Books, faults: Faults) -> None:
        self._books, self._faults = books, faults
        self._shelf = Shelf(books, "erp")

    def begin(self) -> str:
        """Win an opportunity; its id."""
        id = f"opportunity-{fresh()}"
        self._faults.set(Fault(service="treasury", operation="create_invoice", status=503, times=FAILURES))
        with self._books.change():
            self._shelf.put("opportunity", id, {"id": id, "at": stamp()})
            self._books.tell("erp.opportunity.won", {"opportunity_id": id, **WON}, f"opportunity {id}")
        return id

    def last(self) -> str | None:
        """The opportunity that was won last."""
        known = self._shelf.all("opportunity")
        return str(known[-1]["id"]) if known else None

    def steps(self, id: str) -> list[Step]:
        """What happened about an opportunity, in order."""
        about = f"opportunity {id}"
        requests = self._books.rows("SELECT * FROM requests WHERE about = ? AND status IS NOT NULL", about)
        found = [
            {"kind": "request", "at": each["at"], "name": f"{each['service']}.{each['operation']}",
             "status": each["status"], "key": each["key"]}
            for each in requests
        ]  # fmt: skip
        found += [
            {"kind": "event", "at": each["at"], "name": each["type"], "state": each["state"],
             "data": json.loads(each["data"])}
            for each in self._books.rows("SELECT * FROM events WHERE about = ?", about)
        ]  # fmt: skip
        return sorted(found, key=lambda each: str(each["at"]))

    def invoices(self, id: str) -> int:
        """How many invoices were made of it."""
        query = "SELECT count(*) AS count FROM effects WHERE operation = 'create_invoice' AND about = ?"
        return int(self._books.rows(query, f"opportunity {id}")[0]["count"])
