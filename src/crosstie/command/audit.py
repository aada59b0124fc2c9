"""Operator command on the audit log: verify it with public keys alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from crosstie import app
from crosstie import settings as configuration
from crosstie.access import anchor, verify
from crosstie.access import tenant as tenants
from crosstie.command import out
from crosstie.command.out import Output
from crosstie.db import engine
from crosstie.errors import ConfigurationError
from crosstie.installation import held
from crosstie.settings import Settings

audit = out.group("The audit log: verify that nobody changed it.")


@audit.command("verify")
def run_verify(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant: slug or id.")] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="Public key (PEM); else those in HOME/audit. May be repeated.")
    ] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoints", help="Folder or file of checkpoints; else HOME/audit and the bucket. Repeatable."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Address of the database; with it no settings and no keys are read."),
    ] = None,
    output: Output = None,
) -> None:
    """Look for entries that were changed, deleted or cut off; exit code 1 where there are any.

    crosstie audit verify

    crosstie audit verify --tenant acme -o json

    crosstie audit verify --database postgresql://auditor@db/crosstie --key crosstie.pub --checkpoints /mnt/audit
    """
    if database:
        if not key or not checkpoints:
            raise typer.BadParameter("with --database say where --key and --checkpoints are")
        report = asyncio.run(_verified(database, tenant, key, _lines(checkpoints)))
    else:
        settings = configuration.load(os.environ, Path.cwd())
        folder = settings.home / anchor.FOLDER
        with held(settings, out.note) as at:
            lines = _lines(checkpoints or [folder])
            if not checkpoints:
                lines += asyncio.run(_bucket_lines(settings))
            report = asyncio.run(_verified(at.app, tenant, key or sorted(folder.glob(anchor.KEYS)), lines))
    for end in report["unanchored"]:
        out.note(f"Tenant {end['tenant_id']}: entries {end['since']} to {end['until']} are covered by no checkpoint.")
    for lost in report["restored"]:
        out.note(f"Tenant {lost['tenant_id']}: entries {lost['since']} to {lost['until']} were lost by a restore.")
    if report["checkpoints_refused"]:
        out.note(f"{report['checkpoints_refused']} checkpoints are signed by none of these keys, and were left out.")
    out.one(report, output)
    if not report["ok"]:
        raise typer.Exit(1)


async def _verified(dsn: str, tenant: str | None, key: Sequence[Path], lines: Sequence[bytes]) -> dict[str, Any]:
    keys = anchor.read_keys(key)
    pool = await engine.pool(dsn, size=2, name="crosstie audit")
    try:
        named = [(await tenants.find(pool, tenant))["id"]] if tenant else None
        return (await verify.verify(pool, named, anchor.read(lines, keys))).document()
    finally:
        await pool.close()


def _lines(places: Sequence[Path]) -> list[bytes]:
    found: list[bytes] = []
    for place in places:
        if not place.exists():
            continue
        for path in sorted(place.rglob(anchor.LINES)) if place.is_dir() else [place]:
            found += path.read_bytes().splitlines()
    return found


async def _bucket_lines(settings: Settings) -> list[bytes]:
    if not settings.audit_bucket:
        return []
    bucket = app.bucket_of(settings, settings.audit_bucket)
    found: list[bytes] = []
    try:
        async for name in bucket.names(f"{anchor.FOLDER}/"):
            pieces = [piece async for piece in await bucket.read(name)]
            found += b"".join(pieces).splitlines()
    except OSError as error:
        raise ConfigurationError(f"The bucket {settings.audit_bucket} cannot be read ({error}).") from error
    return found
