"""The master key in a Vault's key-value engine: ours against a server of our own, which hvac fills and finds true."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import hvac
import pytest
from msgspec.structs import replace

from crosstie.access.master import KeptMasters, masters
from crosstie.app import opened
from crosstie.errors import ConfigurationError
from crosstie.kit.kv import Kv
from crosstie.kit.transit import TransitError
from tests.parts.keeper import Keeper, keeping
from tests.stage import Stage, Tenant

OLD, NEW = os.urandom(32), os.urandom(32)
NOWHERE: asyncpg.Pool = None  # type: ignore[assignment]  # these keys lie in no database


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with keeping() as found:
        yield found


@pytest.fixture
def token(tmp_path: Path, keeper: Keeper) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{keeper.token()}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def kv(keeper: Keeper, token: Path) -> Kv:
    return Kv(keeper.url, token, mount="secret", path="crosstie/master")


def put(keeper: Keeper, **values: bytes) -> None:
    """Write a version with the client of others."""
    client = hvac.Client(url=keeper.url, token=keeper.token(), namespace=keeper.namespace or None)
    secret = {name: b64encode(value).decode() for name, value in values.items()}
    client.secrets.kv.v2.create_or_update_secret("crosstie/master", secret, mount_point="secret")
    found = client.secrets.kv.v2.read_secret_version(
        "crosstie/master", mount_point="secret", raise_on_deleted_version=True
    )
    assert found["data"]["data"] == secret


async def test_the_newest_version_is_read(keeper: Keeper, kv: Kv) -> None:
    with pytest.raises(TransitError, match="no such engine or key"):
        await kv.read()
    put(keeper, key=OLD)
    put(keeper, key=NEW, former=OLD)
    assert await KeptMasters(kv).read(NOWHERE) == [NEW, OLD]


async def test_what_is_known_serves_while_the_vault_is_sealed(keeper: Keeper, kv: Kv) -> None:
    put(keeper, key=OLD)
    found = KeptMasters(kv)
    assert await found.read(NOWHERE) == [OLD]
    keeper.sealed = True
    assert await found.read(NOWHERE) == [OLD]
    with pytest.raises(ConfigurationError, match="sealed or not active"):
        await KeptMasters(kv).read(NOWHERE)
    keeper.sealed = False
    keeper.tokens.clear()
    with pytest.raises(ConfigurationError, match="refuses the token"):
        await KeptMasters(kv).read(NOWHERE)


async def test_what_is_no_key_is_refused(keeper: Keeper, kv: Kv) -> None:
    for values in ({"other": OLD}, {"key": OLD[:31]}, {"key": NEW, "former": b"x"}):
        put(keeper, **values)
        with pytest.raises(ConfigurationError, match=r"key|former"):
            await KeptMasters(kv).read(NOWHERE)


async def test_only_the_operator_can_put_a_new_one_there(keeper: Keeper, kv: Kv) -> None:
    put(keeper, key=OLD)
    found = KeptMasters(kv)
    with pytest.raises(ConfigurationError, match="`former`"):
        await found.renew(NOWHERE)
    put(keeper, key=NEW, former=OLD)
    await found.renew(NOWHERE)
    assert "without `former`" in await found.retire(NOWHERE)


async def test_an_installation_is_opened_with_it(keeper: Keeper, token: Path, stage: Stage, tenant: Tenant) -> None:
    put(keeper, key=(stage.home / "master.key").read_bytes())
    settings = replace(
        stage.settings,
        vault_url=keeper.url,
        vault_token_file=token,
        vault_mount="secret",
        vault_kv_path="crosstie/master",
    )
    assert masters(settings).name() == "kv secret/crosstie/master"
    async with opened(settings, stage.dsns, work=False, name="kv") as process:
        await process.vault.load(process.log.app, tenant.id)
        assert process.vault.witness
    put(keeper, key=NEW)
    with pytest.raises(ConfigurationError, match="put it back"):
        async with opened(settings, stage.dsns, work=False, name="kv"):
            pass
