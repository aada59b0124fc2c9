"""Backup and restore: one tar file with a dump of the database, the media folder, and a manifest of both.

The dump is made by pg_dump through the owner's role under row-level security: the owner's policies are open only where
`app.owner` is on, and only here and in definer functions is it on. The master key is never in a backup: without it a
backup is useless, with it a leak. A restore raises the epoch of the installation, so that cursors go on behind
everything that the lost time may have held (log/read.py).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec

from crosstie import __version__
from crosstie.errors import ConfigurationError, CrosstieError

FORMAT = 1
DUMP, MANIFEST, MEDIA = "database.dump", "manifest.json", "media"
PIECE = 1 << 20
OWNER = "-c app.owner=on -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
#: told the bytes that were moved
Moved = Callable[[int], None]


class Part(msgspec.Struct, frozen=True):
    """One file of a backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, and what it takes to restore it."""

    format: int
    crosstie: str
    made_at: datetime
    postgresql: str
    revision: str
    epoch: int
    master_key: str
    roles: tuple[str, str, str]
    files: dict[str, Part]


async def backup(
    target: Path,
    dsn: str,
    *,
    programs: Path | None,
    media: Path,
    master_key: str,
    roles: tuple[str, str, str],
    moved: Moved,
) -> Manifest:
    """Write a backup to `target`, whole or not at all. `programs` is the folder of pg_dump, `dsn` the owner's."""
    facts = await _facts(dsn)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
        dump = Path(folder) / DUMP
        _run(programs, "pg_dump", ["--format=custom", "--enable-row-security", f"--file={dump}"], dsn)
        whole = Path(folder) / "whole.tar"
        files: dict[str, Part] = {}
        handle = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as tar:
            for path, name in [(dump, DUMP), *_media(media)]:
                tar.add(path, name, recursive=False)
                files[name] = _part(path, moved)
            made = Manifest(
                format=FORMAT, crosstie=__version__, made_at=datetime.now(UTC), master_key=master_key, roles=roles,
                files=files, **facts,
            )  # fmt: skip
            manifest = Path(folder) / MANIFEST
            manifest.write_bytes(msgspec.json.format(msgspec.json.encode(made)))
            tar.add(manifest, MANIFEST, recursive=False)
        with whole.open("rb+") as file:
            os.fsync(file.fileno())
        whole.replace(target)
    return made


async def restore(
    source: Path,
    dsn: str,
    *,
    programs: Path | None,
    media: Path,
    master_key: str,
    roles: tuple[str, str, str],
    moved: Moved,
) -> Manifest:
    """Load a backup into the empty database of `dsn` (the owner's). Nothing is touched unless all of it is whole.

    Raises ConfigurationError where key, roles or database do not fit, CrosstieError where the file is damaged.
    """
    await _refuse_full(dsn)
    media.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=media.parent, prefix=".restore-") as folder:
        manifest = _unpack(source, Path(folder), moved)
        if manifest.master_key != master_key:
            raise ConfigurationError(
                f"This backup was made under another master key ({manifest.master_key}): put that one in place; "
                "without it no secret in the backup can be opened."
            )
        if manifest.roles != roles:
            raise ConfigurationError(
                f"This backup names the database roles {', '.join(manifest.roles)} (owner, application, worker); "
                f"these settings name {', '.join(roles)}: use the same names."
            )
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        _run(programs, "pg_restore", [*options, f"--dbname={_bare(dsn)}", str(Path(folder) / DUMP)], dsn)
        for path, name in _media(Path(folder) / MEDIA):
            place = media.parent / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(place)
    return manifest


async def raise_epoch(dsn: str) -> int:
    """Begin a new epoch of the log: what is written from now on stands behind every cursor given so far."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL app.owner = 'on'")
            found: int = await connection.fetchval(
                "UPDATE installation SET epoch = epoch + 1,"
                " system_identifier = (SELECT system_identifier FROM pg_control_system()) RETURNING epoch"
            )
            return found
    finally:
        await connection.close()


async def _facts(dsn: str) -> dict[str, Any]:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL app.owner = 'on'")
            return {
                "postgresql": await connection.fetchval("SHOW server_version"),
                "revision": await connection.fetchval("SELECT version_num FROM alembic_version"),
                "epoch": await connection.fetchval("SELECT epoch FROM installation"),
            }
    finally:
        await connection.close()


async def _refuse_full(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    if found:
        raise ConfigurationError(
            "The database is not empty: restore into an empty one (a new CROSSTIE_HOME makes one)."
        )


def _unpack(source: Path, folder: Path, moved: Moved) -> Manifest:
    try:
        with tarfile.open(source) as tar:
            tar.extractall(folder, filter="data")
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, tarfile.TarError, msgspec.DecodeError) as error:
        raise CrosstieError(f"{source} is no whole backup: {error}.") from error
    if manifest.format != FORMAT:
        raise CrosstieError(f"{source} has format {manifest.format}; this version reads {FORMAT}.")
    for name, part in manifest.files.items():
        path = folder / name
        if not path.is_file() or _part(path, moved) != part:
            raise CrosstieError(f"{source} is damaged: {name} is not what the manifest says.")
    return manifest


def _media(folder: Path) -> list[tuple[Path, str]]:
    """The files of the media folder, with their names in a backup."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return [(path, f"{MEDIA}/{path.relative_to(folder).as_posix()}") for path in found]


def _part(path: Path, moved: Moved) -> Part:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
            moved(len(piece))
    return Part(size, digest.hexdigest())


def _run(programs: Path | None, name: str, options: list[str], dsn: str) -> None:
    """Run one of PostgreSQL's programs as the owner. The password goes by the environment, which others cannot read."""
    environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGOPTIONS": OWNER}
    password = urlsplit(dsn).password
    if password:
        environ["PGPASSWORD"] = unquote(password)
    command = [str(programs / name) if programs else name, *options]
    if name == "pg_dump":
        command.append(f"--dbname={_bare(dsn)}")
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no {name}: install the PostgreSQL client of your server's version."
        ) from error
    except subprocess.CalledProcessError as error:
        raise CrosstieError(f"{name} failed: {error.stderr.strip()[-2000:]}") from error


def _bare(dsn: str) -> str:
    """An address without its password."""
    url = urlsplit(dsn)
    user, at, host = url.netloc.rpartition("@")
    return url._replace(netloc=f"{user.partition(':')[0]}{at}{host}").geturl()
