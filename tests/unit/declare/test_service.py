"""Contracts of services: what the guide asks is there, examples fit, and what contradicts itself is refused."""

import jsonschema_rs
import pytest

from crosstie.catalog import catalogue
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.module import Module
from crosstie.declare.service import Ask, Cached, Form, Operation, Provider, Queued, Service, Stale
from crosstie.errors import DeclarationError

GUIDE = """
POST /api/v1/notifications/messages
POST /api/v1/treasury/invoices
POST /api/v1/treasury/bills
POST /api/v1/treasury/payments
POST /api/v1/treasury/expenses
GET /api/v1/treasury/accounts
GET /api/v1/treasury/tax-codes
GET /api/v1/inventory/items/{id}/stock
POST /api/v1/inventory/movements
POST /api/v1/inventory/adjustments
GET /api/v1/inventory/warehouses
POST /api/v1/logistics/shipments
GET /api/v1/logistics/shipments/{id}/tracking
GET /api/v1/pos/products
POST /api/v1/pos/orders
GET /api/v1/iot/devices/{id}/telemetry
POST /api/v1/projects/{id}/expenses
GET /api/v1/projects/{id}/budget
"""
EMPTY = Form({"type": "object", "properties": {}}, {})
BODY = Form({"type": "object", "properties": {"id": {"type": "string"}, "sum": {"type": "number"}}}, {})
ID = Ask("id", {"type": "string"}, "a", "Which one.")
READ = Operation("get_thing", "GET", "/things/{id}", "Read.", EMPTY, asks=(ID,))
MAKE = Operation("make_thing", "POST", "/things", "Make.", EMPTY, BODY, status=201)


def test_every_operation_of_the_guide_is_declared_under_its_path() -> None:
    declared = {
        f"{each.method} {service.path(each)}"
        for service in catalogue().services.values()
        for each in service.operations
    }
    assert set(GUIDE.split("\n")) - {""} <= declared
    assert set(catalogue().services) == {
        "treasury", "inventory", "logistics", "pos", "iot", "projects", "notifications", "auth",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "operation"),
    [(f"{s.name}.{o.name}", o) for s in catalogue().services.values() for o in s.operations],
)
def test_examples_fit(name: str, operation: Operation) -> None:
    for form in (operation.answer, operation.request):
        if form is not None:
            jsonschema_rs.validator_for(form.schema, validate_formats=True).validate(form.example)
    for ask in operation.asks:
        jsonschema_rs.validator_for(ask.schema).validate(ask.example)
    assert catalogue().operation(name)[1] is operation
    assert set(operation.example) == {ask.name for ask in operation.asks} | set(operation.fields)


def test_scopes_follow_from_a_service() -> None:
    assert {"treasury:read", "treasury:write", "iot:read"} <= catalogue().scopes.keys()


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("snake_case", {"name": "getThing"}),
        ("is no path", {"path": "things"}),
        ("is not described", {"asks": ()}),
        ("share one set of names", {"asks": (ID, ID)}),
        ("a read has no body", {"request": EMPTY}),
        ("leaves nothing to find", {"fallback": Queued()}),
        ("declare cached", {"fallback": Stale()}),
        ("is no success", {"status": 404}),
    ],
)
def test_a_read_that_contradicts_itself_is_refused(words: str, changes: dict[str, object]) -> None:
    given = {"name": "get_thing", "method": "GET", "path": "/things/{id}", "doc": "", "answer": EMPTY, "asks": (ID,)}
    with pytest.raises(DeclarationError, match=words):
        Operation(**given | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("never cached", {"cached": Cached(5)}),
        ("stands in", {"fallback": Stale()}),
        ("must be an object", {"request": Form({"type": "array"}, [])}),
        ("share one set of names", {"path": "/things/{id}", "asks": (ID,)}),
    ],
)
def test_a_change_that_contradicts_itself_is_refused(words: str, changes: dict[str, object]) -> None:
    given = {"name": "make_thing", "method": "POST", "path": "/things", "doc": "", "answer": EMPTY, "request": BODY}
    with pytest.raises(DeclarationError, match=words):
        Operation(**given | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "operations"),
    [
        ("two operations are named get_thing", (READ, READ)),
        ("GET /things/{id} stands for two", (
            READ,
            Operation("find", "GET", "/things/{other}", "", EMPTY, asks=(Ask("other", {"type": "string"}, "a", ""),)),
        )),
        ("none of its reads", (Operation("make", "POST", "/things", "", EMPTY, BODY, found_by="nothing"),)),
        ("in the same form", (READ, Operation("make", "POST", "/things", "", BODY, BODY, found_by="get_thing"))),
        ("does not hold that", (READ, Operation("make", "POST", "/things", "", EMPTY, found_by="get_thing"))),
    ],
)  # fmt: skip
def test_a_service_that_contradicts_itself_is_refused(words: str, operations: tuple[Operation, ...]) -> None:
    with pytest.raises(DeclarationError, match=words):
        Service("things", "", operations)


async def _make(unit: object, given: object) -> dict[str, str]:
    return {}


THINGS = Service("things", "", (READ, MAKE))
CONTRACT = Module("contracts.things", "", services=(THINGS,))
BUILT_IN = Module("modules.things", "", provides=(Provider("things", {"make_thing": _make}),))


def test_a_module_provides_operations() -> None:
    found = Catalogue((BUILT_IN, CONTRACT)).providers["things"]
    assert found.operations == {"make_thing": _make}


@pytest.mark.parametrize(
    ("words", "modules"),
    [
        ("declared twice", (CONTRACT, CONTRACT)),
        ("no contract declares", (BUILT_IN,)),
        ("only one may", (CONTRACT, BUILT_IN, BUILT_IN)),
        ("the contract does not have", (CONTRACT, Module("m", "", provides=(Provider("things", {"lose": _make}),)))),
        ("an event that nobody emits", (
            Module("m", "", services=(Service("things", "", (
                Operation("get", "GET", "/things", "", EMPTY, cached=Cached(5, ("a.c",))),
            )),)),
        )),
    ],
)  # fmt: skip
def test_modules_that_contradict_a_contract_are_refused(words: str, modules: tuple[Module, ...]) -> None:
    with pytest.raises(DeclarationError, match=words):
        Catalogue(modules)
