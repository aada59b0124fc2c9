"""The event log from the command line: list, tail, replay, trigger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from crosstie.access import tenant as tenants
from crosstie.app import Process
from crosstie.command import feed, http, live, nouns, operate, out
from crosstie.command.failing import MISSING, Failure
from crosstie.command.out import Form, Output
from crosstie.deliver.broker.again import republish as republish_to
from crosstie.deliver.broker.sink import Brokers
from crosstie.kit import clock, ids
from crosstie.log.event import OPERATOR

app = out.group("The event log.")

Types = Annotated[list[str] | None, typer.Option("--type", "-t", help="Only such types; `job.*` is a pattern.")]


@app.command("list")
def list_events(
    types: Types = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 is all.")] = nouns.USUAL,
    subject: Annotated[str | None, typer.Option(help="Only of this subject: `job:ID`.")] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="Oldest first.")] = False,
    output: Output = None,
) -> None:
    """List events, newest first.

    crosstie events list --type 'job.*' --limit 10

    crosstie events list --subject job:01936f0e-8c1a-7b5e-9c3d-2f6a1b4c5d6e -o json
    """
    query = _wanted(types) | {"sort": "created_at" if oldest else "-created_at"}
    if subject:
        kind, _, id = subject.partition(":")
        query |= {"subject_type": kind, "subject_id": id}
    columns = ("timestamp", "event_type", "event_id", "subject", "sequence")
    out.many(http.connected().pages("/api/v1/events", query, limit or None), output, columns)


@app.command("tail")
def tail(
    types: Types = None,
    after: Annotated[str | None, typer.Option(help="A cursor to go on from; else what comes from now on.")] = None,
    output: Output = None,
) -> None:
    """Print events as they happen, until Ctrl-C.

    crosstie events tail

    crosstie events tail --type 'invoice.*' -o jsonl
    """
    console = Console(highlight=False, soft_wrap=True)
    form = out.chosen(output)
    for _, event in live.read(live.Reader(http.connected().way, types or (), after)):
        if form is Form.TABLE:
            subject = event["subject"]
            about = f"{subject['type']} {subject['id']}" if subject else ""
            console.print(feed.line("event", event["timestamp"], event["event_type"], about, "cyan"))
        else:
            out.one(event, form)


@app.command("replay")
def replay(
    endpoint: Annotated[str, typer.Option(help="Id of the webhook endpoint that gets them.")],
    since: Annotated[str, typer.Option(help="From this time on (RFC 3339).")],
    until: Annotated[str | None, typer.Option(help="Until this time.")] = None,
    types: Types = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    output: Output = None,
) -> None:
    """Send events of the log to an endpoint again; each keeps its webhook-id.

    crosstie events replay --endpoint ID --since 2026-03-01T00:00:00Z --dry-run

    crosstie events replay --endpoint ID --since 2026-03-01T00:00:00Z --type 'job.*' --wait
    """
    api = http.connected()
    given = {"since": since, "until": until, "event_types": types or None, "dry_run": dry_run}
    operation = api.post(f"/api/v1/webhook-endpoints/{endpoint}/replay", given)
    out.one(nouns.followed(api, operation) if wait and not dry_run else operation, output)


@app.command("republish")
def republish(
    since: Annotated[str, typer.Option(help="From this time on (RFC 3339).")],
    until: Annotated[str | None, typer.Option(help="Until this time.")] = None,
    types: Types = None,
    broker: Annotated[str | None, typer.Option(help="Only this broker, by its name; else all of them.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant: slug or id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    output: Output = None,
) -> None:
    """Operator: send events of the log to the brokers again, where one lost what it had acknowledged.

    crosstie events republish --since 2026-03-01T00:00:00Z --dry-run

    crosstie events republish --since 2026-03-01T00:00:00Z --broker nats://10.0.0.5:4222 --tenant acme
    """
    given = {"since": _moment(since, "--since"), "event_types": types}
    given |= {"until": _moment(until, "--until")} if until else {}

    async def work(process: Process) -> list[dict[str, Any]]:
        return [row async for row in _republished(process, given, broker, tenant, dry_run)]

    out.many(operate.on_database(work), output)


async def _republished(
    process: Process, given: Mapping[str, Any], broker: str | None, tenant: str | None, dry_run: bool
) -> AsyncIterator[dict[str, Any]]:
    """An operation per tenant and broker; the worker runs them."""
    sink = process.routes.sinks[Brokers.kind]
    assert isinstance(sink, Brokers)
    found = [each.address for each in sink.brokers if broker in (None, each.address.name)]
    if not found:
        known = ", ".join(each.address.name for each in sink.brokers) or "none"
        raise Failure("There is no such broker.", MISSING, f"the settings name: {known}")
    pool = process.log.app
    for row in [await tenants.find(pool, tenant)] if tenant else await tenants.listed(pool):
        for address in found:
            if address.allows(row["slug"]):
                async with process.log.unit(row["id"], OPERATOR) as unit:
                    operation = await republish_to(unit, address, given, dry_run=dry_run)
                yield {
                    "tenant": row["slug"],
                    "broker": address.name,
                    "operation_id": operation.id,
                    "count": operation.count,
                }


def _moment(text: str, option: str) -> datetime:
    try:
        return clock.parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} must be a time like 2026-03-01T00:00:00Z") from error


@app.command("trigger")
def trigger(
    event_type: Annotated[str, typer.Argument(help="A type that outside systems may send.")],
    data: Annotated[str | None, typer.Option("--data", "-d", help="JSON, @file or -; else the type's example.")] = None,
    output: Output = None,
) -> None:
    """Send an event, with the example of its type as data where none is given.

    crosstie events trigger erp.invoice.paid

    crosstie events trigger erp.invoice.paid --data '{"invoice_id": "INV-7"}'
    """
    api = http.connected()
    if data is None:
        found = [known for known in api.get("/api/v1/event-types")["data"] if known["name"] == event_type]
        if not found:
            raise Failure(f"There is no event type {event_type}.", MISSING, "`crosstie spec events` lists them")
        document: Any = found[0]["example"]["data"]
    else:
        document = nouns.document(data, required=True)
    event = {"event_id": str(ids.uuid7()), "event_type": event_type, "data": document}
    out.one(api.post("/api/v1/events", event), output)


def _wanted(types: Sequence[str] | None) -> dict[str, str]:
    return {"event_type": ",".join(types)} if types else {}
