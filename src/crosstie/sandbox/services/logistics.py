"""Logistics: shipments, which move by themselves; one per order."""

from __future__ import annotations

from crosstie.sandbox.books import Document, Shelf, fresh, stamp
from crosstie.sandbox.verb import Counterpart, Given, Refused, Rejection, Verb

#: seconds from one step of a shipment to the next
STEP = 2.0
STEPS = ("created", "picked_up", "in_transit", "delivered")
CARRIER = "Rider Express"


def create_shipment(shelf: Shelf, given: Given) -> Document:
    """Take on an order; a second call for the same order is answered with the shipment that is there."""
    known = shelf.find("shipment", order_id=given["order_id"])
    if known is not None:
        return known
    id, number = fresh(), shelf.number("shipment")
    shipment = {
        "id": id, "tracking_code": f"SHIP-{stamp()[:4]}-{number}", "status": "created", "order_id": given["order_id"],
        "carrier": CARRIER, "dropoff": given.get("ship_to"), "refusal": shelf.refusal,
        "status_history": [{"status": "created", "at": stamp(), "place": "Nairobi"}],
    }  # fmt: skip
    shelf.put("shipment", id, shipment)
    shelf.later(STEP, "move", id=id)
    shelf.tell("shipment.created", **_told(shipment))
    return shipment


def move(shelf: Shelf, document: Document) -> None:
    """A shipment gets one step on, until it is delivered, or fails at the door where somebody wants it to."""
    shipment = shelf.get("shipment", document["id"])
    assert shipment is not None
    status = STEPS[STEPS.index(shipment["status"]) + 1]
    failed = status == "delivered" and shipment["refusal"]
    status = "failed" if failed else status
    shipment["status"] = status
    shipment["status_history"].append({"status": status, "at": stamp(), "place": "Nairobi"})
    if status == "delivered":
        shipment["proof"] = {"signed_by": "Achieng"}
        shelf.tell("shipment.delivered", **_told(shipment), delivered_at=stamp(), proof=shipment["proof"])
    elif failed:
        code, reason = shipment["refusal"]
        shelf.tell("shipment.failed", **_told(shipment), code=code, reason=reason)
    else:
        shelf.later(STEP, "move", id=shipment["id"])
    shelf.put("shipment", shipment["id"], shipment)


def get_tracking(shelf: Shelf, given: Given) -> Document:
    """Where a shipment is, found by its id or its tracking code."""
    found = shelf.get("shipment", given["id"]) or shelf.find("shipment", tracking_code=given["id"])
    if found is None:
        raise Refused("not_found", "There is no such shipment.", 404)
    names = ("tracking_code", "status", "status_history", "proof", "dropoff")
    return {name: found.get(name) for name in names} | {"live": found["status"] not in ("delivered", "failed")}


def _told(shipment: Document) -> Document:
    names = ("order_id", "tracking_code", "carrier")
    return {"shipment_id": shipment["id"]} | {name: shipment[name] for name in names}


def _rejected(given: Given) -> Rejection:
    return "shipment.rejected", {"order_id": given["order_id"]}


COUNTERPART = Counterpart(
    "logistics",
    {
        "create_shipment": Verb(create_shipment, ("order_id",), _rejected),
        "get_tracking": Verb(get_tracking, ("id",)),
    },
    later={"move": move},
)
