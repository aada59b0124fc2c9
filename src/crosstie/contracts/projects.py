"""Projects service: budgets."""

from __future__ import annotations

from crosstie.contracts.fact import amount, count, currency, fact, id
from crosstie.declare.module import Module

EVENTS = (
    fact(
        "projects.budget.updated", "The budget of a project changed.",
        id("project_id", required=True), amount("total", 250000.0), amount("spent", 12000.0), currency(),
        count("version", 3),
        subject="project",
    ),
)  # fmt: skip
MODULE = Module("contracts.projects", "Events of the projects service.", events=EVENTS)
