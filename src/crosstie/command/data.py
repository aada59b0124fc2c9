"""Care of an installation: migrate, doctor, configuration, backup and restore."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from crosstie import settings as configuration
from crosstie.access import restored
from crosstie.access.master import masters
from crosstie.app import anchors, opened
from crosstie.catalog import catalogue
from crosstie.command import out
from crosstie.command.failing import FAILED, Failure
from crosstie.command.out import Form, Output
from crosstie.command.schema import bring
from crosstie.db.embedded import state
from crosstie.deliver.broker.address import Address, parse
from crosstie.deliver.broker.probe import probe
from crosstie.errors import ConfigurationError
from crosstie.installation import Installation, held
from crosstie.settings import Settings
from crosstie.watch import backup as archive
from crosstie.watch import doctor as clinic

migrate = out.command()
doctor = out.command()
config = out.group("The settings of this installation.")
backup = out.command()
restore = out.command()


@migrate.command("migrate")
def run_migrate(output: Output = None) -> None:
    """Bring the database to this version, while servers go on working.

    crosstie migrate

    CROSSTIE_DATABASE_OWNER_URL=postgresql://owner@db/crosstie crosstie migrate
    """
    with held(_settings(), out.note) as at:
        asyncio.run(bring(at))
        out.one({"migrated": True}, output)


@doctor.command("doctor")
def run_doctor(output: Output = None) -> None:
    """Look at everything that this installation needs; exit code 1 where something fails.

    crosstie doctor

    crosstie doctor -o json
    """

    async def examine(at: Installation) -> list[clinic.Finding]:
        patient = clinic.Patient(at.settings, at.app, at.worker, at.owner)
        return [finding async for finding in clinic.examine(patient, _brokers(at.settings))]

    with held(_settings(), out.note) as at:
        findings = asyncio.run(examine(at))
    out.many([asdict(finding) for finding in findings], output, ("state", "name", "detail", "fix"))
    failed = sum(finding.state == "fail" for finding in findings)
    if failed:
        raise Failure(f"{failed} of {len(findings)} checks failed.", FAILED)


def _brokers(settings: Settings) -> dict[str, clinic.Check]:
    """A check of each broker of the settings."""
    types = [each.name for each in catalogue().events.values() if each.open]

    def check(address: Address) -> clinic.Check:
        async def look(patient: clinic.Patient) -> clinic.Found:
            fault = await probe(address, settings, types)
            if fault is None:
                return "ok", "connected; what events go out to is there", ""
            return "fail", fault, "is it running, and may the user of its address make streams, exchanges and queues?"

        return look

    return {f"broker {address.name}": check(address) for address in map(parse, settings.brokers)}


@config.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    output: Output = None,
) -> None:
    """Print every setting, secrets masked; with the embedded database also how to reach it.

    crosstie config show --origin

    crosstie config show -o json
    """
    rows = configuration.show(os.environ, Path.cwd())
    form = out.chosen(output)
    if form is Form.JSON:
        listed = {row.name: {key: value for key, value in row._asdict().items() if key != "name"} for row in rows}
        out.one(listed | {"database": _database(_settings())}, form)
        return
    columns = ("name", "value", "origin", "doc") if origin else ("name", "value", "doc")
    out.many([row._asdict() for row in rows], form, columns)


def _database(settings: Settings) -> dict[str, Any]:
    if not settings.embedded:
        return {"embedded": False}
    kept = state.read(settings.home)
    dsns = kept.dsns() if kept else None
    return {
        "embedded": True,
        "superuser_dsn": dsns.superuser if dsns else None,
        "app_dsn": dsns.app if dsns else None,
    }


@backup.command("backup")
def run_backup(file: Annotated[Path, typer.Argument(help="Where to write it.")], output: Output = None) -> None:
    """Write a backup: the database and the media in one file. The master key is not in it: keep a copy elsewhere.

    crosstie backup /mnt/backups/crosstie-monday.tar

    crosstie backup backup.tar -o json
    """
    with held(_settings(), out.note) as at, _tools(at) as tools:
        made = asyncio.run(archive.backup(file.absolute(), at.owner_dsn, **tools))
    size = file.stat().st_size
    out.note("The master key is not in the backup: keep a copy of it in another place.")
    out.one({"file": str(file), "bytes": size, **_described(made)}, output)


@restore.command("restore")
def run_restore(file: Annotated[Path, typer.Argument(help="The backup.")], output: Output = None) -> None:
    """Load a backup into an empty database, under the master key that it was made under.

    CROSSTIE_HOME=/srv/crosstie-new crosstie restore /mnt/backups/crosstie-monday.tar

    crosstie restore backup.tar -o json
    """
    settings = _settings()
    if settings.key_in_file and not settings.master_key.exists():
        raise ConfigurationError(
            f"There is no master key at {settings.master_key}: a backup does not hold it, so put a copy there first"
            " (mode 0600)."
        )

    async def work(at: Installation, tools: dict[str, Any]) -> tuple[archive.Manifest, int]:
        made = await archive.restore(file.absolute(), at.owner_dsn, **tools)
        await bring(at)
        epoch = await archive.raise_epoch(at.owner_dsn)
        async with opened(settings, at.serving, work=False, name="restore") as process:
            facts = {"backup_made_at": made.made_at, "epoch": epoch}
            await restored.mark(process.log.app, process.vault, anchors(settings, process.vault), facts)
        return made, epoch

    with held(settings, out.note) as at, _tools(at) as tools:
        made, epoch = asyncio.run(work(at, tools))
    out.one({"file": str(file), **_described(made), "epoch": epoch}, output)


@contextmanager
def _tools(at: Installation) -> Iterator[dict[str, Any]]:
    """What backup and restore have in common, with a count of bytes on the way."""
    roles = at.roles
    with out.progress("Bytes checked") as bar:
        task = bar.add_task("", total=None)
        yield {
            "programs": at.embedded.binaries() if at.embedded else None,
            "media": at.settings.home / archive.MEDIA,
            "master_key": masters(at.settings).name(),
            "roles": (roles.owner, roles.app, roles.worker),
            "moved": lambda count: bar.advance(task, count),
        }


def _described(made: archive.Manifest) -> dict[str, Any]:
    return {
        "made_at": made.made_at, "crosstie": made.crosstie, "postgresql": made.postgresql, "epoch": made.epoch,
        "files": len(made.files),
    }  # fmt: skip


def _settings() -> Settings:
    return configuration.load(os.environ, Path.cwd())
