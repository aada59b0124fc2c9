"""The doctor: looks at everything that an installation needs, and says of each thing what would help."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import asyncpg
from alembic.script import ScriptDirectory
from cryptography import x509

from crosstie.access.master import NIL, masters
from crosstie.access.rotation import AGE
from crosstie.access.vault import ROOT, Vault
from crosstie.db import engine, migrate, session
from crosstie.errors import ConfigurationError
from crosstie.settings import Settings
from crosstie.settings.guards import exposed

NAME = "crosstie doctor"
State = Literal["ok", "warn", "fail"]
DISK, FILES = 1 << 30, 4096
SKEW = timedelta(seconds=2)
EXPIRY = timedelta(days=14)
STALE = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at: settings, and the databases' addresses by role."""

    settings: Settings
    app: str
    worker: str
    owner: str = ""


async def examine(patient: Patient, more: Mapping[str, Check]) -> AsyncIterator[Finding]:
    """Every finding, in order, with `more` that others look at; a check that cannot be made is a finding, too."""
    for name, check in {**CHECKS, **more}.items():
        try:
            found = await check(patient)
        except FAILURES as error:
            found = ("fail", f"{type(error).__name__}: {error}", "")
        yield Finding(name, *found)


Found = tuple[State, str, str]
Check = Callable[[Patient], Awaitable[Found]]
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError, LookupError, ConfigurationError)


async def _python(patient: Patient) -> Found:
    version = ".".join(map(str, sys.version_info[:3]))
    return ("ok", version, "") if sys.version_info >= (3, 11) else ("fail", version, "install Python 3.11 or newer")


async def _home(patient: Patient) -> Found:
    home = patient.settings.home
    mode = home.stat().st_mode & 0o777
    if not os.access(home, os.W_OK):
        return "fail", f"{home} cannot be written", f"give {home} to the user who runs Crosstie"
    return ("warn", f"{home} is open to others", f"chmod 700 {home}") if mode & 0o077 else ("ok", str(home), "")


async def _disk(patient: Patient) -> Found:
    free = shutil.disk_usage(patient.settings.home).free
    words = f"{free / (1 << 30):.1f} GiB free"
    return ("ok", words, "") if free >= DISK else ("warn", words, "make room: PostgreSQL stops when the disk is full")


async def _files(patient: Patient) -> Found:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FILES:
        return "warn", f"{hard} open files", "raise the limit (ulimit -Hn): each webhook under way needs one"
    return "ok", "unlimited" if hard == resource.RLIM_INFINITY else f"{hard} open files", ""


async def _database(patient: Patient) -> Found:
    connection = await engine.connect(patient.app, name=NAME, patience=10)
    try:
        version = await connection.fetchval("SHOW server_version")
        off = [name for name in ("fsync", "synchronous_commit", "full_page_writes")
               if await connection.fetchval(f"SHOW {name}") == "off"]  # fmt: skip
        if connection.get_server_version().major < 15:
            return "fail", f"PostgreSQL {version}", "use PostgreSQL 15 or newer"
        if off:
            return "fail", f"{', '.join(off)} off", "turn it on: a power cut would lose what was acknowledged"
        return "ok", f"PostgreSQL {version}", ""
    finally:
        await connection.close()


async def _roles(patient: Patient) -> Found:
    for dsn in (patient.app, patient.worker):
        connection = await engine.connect(dsn, name=NAME, patience=10)
        try:
            row = await connection.fetchrow(
                "SELECT rolname, rolsuper OR rolbypassrls AS powerful, EXISTS (SELECT FROM pg_class"
                " WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace) AS owns"
                " FROM pg_roles r WHERE rolname = current_user"
            )
        finally:
            await connection.close()
        assert row is not None
        if row["powerful"] or row["owns"]:
            return "fail", f"{row['rolname']} sees past row-level security", "serve with a role that owns nothing"
    return "ok", "two roles, both under row-level security", ""


async def _schema(patient: Patient) -> Found:
    if not patient.owner:
        return "warn", "not looked at", "set CROSSTIE_DATABASE_OWNER_URL: only the owner sees the revision"
    wanted = ScriptDirectory.from_config(migrate.config()).get_current_head()
    connection = await engine.connect(patient.owner, name=NAME, patience=10)
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    finally:
        await connection.close()
    return (
        ("ok", f"revision {found}", "") if found == wanted else ("fail", f"{found}, not {wanted}", "crosstie migrate")
    )


async def _clock(patient: Patient) -> Found:
    connection = await engine.connect(patient.app, name=NAME, patience=10)
    try:
        before = datetime.now(UTC)
        there = await connection.fetchval("SELECT clock_timestamp()")
        after = datetime.now(UTC)
    finally:
        await connection.close()
    skew = max(before - there, there - after, timedelta())
    words = f"{skew.total_seconds():.1f} s from the database's"
    return (
        ("ok", words, "") if skew <= SKEW else ("fail", words, "run a time service (chrony): signatures carry the time")
    )


async def _key(patient: Patient) -> Found:
    path = patient.settings.master_key
    if patient.settings.key_in_file and exposed(path.stat()):
        return "fail", f"{path} is open to others", f"chmod 600 {path}"
    pool = await engine.pool(patient.app, size=2, name=NAME)
    try:
        vault = await Vault.opened(pool, masters(patient.settings))
        tenants = await pool.fetch("SELECT id FROM tenant_list() ORDER BY id LIMIT 1")
        for row in tenants:
            await vault.load(pool, row["id"])
        async with session.of_tenant(pool, NIL) as connection:
            age = await connection.fetchval("SELECT now() - min(wrapped_at) FROM data_keys WHERE purpose = $1", ROOT)
    finally:
        await pool.close()
    if age > AGE:
        return "warn", f"in use for {age.days} days", "`crosstie secrets rotate --master` makes a new one"
    return "ok", "opens the tenants' keys" if tenants else "in place", ""


async def _queue(patient: Patient) -> Found:
    connection = await engine.connect(patient.worker, name=NAME, patience=10)
    try:
        (row,) = await connection.fetch("SELECT * FROM queue_depth()")
    finally:
        await connection.close()
    words = f"{row['waiting']} deliveries wait, the oldest due for {row['oldest']:.0f} s"
    return ("ok", words, "") if row["oldest"] < STALE else ("warn", words, "is a worker running? `crosstie worker`")


async def _certificate(patient: Patient) -> Found:
    path = patient.settings.tls_cert_file
    if path is None:
        return "ok", "none: TLS is spoken by a proxy, or on loopback only", ""
    ends = _ends(path)
    left = ends - datetime.now(UTC)
    state: State = "fail" if left < timedelta() else "warn" if left < EXPIRY else "ok"
    return state, f"valid until {ends:%Y-%m-%d}", "" if state == "ok" else "renew it"


def _ends(path: Path) -> datetime:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


CHECKS: dict[str, Check] = {
    "python": _python,
    "home": _home,
    "disk": _disk,
    "open files": _files,
    "database": _database,
    "roles": _roles,
    "schema": _schema,
    "clock": _clock,
    "master key": _key,
    "queue": _queue,
    "certificate": _certificate,
}
