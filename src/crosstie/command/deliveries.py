"""`crosstie deliveries`: what follows from the noun, and the recovery of what was given up."""

from __future__ import annotations

from typing import Annotated

import typer

from crosstie.command import http, nouns, out
from crosstie.command.failing import PARTIAL, Failure
from crosstie.command.out import Output


def group(name: str) -> typer.Typer:
    """The commands of the noun, and `recover`."""
    app = nouns.group(name)
    app.command("recover")(recover)
    return app


def recover(
    since: Annotated[str, typer.Option(help="What was given up from this time on (RFC 3339).")],
    endpoint: Annotated[str | None, typer.Option(help="Only of this webhook endpoint.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    output: Output = None,
) -> None:
    """Try again what was given up.

    crosstie deliveries recover --since 2026-03-01T00:00:00Z --dry-run

    crosstie deliveries recover --since 2026-03-01T00:00:00Z --endpoint ID
    """
    api = http.connected()
    ids = [endpoint] if endpoint else [each["id"] for each in api.pages("/api/v1/webhook-endpoints", {}, None)]
    answers, failed = [], 0
    with out.progress("Endpoints") as bar:
        for id in bar.track(ids):
            operation = api.post(f"/api/v1/webhook-endpoints/{id}/recover", {"since": since, "dry_run": dry_run})
            try:
                ended = api.finished(operation, lambda now: None)
            except Failure as failure:
                out.note(str(failure))
                failed += 1
            else:
                answers.append({"endpoint_id": id, "deliveries": ended["count"]})
    out.many(answers, output)
    if failed:
        raise Failure(f"{failed} of {len(ids)} endpoints could not be recovered.", PARTIAL)
