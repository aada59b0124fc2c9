"""Projects service: budgets, expenses and people on projects."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.fact import amount, count, currency, id, moment, words
from crosstie.declare.module import Module

fact = partial(facts.fact, producers=("projects",), consumers=("erp",))
_REFUSED = (words("code", "over_budget"), words("reason", "The budget is used up.", required=True))

EVENTS = (
    fact(
        "projects.budget.updated", "The budget of a project changed.",
        id("project_id", required=True), amount("total", 250000.0), amount("spent", 12000.0), currency(),
        count("version", 3),
        subject="project",
    ),
    fact(
        "projects.expense.recorded", "An expense was booked on a project.",
        id("expense_id", required=True), id("project_id"), amount("amount", 1500.0), currency(), subject="expense",
    ),
    fact(
        "projects.expense.rejected", "An expense was not booked on a project.",
        id("expense_id", required=True), id("project_id"), *_REFUSED, subject="expense",
    ),
    fact(
        "projects.resource.allocated", "Somebody or something was given to a project.",
        id("allocation_id", required=True), id("project_id"), id("resource_id"), amount("share", 0.5),
        moment("from", "2024-12-09"), moment("to", "2024-12-20"),
        subject="allocation",
    ),
    fact(
        "projects.resource.released", "Somebody or something left a project.",
        id("allocation_id", required=True), id("project_id"), id("resource_id"), subject="allocation",
    ),
    fact(
        "projects.resource.rejected", "What a project asked for was not given to it.",
        id("allocation_id", required=True), id("project_id"), id("resource_id"), *_REFUSED, subject="allocation",
    ),
)  # fmt: skip
MODULE = Module("contracts.projects", "Events of the projects service.", events=EVENTS)
