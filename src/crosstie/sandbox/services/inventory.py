"""Inventory: stock by item and warehouse, which movements, adjustments and reservations change."""

from __future__ import annotations

from decimal import Decimal

from crosstie.kit import clock
from crosstie.sandbox.books import Document, Shelf, fresh, stamp
from crosstie.sandbox.verb import Counterpart, Given, Refused, Rejection, Verb, moment, plain, quantity

#: seconds that a reservation holds unless it says until when; below so many left, stock is low
HOLDS, LOW = 900.0, 10
ITEMS = (("item-uuid", "PIPE-22"), ("geyser-uuid", "GEYSER-150"), ("cable-uuid", "CABLE-25"))
WAREHOUSES = (("warehouse-uuid", "NBO", "Nairobi"), ("warehouse-2-uuid", "KSM", "Kisumu"))
NOTHING = Decimal(0)


def seed(shelf: Shelf) -> None:
    """Two warehouses and a hundred of each item in the first."""
    for number, (id, code, name) in enumerate(WAREHOUSES):
        shelf.put("warehouse", id, {
            "id": id, "code": code, "name": name, "address": "Enterprise Road 4", "is_default": number == 0,
            "is_active": True,
        })  # fmt: skip
    for id, sku in ITEMS:
        shelf.put("item", id, {"id": id, "sku": sku, "stock": {WAREHOUSES[0][0]: [100, 0]}})


def get_stock(shelf: Shelf, given: Given) -> Document:
    """What there is of an item, found by its id or SKU."""
    item = _item(shelf, given["id"], given["id"])
    if item is None:
        raise Refused("not_found", "There is no such item.", 404)
    wanted = given.get("warehouse_id")
    rows = [
        {"warehouse_id": id, **_level(on_hand, reserved)}
        for id, (on_hand, reserved) in item["stock"].items()
        if wanted in (None, id)
    ]
    found = {"item_id": item["id"], "sku": item["sku"], **_sum(item, wanted), "unit_of_measure": "piece"}
    return found | {"warehouses": rows or None, "updated_at": stamp()}


def record_movement(shelf: Shelf, given: Given) -> Document:
    """Stock comes, goes or moves; none goes that is not there."""
    amount = quantity(given["quantity"])
    if amount <= 0:
        raise Refused("quantity", "A movement is of more than nothing.")
    kind = given["type"]
    source = given.get("from_warehouse_id") or (_default(shelf) if kind == "issue" else None)
    goal = given.get("to_warehouse_id") or (_default(shelf) if kind in ("receipt", "return") else None)
    if kind == "transfer" and not (source and goal):
        raise Refused("warehouse", "A transfer goes from one warehouse to another.")
    item = _item(shelf, given["item_id"], given.get("sku"))
    if item is None and kind in ("receipt", "return"):
        item = {"id": given["item_id"], "sku": given.get("sku") or given["item_id"], "stock": {}}
    if item is None:
        raise Refused("item_unknown", "There is no such item.")
    if kind in ("issue", "transfer") and source:
        _shift(shelf, item, source, -amount)
    if kind in ("receipt", "return", "transfer") and goal:
        _shift(shelf, item, goal, amount)
    id = fresh()
    shelf.put("movement", id, {"id": id, "item_id": item["id"], "type": kind, "quantity": plain(amount)})
    shelf.tell(
        "movement.recorded", movement_id=id, item_id=item["id"], type=kind, quantity=plain(amount),
        from_warehouse_id=source, to_warehouse_id=goal, reference=given.get("reference_id"),
    )  # fmt: skip
    return {"id": id, "status": "recorded", **_sum(item, None)}


def record_adjustment(shelf: Shelf, given: Given) -> Document:
    """Stock is put right."""
    item = _item(shelf, given.get("item_id"), given["sku"])
    if item is None:
        raise Refused("item_unknown", "There is no such item.")
    place, change = given.get("warehouse_id") or _default(shelf), quantity(given["adjustment"])
    before = Decimal(item["stock"].get(place, [0, 0])[0])
    _shift(shelf, item, place, change)
    id = fresh()
    shelf.tell("movement.recorded", movement_id=id, item_id=item["id"], type="adjustment", quantity=plain(change),
               to_warehouse_id=place, reference=given.get("reference"))  # fmt: skip
    steps = {"quantity_before": before, "quantity_change": change, "quantity_after": before + change}
    return {"id": id} | {name: plain(value) for name, value in steps.items()} | _sum(item, None)


