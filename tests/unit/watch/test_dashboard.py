"""The dashboard and the rules for Prometheus: every expression parses and asks for what /metrics has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser
import pytest
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from crosstie.watch.dashboard import WIDTH, dashboard, rules
from crosstie.watch.family import BUCKETS, FAMILIES
from crosstie.watch.tally import Drawing, Figures

EXPRESSIONS = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
EXPRESSIONS += [rule["expr"] for group in rules()["groups"] for rule in group["rules"]]


def shown() -> dict[str, set[str]]:
    """Every sample that a scrape with one of each family has, with the names of its labels."""
    sizes = {"histogram": len(BUCKETS) + 2}
    own: Figures = {}
    shared: Figures = {}
    for family in FAMILIES:
        figures = shared if family.shared else own
        figures[family.name] = [(tuple("x" for _ in family.labels), [1.0] * sizes.get(family.kind, 1))]
    text = generate_latest(Drawing({"p": own}, shared)).decode()  # type: ignore[no-untyped-call]  # untyped there
    found: dict[str, set[str]] = {}
    for each in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]  # as above
        for sample in each.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def selectors(node: promql_parser.Expr) -> Iterator[promql_parser.VectorSelector]:
    """Every metric that an expression asks for."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        below = getattr(node, name, None)
        for each in below if isinstance(below, list) else [below]:
            if isinstance(each, promql_parser.Expr):
                yield from selectors(each)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_there_is(expression: str) -> None:
    known = shown()
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    asked = list(selectors(parsed))
    assert asked, expression
    labels: set[str] = set()
    for each in asked:
        assert each.name in known, each.name
        labels |= known[each.name]
        assert {matcher.name for matcher in each.matchers.matchers} <= known[each.name]
    for grouped in re.findall(r"\b(?:by|ignoring) \(([^)]*)\)", expression):
        assert set(filter(None, grouped.split(", "))) <= labels, expression


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    everything = " ".join(EXPRESSIONS)
    missing = [
        family.name for family in FAMILIES if family.name.startswith("crosstie_") and family.name not in everything
    ]
    assert not missing


def test_no_panel_lies_on_another() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells
        assert place["x"] + place["w"] <= WIDTH
        cells |= own
