"""The database's password lies in a mounted file and is changed there, without a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from crosstie.app import opened
from crosstie.db import session
from crosstie.errors import ConfigurationError
from tests.stage import Stage, Tenant


def mounted(folder: Path, version: str, password: str) -> None:
    """Put a version of a secret in place as Kubernetes does: a folder of its own, and a link that is swapped."""
    (folder / version).mkdir()
    (folder / version / "password").write_text(f"{password}\n")
    (folder / version / "password").chmod(0o600)
    (folder / "next").symlink_to(version)
    (folder / "next").replace(folder / "data")


async def test_a_new_password_is_taken_from_the_mount(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    superuser = await stage.superuser()
    await superuser.execute("CREATE ROLE moved LOGIN PASSWORD 'first' IN ROLE crosstie_app")
    app = urlsplit(stage.cluster.app)
    place = app.netloc.rpartition("@")[2]
    mounted(tmp_path, "v1", "first")
    dsn = app._replace(netloc=f"moved@{place}", query=f"password_file={tmp_path}/data/password").geturl()
    try:
        async with opened(stage.settings, replace(stage.dsns, app=dsn), work=False, name="moved") as process:

            async def seen() -> int:
                async with session.of_tenant(process.log.app, tenant.id) as connection:
                    return int(await connection.fetchval("SELECT count(*) FROM api_keys"))

            assert await seen() == 1
            await superuser.execute("ALTER ROLE moved PASSWORD 'second'")
            assert await seen() == 1, "what is open stays open"
            mounted(tmp_path, "v2", "second")
            await process.log.app.expire_connections()
            assert await seen() == 1, "a new connection has the new password"
            mounted(tmp_path, "v3", "wrong")
            await process.log.app.expire_connections()
            with pytest.raises(asyncpg.InvalidPasswordError):
                await seen()
            (tmp_path / "data" / "password").chmod(0o644)
            with pytest.raises(ConfigurationError, match="others can read it"):
                await seen()
    finally:
        await superuser.execute("DROP ROLE moved")
        await superuser.close()
