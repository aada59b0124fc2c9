"""Where the master keys come from: a file, the environment, or a Vault that keeps them wrapped.

A master key is 32 bytes. The first that a provider gives wraps new keys; the others are former ones that it still has,
so that what they wrapped can be read until a rotation has wrapped it again.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode
from pathlib import Path
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from crosstie.db import session
from crosstie.errors import ConfigurationError
from crosstie.kit import crypto
from crosstie.kit.kv import Kv
from crosstie.kit.transit import Line, Transit, TransitError
from crosstie.settings import Settings
from crosstie.settings.guards import exposed

#: the tenant of what belongs to the installation
NIL = UUID(int=0)
#: what a row of `data_keys` is for that holds a master key, wrapped by a Vault
MASTER = "master"
#: seconds after which a token is tried again that could not be renewed, or needs no renewal
RETRY = 60.0

logger = structlog.get_logger()


class Masters(Protocol):
    """A provider of master keys."""

    #: whether a rotation needs nobody who puts keys in place or keeps copies of them
    automatic: bool

    def name(self) -> str:
        """The public name of the newest key, or of what wraps it: a backup is opened with this one."""
        ...

    async def read(self, pool: asyncpg.Pool) -> list[bytes]:
        """Every master key, the newest first. Raises ConfigurationError."""
        ...

    async def renew(self, pool: asyncpg.Pool) -> None:
        """Make a new one, which `read` then gives first. Raises ConfigurationError where only the operator can."""
        ...

    async def retire(self, pool: asyncpg.Pool) -> str:
        """Nothing is wrapped under a former one any more: put it out of the way. What the operator should know."""
        ...

    async def live(self) -> None:
        """What the provider must go on doing while a process runs."""
        ...


class FileMasters:
    """A file of 32 bytes; while a rotation runs, the former key lies beside it with `.old` at its name.

    Read anew each time: a Kubernetes secret that is swapped under its mount is taken without a restart.
    """

    automatic = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old = path.with_name(f"{path.name}.old")

    def name(self) -> str:
        return str(crypto.identify(_read(self._path)))

    async def read(self, pool: asyncpg.Pool) -> list[bytes]:
        found = [_read(self._path)]
        if self._old.exists():
            found.append(_read(self._old))
        return found

    async def renew(self, pool: asyncpg.Pool) -> None:
        """In steps that can be cut anywhere: the former key is beside the file before the new one is in it."""
        if self._old.exists() and _read(self._old) != _read(self._path):
            return  # the new one is in place already
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.unlink(missing_ok=True)
            write(new)
            self._old.unlink(missing_ok=True)
            os.link(self._path, self._old)
            new.replace(self._path)
            _flush(self._path.parent)
        except OSError as error:
            raise ConfigurationError(
                f"The master key {self._path} cannot be replaced from here ({error.strerror}): put a new one there and"
                f" the former one beside it as {self._old.name}, on every machine, then run this again."
            ) from error

    async def retire(self, pool: asyncpg.Pool) -> str:
        if not self._old.exists():
            return ""
        kept = self._path.with_name(f"{self._path.name}.{crypto.identify(_read(self._old))}")
        try:
            self._old.rename(kept)
        except OSError:
            kept = self._old
        return (
            f"Nothing here is wrapped under the former master key any more. It is {kept}: keep it, apart from the"
            f" backups, for as long as backups made under it are kept; and keep a copy of {self._path}."
        )

    async def live(self) -> None:
        """A file needs no care."""


class GivenMasters:
    """Keys from the environment, in base64: the present one, and during a rotation the former one."""

    automatic = False

    def __init__(self, present: str, former: str) -> None:
        self._keys = [b64decode(text) for text in (present, former) if text]

    def name(self) -> str:
        return str(crypto.identify(self._keys[0]))

    async def read(self, pool: asyncpg.Pool) -> list[bytes]:
        return self._keys

    async def renew(self, pool: asyncpg.Pool) -> None:
        if len(self._keys) < 2:
            raise ConfigurationError(
                "The master key comes from the environment: put a new one into CROSSTIE_MASTER_KEY_BASE64 and the"
                " present one into CROSSTIE_FORMER_MASTER_KEY_BASE64, everywhere, then run this again."
            )

    async def retire(self, pool: asyncpg.Pool) -> str:
        if len(self._keys) < 2:
            return ""
        return (
            "Nothing here is wrapped under the former master key any more: unset CROSSTIE_FORMER_MASTER_KEY_BASE64, and"
            " keep the key, apart from the backups, for as long as backups made under it are kept."
        )

    async def live(self) -> None:
        """An environment needs no care."""


class WrappedMasters:
    """Keys that lie in the database, each wrapped by the transit engine of a Vault: it is asked when a process starts.

    A process that runs needs the Vault no more: it may be sealed, restarted, or away.
    """

    automatic = True

    def __init__(self, transit: Transit) -> None:
        self._transit = transit
        self._known: dict[UUID, bytes] = {}

    def name(self) -> str:
        return f"transit {self._transit.name}"

    async def read(self, pool: asyncpg.Pool) -> list[bytes]:
        rows = await self._rows(pool)
        if not rows:
            await self.renew(pool)
            rows = await self._rows(pool)
        for row in rows:
            if row["id"] not in self._known:
                self._known[row["id"]] = await self._opened(row["id"], bytes(row["wrapped"]).decode())
        return [self._known[row["id"]] for row in rows]

    async def renew(self, pool: asyncpg.Pool) -> None:
        master = os.urandom(crypto.KEY)
        id = crypto.identify(master)
        try:
            wrapped = await self._transit.encrypt(master, _bound(id))
        except (TransitError, OSError) as error:
            raise ConfigurationError(f"The master key cannot be wrapped: {error}") from error
        async with session.of_tenant(pool, NIL) as connection:
            await connection.execute(
                "INSERT INTO data_keys (tenant_id, id, purpose, wrapped) VALUES ($1, $2, $3, $4)",
                NIL, id, MASTER, wrapped.encode(),
            )  # fmt: skip

    async def retire(self, pool: asyncpg.Pool) -> str:
        """Former ones stay for a week: until then every process has heard of the new one, and used it alone."""
        async with session.of_tenant(pool, NIL) as connection:
            await connection.execute(
                "DELETE FROM data_keys WHERE purpose = $1 AND made_at < (SELECT max(made_at) FROM data_keys"
                " WHERE purpose = $1 AND made_at < now() - interval '7 days')",
                MASTER,
            )
        return ""

    async def live(self) -> None:
        """Have the token live on, until cancelled."""
        await _lived(self._transit)

    async def _rows(self, pool: asyncpg.Pool) -> list[asyncpg.Record]:
        async with session.of_tenant(pool, NIL) as connection:
            return await connection.fetch(
                "SELECT id, wrapped FROM data_keys WHERE purpose = $1 ORDER BY made_at DESC, id DESC", MASTER
            )

    async def _opened(self, id: UUID, wrapped: str) -> bytes:
        try:
            found = await self._transit.decrypt(wrapped, _bound(id))
        except (TransitError, OSError) as error:
            raise ConfigurationError(f"The master key cannot be unwrapped: {error}") from error
        if len(found) != crypto.KEY or crypto.identify(found) != id:
            raise ConfigurationError(
                f"What the Vault unwrapped is not the master key {id}: correct CROSSTIE_VAULT_KEY."
            )
        return found


class KeptMasters:
    """Keys in base64 that lie in a Vault's key-value engine: `key`, and during a rotation the former one as `former`.

    Asked for when a process starts and at each look of a rotation. A process that runs goes on with what it knows while
    the Vault is sealed or away.
    """

    automatic = False

    def __init__(self, kv: Kv) -> None:
        self._kv = kv
        self._known: list[bytes] = []

    def name(self) -> str:
        return f"kv {self._kv.name}"

    async def read(self, pool: asyncpg.Pool) -> list[bytes]:
        try:
            found = await self._kv.read()
            self._known = [self._decoded(name, found[name]) for name in ("key", "former") if found.get(name)]
        except (TransitError, OSError) as error:
            if not self._known:
                raise ConfigurationError(f"The master key cannot be had: {error}") from error
            logger.warning("vault.not_asked", error=str(error))
        if not self._known:
            raise ConfigurationError(f"The Vault's {self._kv.name} has no field `key`: put 32 bytes in base64 there.")
        return self._known

    def _decoded(self, name: str, text: object) -> bytes:
        try:
            key = b64decode(str(text), validate=True)
        except ValueError:
            key = b""
        if len(key) != crypto.KEY:
            raise ConfigurationError(f"{name} of the Vault's {self._kv.name} must be {crypto.KEY} bytes in base64.")
        return key

    async def renew(self, pool: asyncpg.Pool) -> None:
        if len(await self.read(pool)) < 2:
            raise ConfigurationError(
                f"The master key lies in the Vault's {self._kv.name}: write a version with a new `key` and the present"
                " one as `former`, then run this again."
            )

    async def retire(self, pool: asyncpg.Pool) -> str:
        if len(self._known) < 2:
            return ""
        return (
            "Nothing here is wrapped under the former master key any more: write a version without `former`, and keep"
            " the older versions for as long as backups made under them are kept."
        )

    async def live(self) -> None:
        """Have the token live on, until cancelled."""
        await _lived(self._kv)


async def _lived(line: Line) -> None:
    """Renew at half of a token's life; what fails is tried again several times before it ends."""
    usual = RETRY
    while True:
        wait = min(RETRY, max(1.0, usual / 4))
        try:
            lease = await line.renew()
            wait = usual = max(1.0, lease / 2) if lease else RETRY
        except (TransitError, OSError) as error:
            logger.warning("vault.token_not_renewed", error=str(error))
        await asyncio.sleep(wait)