def create_reservation(shelf: Shelf, given: Given) -> Document:
    """Reserve everything that an order needs, or nothing."""
    place = given.get("warehouse_id") or _default(shelf)
    for line in given["items"]:
        item, amount = _item(shelf, line.get("item_id"), line.get("sku")), quantity(line["quantity"])
        on_hand, reserved = item["stock"].get(place, [0, 0]) if item else (0, 0)
        if item is None or amount > on_hand - reserved:
            raise Refused("out_of_stock", f"Too few are left of {line.get('sku') or line.get('item_id')}.")
        item["stock"][place] = [on_hand, plain(Decimal(reserved) + amount)]
        shelf.put("item", item["id"], item)
        _tell_level(shelf, item, place)
    id, until = fresh(), given.get("expires_at")
    seconds = (moment(until) - clock.now()).total_seconds() if until else HOLDS
    made = {
        "id": id, "order_id": given["order_id"], "items": given["items"], "status": "confirmed", "expires_at": until,
        "warehouse_id": place,
    }  # fmt: skip
    shelf.put("reservation", id, made)
    shelf.later(max(0.0, seconds), "release", id=id)
    for event in ("reservation.created", "reservation.confirmed"):
        shelf.tell(event, reservation_id=id, order_id=given["order_id"], items=given["items"], status="confirmed")
    return made


def find_reservation(shelf: Shelf, given: Given) -> Document:
    """The reservation of an order."""
    found = shelf.find("reservation", order_id=given["order_id"])
    if found is None:
        raise Refused("not_found", "Nothing is reserved for this order.", 404)
    return found


def release(shelf: Shelf, document: Document) -> None:
    """A reservation ends: what it held is free again."""
    held = shelf.get("reservation", document["id"])
    assert held is not None
    for line in held["items"]:
        item = _item(shelf, line.get("item_id"), line.get("sku"))
        assert item is not None
        on_hand, reserved = item["stock"][held["warehouse_id"]]
        item["stock"][held["warehouse_id"]] = [on_hand, plain(Decimal(reserved) - quantity(line["quantity"]))]
        shelf.put("item", item["id"], item)
    shelf.put("reservation", held["id"], held | {"status": "released"})
    shelf.tell("reservation.released", reservation_id=held["id"], order_id=held["order_id"], status="released")


def list_warehouses(shelf: Shelf, given: Given) -> Document:
    """Warehouses."""
    found = shelf.all("warehouse")
    return {"warehouses": found, "total": len(found)}


def _item(shelf: Shelf, id: str | None, sku: str | None) -> Document | None:
    return (shelf.get("item", id) if id else None) or (shelf.find("item", sku=sku) if sku else None)


def _default(shelf: Shelf) -> str:
    return str(shelf.all("warehouse")[0]["id"])


def _shift(shelf: Shelf, item: Document, place: str, change: Decimal) -> None:
    """Change what is on hand at a warehouse, and tell of it."""
    on_hand, reserved = item["stock"].get(place, [0, 0])
    left = Decimal(on_hand) + change
    if left < Decimal(reserved):
        raise Refused("out_of_stock", f"Too few are left: {on_hand} of which {reserved} are reserved.")
    item["stock"][place] = [plain(left), reserved]
    shelf.put("item", item["id"], item)
    _tell_level(shelf, item, place)


def _tell_level(shelf: Shelf, item: Document, place: str) -> None:
    on_hand, reserved = item["stock"][place]
    told = {"item_id": item["id"], "sku": item["sku"], "warehouse_id": place, "stock_level": on_hand}
    told |= _level(on_hand, reserved)
    shelf.tell("stock.updated", **told)
    if on_hand == 0:
        shelf.tell("stock.out", **told)
    elif on_hand < LOW:
        shelf.tell("stock.low", **told)


def _level(on_hand: Decimal, reserved: Decimal) -> Document:
    free = plain(Decimal(on_hand) - Decimal(reserved))
    return {"on_hand": plain(Decimal(on_hand)), "available": free, "reserved": plain(Decimal(reserved))}


def _sum(item: Document, place: str | None) -> Document:
    rows = [pair for id, pair in item["stock"].items() if place in (None, id)]
    return _level(sum((Decimal(each[0]) for each in rows), NOTHING), sum((Decimal(each[1]) for each in rows), NOTHING))


def _moved(given: Given) -> Rejection | None:
    reference = given.get("reference_id") or given.get("reference")
    return ("movement.rejected", {"reference": reference, "item_id": given.get("item_id")}) if reference else None


def _reserved(given: Given) -> Rejection:
    return "reservation.rejected", {"order_id": given["order_id"], "missing": given["items"]}


COUNTERPART = Counterpart(
    "inventory",
    {
        "get_stock": Verb(get_stock, ("id",)),
        "record_movement": Verb(record_movement, ("reference_type", "reference_id", "item_id"), _moved),
        "record_adjustment": Verb(record_adjustment, ("reference",), _moved),
        "create_reservation": Verb(create_reservation, ("order_id",), _reserved),
        "find_reservation": Verb(find_reservation, ("order_id",)),
        "list_warehouses": Verb(list_warehouses),
    },
    seed,
    {"release": release},
)
