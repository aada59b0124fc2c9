"""Projects service: budgets, expenses and people on projects."""

from __future__ import annotations

from functools import partial

from crosstie.contracts import fact as facts
from crosstie.contracts.call import answered, ask, money, own, sent
from crosstie.contracts.fact import amount, count, currency, id, moment, words
from crosstie.declare.module import Module
from crosstie.declare.service import Cached, Operation, Queued, Service, Stale

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

_PROJECT = ask(own("project-uuid"), "The project's id.")

SERVICE = Service(
    "projects",
    "Budgets of projects, and what they cost.",
    (
        Operation(
            "record_expense", "POST", "/{id}/expenses", "Record what a project cost.",
            answered(
                own("expense-uuid"), id("project_id"), money("amount", "1500.00"), currency(),
                words("status", "recorded", required=True),
            ),
            sent(
                id("expense_id"), id("employee_id"), amount("amount", 1500.0, required=True), currency(required=True),
                words("category", "travel"), words("description", "Taxi to the site"),
                moment("incurred_at", "2024-12-05"), id("incurred_by"),
                words("receipt_url", "https://erp.example.com/receipt.jpg"),
            ),
            asks=(_PROJECT,), status=201, fallback=Queued(),
        ),
        Operation(
            "get_budget", "GET", "/{id}/budget", "The budget of a project, and what is left of it.",
            answered(
                id("project_id"), money("total", "250000.00", required=True), money("spent", "12000.00", required=True),
                money("committed", "5000.00"), money("remaining", "233000.00"), currency(required=True),
                count("version", 3),
            ),
            asks=(_PROJECT,), fallback=Stale(), cached=Cached(60, ("projects.budget.updated",)),
        ),
    ),
)  # fmt: skip
MODULE = Module("contracts.projects", "The projects service.", events=EVENTS, services=(SERVICE,))