def _bound(id: UUID) -> bytes:
    """A wrapped master key opens as this one only."""
    return b"crosstie master key " + id.bytes


def masters(settings: Settings) -> Masters:
    """The provider that the settings name."""
    if settings.vault_url and settings.vault_token_file and settings.vault_kv_path:
        return KeptMasters(
            Kv(
                settings.vault_url,
                settings.vault_token_file,
                mount=settings.vault_mount,
                path=settings.vault_kv_path,
                namespace=settings.vault_namespace,
                ca=settings.vault_ca_file,
            )
        )
    if settings.vault_url and settings.vault_token_file:
        return WrappedMasters(
            Transit(
                settings.vault_url,
                settings.vault_token_file,
                mount=settings.vault_mount,
                key=settings.vault_key,
                namespace=settings.vault_namespace,
                ca=settings.vault_ca_file,
            )
        )
    if settings.master_key_base64:
        return GivenMasters(settings.master_key_base64, settings.former_master_key_base64)
    return FileMasters(settings.master_key)


def _flush(folder: Path) -> None:
    """Have what was renamed in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path) -> None:
    """A new master key in a file for its owner only, on disk when this returns. Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(crypto.KEY))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        key = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The master key {path} cannot be read ({error.strerror}): set CROSSTIE_MASTER_KEY_FILE."
        ) from error
    if exposed(found):
        raise ConfigurationError(f"{path} is a key and others can read it: run `chmod 600 {path}`.")
    if len(key) != crypto.KEY:
        raise ConfigurationError(f"The master key {path} must have exactly {crypto.KEY} bytes; it has {len(key)}.")
    return key
