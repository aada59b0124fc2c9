"""An installation whose master key a Vault keeps wrapped: started, sealed, rotated, refused."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from crosstie.access import tenant as tenants
from crosstie.access.rotation import Rotation
from crosstie.app import Process, opened
from crosstie.errors import ConfigurationError
from crosstie.kit import crypto
from crosstie.settings import Settings
from tests.parts.keeper import Keeper, keeping
from tests.stage import Stage

MASTERS = "SELECT wrapped FROM data_keys WHERE purpose = 'master' ORDER BY made_at"


@dataclass
class Place:
    """A database of its own, and settings that name the Vault."""

    stage: Stage
    settings: Settings
    keeper: Keeper

    def process(self) -> AbstractAsyncContextManager[Process]:
        return opened(self.settings, self.stage.dsns, work=False, name="test")

    async def ask(self, query: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.stage.cluster.superuser)
        try:
            return [row[0] for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()


@pytest.fixture
def place() -> Iterator[Place]:
    home = Path(tempfile.mkdtemp(prefix="crosstie-test-"))
    stage = Stage(home)
    (home / "master.key").unlink()
    try:
        with keeping() as keeper:
            token = home / "token"
            token.write_text(keeper.token())
            token.chmod(0o600)
            settings = msgspec.structs.replace(stage.settings, vault_url=keeper.url, vault_token_file=token)
            yield Place(stage, settings, keeper)
    finally:
        stage.embedded.remove()
        shutil.rmtree(home, ignore_errors=True)


async def use(process: Process, slug: str) -> tuple[UUID, bytes]:
    """A new tenant with a sealed value."""
    id = await tenants.make(process.log.app, process.vault, slug=slug, name=slug)
    await process.vault.load(process.log.app, id)
    return id, process.vault.seal(id, b"kept", "secrets", "value", id)


async def opens(process: Process, id: UUID, sealed: bytes) -> bool:
    process.vault.doubt(id)
    await process.vault.load(process.log.app, id)
    return process.vault.open(id, sealed, "secrets", "value", id) == b"kept"


async def test_a_vault_is_asked_at_the_start_and_when_keys_are_rotated(place: Place) -> None:
    keeper = place.keeper
    async with place.process() as first, place.process() as second:
        assert keeper.asked.count("encrypt") == 1
        (wrapped,) = await place.ask(MASTERS)
        assert wrapped.startswith(b"vault:v1:")
        assert first.vault.pepper == second.vault.pepper
        kept = await use(first, "acme")
        assert await opens(second, *kept)

        # a process that runs needs the Vault no more
        keeper.sealed, asked = True, len(keeper.asked)
        other = await use(second, "other")
        assert await opens(first, *other)
        assert len(keeper.asked) == asked
        with pytest.raises(ConfigurationError, match="unseal it"):
            async with place.process():
                pass
        keeper.sealed = False

        # a new version in the Vault, and a new master key under it
        keeper.rotate()
        rotation = Rotation(first.log, first.vault)
        await place.ask("UPDATE data_keys SET wrapped_at = now() - interval '91 days' WHERE purpose = 'root'")
        await rotation.keep()
        present = await place.ask(MASTERS)
        assert [each[:9] for each in present] == [b"vault:v1:", b"vault:v2:"]
        wrappers = await place.ask("SELECT wrapped FROM data_keys WHERE purpose <> 'master'")
        assert {crypto.keyed_by(each) for each in wrappers} == {first.vault.master}
        assert await opens(first, *kept)
        assert await opens(second, *kept)
        late = await use(second, "late")
        assert await opens(first, *late)
        await rotation.keep()
        assert len(await place.ask(MASTERS)) == 2

        # a week later the former one goes, and the Vault may forget the version that wrapped it
        await place.ask("UPDATE data_keys SET made_at = made_at - interval '8 days' WHERE purpose = 'master'")
        await rotation.keep()
        assert len(await place.ask(MASTERS)) == 1
    keeper.keys["crosstie"].oldest = 2
    async with place.process() as third:
        assert await opens(third, *kept)
        assert await opens(third, *late)
    keeper.tokens.clear()
    with pytest.raises(ConfigurationError, match="refuses the token"):
        async with place.process():
            pass
