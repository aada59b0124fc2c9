"""Operator commands on dead letters, over all tenants or one; on the database, without a login."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

from crosstie.access import tenant as tenants
from crosstie.app import Process
from crosstie.command import operate, out
from crosstie.command.failing import MISSING, PARTIAL, Failure
from crosstie.command.out import Output
from crosstie.db import session
from crosstie.log import change
from crosstie.log.event import OPERATOR
from crosstie.log.letter import DEAD_LETTERS, DeadLetter
from crosstie.log.unit import Unit

dlq = out.group("Dead letters: what was given up, until it is retried or discarded.")

Where = Annotated[str | None, typer.Option("--tenant", help="Only this tenant: slug or id.")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="Ids of dead letters.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter.")]
Cause = Annotated[str | None, typer.Option("--cause", help="Only those with this cause, as `groups` shows it.")]
QUERY = (
    "SELECT id, status, source, event_type, endpoint_id, cause, detail, attempts, first_at, last_at FROM dead_letters"
    " WHERE cause = coalesce($1, cause) ORDER BY id"
)
Verb = Callable[[Unit, DeadLetter], Awaitable[Any]]


@dlq.command("list")
def list_letters(tenant: Where = None, cause: Cause = None, output: Output = None) -> None:
    """List dead letters, and what is parked and tried again by itself.

    crosstie dlq list

    crosstie dlq list --tenant acme --cause http_410 -o json
    """

    async def work(process: Process) -> list[dict[str, Any]]:
        return [{"tenant": slug, **row} for slug, _, row in await _letters(process, tenant, cause)]

    columns = ("id", "tenant", "status", "source", "event_type", "cause", "attempts", "last_at")
    out.many(operate.on_database(work), output, columns)


@dlq.command("groups")
def list_groups(tenant: Where = None, output: Output = None) -> None:
    """Count dead letters of each kind.

    crosstie dlq groups

    crosstie dlq groups --tenant acme -o json
    """

    async def work(process: Process) -> list[dict[str, Any]]:
        kinds = ("tenant", "status", "source", "event_type", "cause")
        found = [{"tenant": slug, **row} for slug, _, row in await _letters(process, tenant, None)]
        counts = Counter(tuple(row[kind] for kind in kinds) for row in found)
        return [dict(zip(kinds, group, strict=True)) | {"count": count} for group, count in counts.most_common()]

    out.many(operate.on_database(work), output)


@dlq.command("retry")
def retry(
    ids: Ids = None, tenant: Where = None, every: All = False, cause: Cause = None, output: Output = None
) -> None:
    """Try dead letters again.

    crosstie dlq retry 01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e

    crosstie dlq retry --all --tenant acme --cause timeout
    """
    _each(ids or [], (tenant, cause), every, output, lambda unit, row: _act(unit, "retry", row, {}))


@dlq.command("discard")
def discard(
    reason: Annotated[str, typer.Option(help="Why; it stands in the event.")],
    ids: Ids = None,
    tenant: Where = None,
    every: All = False,
    cause: Cause = None,
    output: Output = None,
) -> None:
    """Let go of dead letters.

    crosstie dlq discard 01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e --reason "sent by hand"

    crosstie dlq discard --all --tenant acme --reason "the endpoint is gone"
    """
    if not reason.strip():
        raise typer.BadParameter("must say why", param_hint="--reason")
    _each(ids or [], (tenant, cause), every, output, lambda unit, row: _act(unit, "discard", row, {"reason": reason}))


def _act(unit: Unit, verb: str, row: DeadLetter, given: Mapping[str, Any]) -> Awaitable[Any]:
    action = next(each for each in DEAD_LETTERS.actions if each.verb == verb)
    return change.act(unit, DEAD_LETTERS, action, row, given)


def _each(
    ids: list[UUID], which: tuple[str | None, str | None], every: bool, output: out.Form | None, verb: Verb
) -> None:
    if bool(ids) == every:
        raise typer.BadParameter("name dead letters, or say --all")

    async def work(process: Process) -> list[dict[str, Any]]:
        found = {row["id"]: (slug, owner) for slug, owner, row in await _letters(process, *which)}
        wanted = list(found) if every else ids
        answers = []
        with out.progress("Dead letters") as bar:
            for id in bar.track(wanted):
                if id not in found:
                    answers.append({"id": id, "outcome": "missing"})
                    continue
                async with process.log.unit(found[id][1], OPERATOR) as unit:
                    await verb(unit, await unit.get(DeadLetter, id, lock=True))
                answers.append({"id": id, "outcome": "done"})
        return answers

    answers = operate.on_database(work)
    out.many(answers, output)
    missing = sum(answer["outcome"] == "missing" for answer in answers)
    if missing:
        code = MISSING if missing == len(answers) else PARTIAL
        raise Failure(f"{missing} of {len(answers)} dead letters do not exist.", code)


async def _letters(process: Process, name: str | None, cause: str | None) -> list[tuple[str, UUID, dict[str, Any]]]:
    """Dead letters with the slug and the id of their tenant."""
    pool = process.log.app
    found = []
    for tenant in [await tenants.find(pool, name)] if name else await tenants.listed(pool):
        async with session.of_tenant(pool, tenant["id"]) as connection:
            found += [(tenant["slug"], tenant["id"], dict(row)) for row in await connection.fetch(QUERY, cause)]
    return found
