"""Projects: budgets, which expenses use up."""

from __future__ import annotations

from decimal import Decimal

from crosstie.kit import money
from crosstie.sandbox.books import Document, Shelf, fresh
from crosstie.sandbox.verb import Counterpart, Given, Refused, Rejection, Verb, minor

PROJECTS = (("project-uuid", 25_000_000, 1_200_000, 500_000), ("project-2-uuid", 1_000_000, 990_000, 0))


def seed(shelf: Shelf) -> None:
    """Two projects, of which one has nearly used up its budget."""
    for id, total, spent, committed in PROJECTS:
        project = {"id": id, "total": total, "spent": spent, "committed": committed, "currency": "KES", "version": 1}
        shelf.put("project", id, project)


def record_expense(shelf: Shelf, given: Given) -> Document:
    """Book an expense on a project while its budget lasts."""
    project = _project(shelf, given["id"])
    if given["currency"] != project["currency"]:
        raise Refused("currency", f"The budget is in {project['currency']}.")
    amount = minor(given["amount"], given["currency"])
    if amount > project["total"] - project["spent"] - project["committed"]:
        raise Refused("over_budget", "The budget is used up.")
    project |= {"spent": project["spent"] + amount, "version": project["version"] + 1}
    shelf.put("project", project["id"], project)
    id, shown = fresh(), money.format(amount, given["currency"])
    about = {"project_id": project["id"], "currency": project["currency"]}
    shelf.tell("expense.recorded", expense_id=given.get("expense_id") or id, amount=Decimal(shown), **about)
    sums = {name: Decimal(money.format(project[name], project["currency"])) for name in ("total", "spent")}
    shelf.tell("budget.updated", **sums, **about, version=project["version"])
    return {"id": id, "amount": shown, "status": "recorded", **about}


def get_budget(shelf: Shelf, given: Given) -> Document:
    """The budget of a project."""
    project = _project(shelf, given["id"])
    left = project["total"] - project["spent"] - project["committed"]
    sums = {name: project[name] for name in ("total", "spent", "committed")} | {"remaining": left}
    found = {name: money.format(value, project["currency"]) for name, value in sums.items()}
    return found | {"project_id": project["id"], "currency": project["currency"], "version": project["version"]}


def _project(shelf: Shelf, id: str) -> Document:
    found = shelf.get("project", id)
    if found is None:
        raise Refused("not_found", "There is no such project.", 404)
    return found


def _rejected(given: Given) -> Rejection | None:
    if given.get("expense_id") is None:
        return None
    return "expense.rejected", {"expense_id": given["expense_id"], "project_id": given["id"]}


COUNTERPART = Counterpart(
    "projects",
    {
        "record_expense": Verb(record_expense, ("expense_id",), _rejected),
        "get_budget": Verb(get_budget, ("id",)),
    },
    seed,
)
