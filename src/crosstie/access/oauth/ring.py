"""The keys that sign tokens: made here, sealed in the database, changed every few weeks without anybody noticing.

A new key is published before it signs, and stays published until nothing that it signed is still in use. Which key
signs follows from the clock alone, so that all processes agree without talking.
"""

from __future__ import annotations

import asyncio
import time
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
            if self._due(clock.now()):
                await self.rotate(clock.now() + AHEAD if self._keys else clock.now(), only_if_due=True)
            self._looked = started

    def find(self, kid: str, algorithm: str) -> Key | None:
        """The public key of a name, for the one algorithm that it is for."""
        found = self._keys.get(kid)
        return found.public if found and found.algorithm == algorithm and self._alive(found, clock.now()) else None

    def signer(self) -> Signing:
        """The key that signs now: the newest whose time has come. After `fresh`."""
        now = clock.now()
        return max((key for key in self._keys.values() if key.signs_from <= now), key=lambda key: key.signs_from)

    def published(self) -> dict[str, Any]:
        """The set of public keys (RFC 7517 §5). After `fresh`."""
        now = clock.now()
        alive = [key for key in self._keys.values() if self._alive(key, now)]
        return {
            "keys": [
                key.public.as_dict(private=False) | {"kid": str(key.id), "use": "sig", "alg": key.algorithm}
                for key in alive
            ]
        }

    async def rotate(self, signs_from: datetime, *, only_if_due: bool = False) -> None:
        """Make the next key, to sign from a moment on, and forget those that nobody needs any more."""
        await self._vault.load(self._pool, NOBODY)
        made = await asyncio.to_thread(_made, self._algorithm)
        async with session.of_tenant(self._pool, NOBODY) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            newest = await connection.fetchval("SELECT max(signs_from) FROM signing_keys")
            if not only_if_due or newest is None or newest + SIGNS - AHEAD <= clock.now():
                await self._add(connection, made, signs_from)
            gone = [key.id for key in self._keys.values() if not self._alive(key, clock.now())]
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

    def _due(self, now: datetime) -> bool:
        return max((key.signs_from for key in self._keys.values()), default=now - SIGNS) + SIGNS - AHEAD <= now

    def _alive(self, key: Signing, now: datetime) -> bool:
        followers = [other.signs_from for other in self._keys.values() if other.signs_from > key.signs_from]
        return not followers or min(followers) + KEPT > now


def _made(algorithm: str) -> RSAKey | ECKey:
    return RSAKey.generate_key(2048) if algorithm == "RS256" else ECKey.generate_key("P-256")
