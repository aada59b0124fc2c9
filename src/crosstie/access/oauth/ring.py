"""The keys that sign tokens: made here, sealed in the database, changed every few weeks without anybody noticing.

A new key is published before it signs, and stays published until nothing that it signed is still in use. Which key
signs follows from the clock alone, so that all processes agree without talking.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from joserfc.jwk import ECKey, Key, RSAKey, import_key

from crosstie.access.vault import Vault
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.kit import clock, ids

#: what belongs to the installation, not to a tenant
NOBODY = UUID(int=0)
LOCK = 7_225_318_424
#: how long a key signs; published before, and kept after
SIGNS, AHEAD, KEPT = timedelta(days=30), timedelta(hours=1), timedelta(days=1)
#: seconds that verifiers may keep the set
CACHED = 300
#: seconds between two looks at the table, and where an unknown key is asked for
FRESH, NEWS = 3.0, 0.5

KEYS = "SELECT id, algorithm, public, private, signs_from FROM signing_keys ORDER BY signs_from, id"
ADD = "INSERT INTO signing_keys (tenant_id, id, algorithm, public, private, signs_from) VALUES ($1, $2, $3, $4, $5, $6)"


@dataclass(frozen=True, slots=True)
class Signing:
    """One key. `private` is None where only its public half is of use any more."""

    id: UUID
    algorithm: str
    public: Key
    private: Key
    signs_from: datetime


class Ring:
    """The keys as one process knows them."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, algorithm: str = "RS256") -> None:
        self._pool = pool
        self._vault = vault
        self._algorithm = algorithm
        self._keys: dict[str, Signing] = {}
        self._looked = -FRESH
        self._looking = asyncio.Lock()

    async def fresh(self, kid: object = None) -> None:
        """Know the keys as they were seconds ago; make the first, and the next where its time has come.

        A key that is asked for and unknown may be a second old: another process has just made it.
        """
        seconds = FRESH if kid is None or kid in self._keys else NEWS
        if time.monotonic() - self._looked < seconds:
            return
        async with self._looking:
            if time.monotonic() - self._looked < seconds:
                return
            started = time.monotonic()
            await self._read()
            if due((key.signs_from for key in self._keys.values()), clock.now()):
                await self.rotate(clock.now() + AHEAD if self._keys else clock.now(), only_if_due=True)
            self._looked = started

    def find(self, kid: str, algorithm: str) -> Key | None:
        """The public key of a name, for the one algorithm that it is for."""
        found = self._keys.get(kid)
        good = found and found.algorithm == algorithm and found in alive(self._keys.values(), clock.now())
        return found.public if found and good else None

    def signer(self) -> Signing:
        """The key that signs now. After `fresh`."""
        return signer(self._keys.values(), clock.now())

    def published(self) -> dict[str, Any]:
        """The set of public keys (RFC 7517 §5). After `fresh`."""
        return {
            "keys": [
                key.public.as_dict(private=False) | {"kid": str(key.id), "use": "sig", "alg": key.algorithm}
                for key in alive(self._keys.values(), clock.now())
            ]
        }

    async def rotate(self, signs_from: datetime, *, only_if_due: bool = False) -> None:
        """Make the next key, to sign from a moment on, and forget those that nobody needs any more."""
        await self._vault.load(self._pool, NOBODY)
        made = await asyncio.to_thread(_made, self._algorithm)
        async with session.of_tenant(self._pool, NOBODY) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            times = [row["signs_from"] for row in await connection.fetch("SELECT signs_from FROM signing_keys")]
            if not only_if_due or due(times, clock.now()):  # another process may have been here first
                await self._add(connection, made, signs_from)
            kept = alive(self._keys.values(), clock.now())
            gone = [key.id for key in self._keys.values() if key not in kept]
            await connection.execute("DELETE FROM signing_keys WHERE id = ANY($1)", gone)
        await self._read()

    async def _add(self, connection: Connection, made: RSAKey | ECKey, signs_from: datetime) -> None:
        id = ids.uuid7()
        plain = msgspec.json.encode(made.as_dict(private=True))
        sealed = self._vault.seal(NOBODY, plain, "signing_keys", "private", id)
        await connection.execute(ADD, NOBODY, id, self._algorithm, made.as_dict(private=False), sealed, signs_from)

    async def _read(self) -> None:
        await self._vault.load(self._pool, NOBODY)
        async with session.of_tenant(self._pool, NOBODY) as connection:
            rows = await connection.fetch(KEYS)
            await self._vault.know(connection, [row["private"] for row in rows])
        self._keys = {str(row["id"]): self._keys.get(str(row["id"])) or self._opened(row) for row in rows}

    def _opened(self, row: asyncpg.Record) -> Signing:
        plain = self._vault.open(NOBODY, row["private"], "signing_keys", "private", row["id"])
        private = import_key(msgspec.json.decode(plain))
        return Signing(row["id"], row["algorithm"], import_key(row["public"]), private, row["signs_from"])


def signer(keys: Iterable[Signing], now: datetime) -> Signing:
    """The newest key whose time has come; where the one that should sign was taken away, the next."""
    every = sorted(keys, key=lambda key: (key.signs_from, key.id))
    return [every[0], *(key for key in every if key.signs_from <= now)][-1]


def alive(keys: Iterable[Signing], now: datetime) -> list[Signing]:
    """The keys that sign, will sign, or signed what may still be in use."""
    every = sorted(keys, key=lambda key: (key.signs_from, key.id))
    followers = [*(key.signs_from for key in every[1:]), None]
    return [key for key, until in zip(every, followers, strict=False) if until is None or until + KEPT > now]


def due(times: Iterable[datetime], now: datetime) -> bool:
    """Whether the next key must be made: the newest, of these beginnings, will soon have signed long enough."""
    return max(times, default=now - SIGNS) + SIGNS - AHEAD <= now


def _made(algorithm: str) -> RSAKey | ECKey:
    return RSAKey.generate_key(2048) if algorithm == "RS256" else ECKey.generate_key("P-256")
