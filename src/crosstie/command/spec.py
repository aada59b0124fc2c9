"""The API's own description, without a server: `crosstie spec`, and what commands are derived from."""

from __future__ import annotations

from typing import Any

from crosstie import spec as golden
from crosstie.api import asyncapi
from crosstie.api.events import described
from crosstie.api.openapi import document
from crosstie.catalog import catalogue
from crosstie.command import out
from crosstie.command.out import Form, Output
from crosstie.watch.dashboard import dashboard, rules

spec = out.group("The API's own description.")


def openapi() -> dict[str, Any]:
    """The OpenAPI document."""
    declared = catalogue()
    return document(golden.operations(declared), declared, golden.ADDRESS)


@spec.command("openapi")
def print_openapi(output: Output = None) -> None:
    """Print the OpenAPI 3.1 document.

    crosstie spec openapi > openapi.json

    crosstie spec openapi -o jsonl
    """
    out.one(openapi(), output or Form.JSON)


@spec.command("asyncapi")
def print_asyncapi(output: Output = None) -> None:
    """Print the AsyncAPI 3.0 document.

    crosstie spec asyncapi > asyncapi.json

    crosstie spec asyncapi -o jsonl
    """
    out.one(asyncapi.document(catalogue(), golden.ADDRESS), output or Form.JSON)


@spec.command("events")
def print_events(output: Output = None) -> None:
    """Print the catalogue of event types.

    crosstie spec events

    crosstie spec events -o json
    """
    columns = ("name", "version", "direction", "producers", "consumers", "summary")
    out.many([described(event) for event in catalogue().events.values()], output, columns)


@spec.command("dashboard")
def print_dashboard(output: Output = None) -> None:
    """Print a dashboard for Grafana: its dialogue "Import" takes it.

    crosstie spec dashboard > crosstie.json

    crosstie spec dashboard -o jsonl
    """
    out.one(dashboard(), output or Form.JSON)


@spec.command("rules")
def print_rules(output: Output = None) -> None:
    """Print alert rules for Prometheus: a file of `rule_files`.

    crosstie spec rules > crosstie-rules.yml

    crosstie spec rules -o jsonl
    """
    out.one(rules(), output or Form.JSON)
