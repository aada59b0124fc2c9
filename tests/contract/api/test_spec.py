"""The golden files and the documents behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate
from sqlalchemy.orm import Mapped

from crosstie.catalog import MODULES, catalogue
from crosstie.declare.catalogue import Catalogue, envelope_example
from crosstie.declare.field import text
from crosstie.declare.module import Module
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record, Row
from crosstie.kit import json
from crosstie.spec import ROOT, files, operations, stale, write

GOLDEN = files(catalogue())
OPENAPI = json.loads(GOLDEN["spec/openapi.json"])
ASYNCAPI = json.loads(GOLDEN["spec/asyncapi.json"])

#: operations that any credential may use
FOR_ANYBODY = {"event-types.list", "stream-tickets.create", "events.stream"}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def test_the_committed_files_are_fresh() -> None:
    assert stale(ROOT, GOLDEN) == []


def test_a_stale_file_and_an_orphan_are_found_and_mended(tmp_path: Path) -> None:
    write(tmp_path, GOLDEN)
    assert stale(tmp_path, GOLDEN) == []
    (tmp_path / "spec" / "openapi.json").write_text("{}")
    (tmp_path / "spec" / "events" / "gone.json").write_text("{}")
    (tmp_path / "spec" / "events" / "job.created.json").unlink()
    wrong = ["spec/events/gone.json", "spec/events/job.created.json", "spec/openapi.json"]
    assert stale(tmp_path, GOLDEN) == wrong
    assert write(tmp_path, GOLDEN) == wrong
    assert stale(tmp_path, GOLDEN) == []


def test_openapi_is_valid() -> None:
    validate(OPENAPI)


def test_every_operation_has_its_own_id_and_documents_its_refusals() -> None:
    every = operations(catalogue())
    ids = [operation.id for operation in every]
    assert len(set(ids)) == len(ids)
    for operation in every:
        assert all(part for part in operation.id.split(".")), operation.id
        assert "." in operation.id, operation.id
        assert operation.summary.endswith("."), operation.id
        documented = OPENAPI["paths"][operation.path][operation.method.lower()]["responses"]
        wanted = {"400", "503"} if operation.public and operation.problems else {"503"}
        wanted |= set() if operation.public else {"400", "401", "403", "406", "429", "503"}
        assert wanted <= documented.keys(), operation.id
        assert operation.public or operation.scope or operation.id in FOR_ANYBODY, operation.id


def test_references_say_where_they_lead() -> None:
    job = OPENAPI["components"]["schemas"]["Job"]["properties"]
    assert job["client_id"]["x-crosstie-ref"] == "clients"


def test_asyncapi_holds_together() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    for reference in references(ASYNCAPI):
        resolved(ASYNCAPI, reference)
    for operation in ASYNCAPI["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = resolved(ASYNCAPI, operation["channel"]["$ref"])
        assert all(
            reference.startswith(operation["channel"]["$ref"]) for reference in references(operation["messages"])
        )
        assert set(channel) >= {"address", "servers", "messages"}


@pytest.mark.parametrize("name", sorted(catalogue().events))
def test_every_event_type_is_on_every_surface_and_its_example_fits(name: str) -> None:
    event = catalogue().events[name]
    check = jsonschema_rs.validator_for(event.data_schema, validate_formats=True, offline=True)
    assert not [error.message for error in check.iter_errors(event.example)]
    assert name in OPENAPI["webhooks"]
    assert {f"webhook.{name}", f"crosstie.out.{name}"} <= ASYNCAPI["channels"].keys()
    assert (f"crosstie.in.{name}" in ASYNCAPI["channels"]) == event.open
    golden = json.loads(GOLDEN[f"spec/events/{name}.json"])
    assert golden["name"] == name
    assert golden["example"]["event_type"] == name
    assert envelope_example(event)["data"] == event.example


def test_a_noun_is_one_declaration_and_adds_nothing_but_itself() -> None:
    class Widget(Record):
        """A thing for this test."""

        __tablename__ = "widgets"

        name: Mapped[str] = text(50, min=1, doc="Its name.")

    try:
        widgets = Resource(
            row=Widget, name="widgets", read=(Widget.id, Widget.name), write=(Widget.name,), sort=(Widget.name,)
        )
        declared = Catalogue((*MODULES, Module("toys", "Toys.", resources=(widgets,))))
        found = files(declared)
    finally:
        Row.metadata.remove(Widget.__table__)  # type: ignore[arg-type]  # a Table, though typed as FromClause
        Row.registry._dispose_cls(Widget)
    changed = {name for name, body in found.items() if name.startswith("spec/") and GOLDEN.get(name) != body}
    events = {f"spec/events/widget.{change}.json" for change in ("created", "updated", "deleted")}
    assert changed == {"spec/openapi.json", "spec/asyncapi.json", "spec/policies.sql"} | events
    assert GOLDEN.keys() <= found.keys()
    after = json.loads(found["spec/openapi.json"])
    more = after["paths"].keys() - OPENAPI["paths"].keys()
    assert more == {"/api/v1/widgets", "/api/v1/widgets/bulk", "/api/v1/widgets/{id}"}
    assert {path: after["paths"][path] for path in OPENAPI["paths"]} == OPENAPI["paths"]
    schemas = after["components"]["schemas"]
    assert schemas.keys() - OPENAPI["components"]["schemas"].keys() == {
        "Widget", "WidgetPage", "WidgetCreate", "WidgetUpdate",
    }  # fmt: skip
    assert {name: schemas[name] for name in OPENAPI["components"]["schemas"]} == OPENAPI["components"]["schemas"]
