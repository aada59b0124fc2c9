"""Connections: asyncpg pools for the serving roles, with JSON spoken on the connection."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import msgspec

from crosstie.errors import ConfigurationError
from crosstie.kit import json
from crosstie.settings.guards import exposed

Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection
#: what a database says that stops, starts, fails over, has no room or is held by somebody else, and what its wire says
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
)
#: what a loop that looks again survives: whatever the database or its wire says
TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
#: whoever waits longer for a lock than this gets an error, and asks again
LOCK_TIMEOUT = "10s"


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_encode, decoder=msgspec.json.decode)
    # the log keeps the caller's own numbers and order of keys: json passes through as text
    await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str)


def _encode(value: Any) -> str:
    return json.dumps(value).decode()


async def _end(connection: asyncpg.Connection) -> None:
    """Every setting is local to its transaction: ending one that was cut off is all there is to reset."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def pool(dsn: str, *, size: int, name: str, statement_seconds: int = 30, idle_seconds: int = 60) -> asyncpg.Pool:
    """A pool of connections. `name` is what pg_stat_activity shows.

    A statement that outlives its seconds is a bug: imports and replays write in small commits, since a long writing
    transaction holds back every reader of the log.
    """
    bare, secret = apart(dsn)
    return await asyncpg.create_pool(
        bare,
        min_size=1,
        max_size=size,
        init=_prepare,
        reset=_end,
        **secret,
        **_options(name, statement_seconds, idle_seconds),
    )


async def connect(
    dsn: str, *, name: str = "crosstie", statement_seconds: int = 0, idle_seconds: int = 0, patience: float = 60
) -> asyncpg.Connection:
    """One connection outside a pool: for listening, for operators, for a seat. 0 seconds are no limit."""
    bare, secret = apart(dsn)
    options = _options(name, statement_seconds, idle_seconds)
    connection: asyncpg.Connection = await asyncpg.connect(bare, timeout=patience, **secret, **options)
    await _prepare(connection)
    return connection


def apart(dsn: str) -> tuple[str, dict[str, Any]]:
    """An address without `password_file`, and what reads that file for each new connection, so that a password that is
    changed where it is mounted is taken without a restart."""
    url = urlsplit(dsn)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    path = query.pop("password_file", "")
    if not path:
        return dsn, {}
    return url._replace(query=urlencode(query)).geturl(), {"password": partial(_password, Path(path))}


def _password(path: Path) -> str:
    try:
        if exposed(path.stat()):
            raise ConfigurationError(f"{path} is a password and others can read it: run `chmod 600 {path}`.")
        return path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(f"The database's password {path} cannot be read ({error.strerror}).") from error


def _options(name: str, statement_seconds: int, idle_seconds: int) -> dict[str, Any]:
    settings = {"application_name": name, "timezone": "UTC", "jit": "off"}
    if statement_seconds:
        settings["statement_timeout"] = f"{statement_seconds}s"
        settings["idle_in_transaction_session_timeout"] = f"{idle_seconds}s"
        settings["lock_timeout"] = LOCK_TIMEOUT
    return {
        "statement_cache_size": 512,
        "max_cached_statement_lifetime": 0,
        "command_timeout": statement_seconds + 30 if statement_seconds else None,
        "server_settings": settings,
    }


async def wait_until_ready(dsn: str, seconds: float) -> None:
    """Return when the database answers; raises the last error after `seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            bare, secret = apart(dsn)
            connection = await asyncpg.connect(bare, timeout=5, **secret)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            if loop.time() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            await connection.close()
            return
