"""Where files lie: a folder, or a bucket that speaks S3. Written whole or not at all, read in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

PIECE = 256 * 1024
PART = 5 * 1024 * 1024
"""Bytes of one part of a large upload, the least that S3 takes: what is held in memory at once is a few of these."""


class Missing(LookupError):
    """There is no such file."""


class Away(OSError):
    """The store cannot be reached, or refuses us."""


class Blobs:
    """Files by key. A key is written once."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def folder(cls, path: Path) -> Blobs:
        """Files in a folder that only its owner reads; made where it is missing."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(path))

    @classmethod
    def bucket(cls, name: str, *, endpoint: str, region: str, key_id: str, secret: str) -> Blobs:
        """Files in a bucket (AWS Signature Version 4). Without an endpoint it is Amazon's own; without a key id the
        machine's role signs."""
        keys = {"access_key_id": key_id, "secret_access_key": secret} if key_id else {}
        where = {"endpoint": endpoint} if endpoint else {}
        options = {"allow_http": True} if endpoint.startswith("http://") else {}
        return cls(S3Store(name, region=region, client_options=options, **where, **keys))  # type: ignore[arg-type]

    async def put(self, key: str, file: IO[bytes]) -> None:
        """Write a file, read from where it stands; whole or not at all. Raises Away."""
        try:
            await obstore.put_async(self._store, key, file, chunk_size=PART, max_concurrency=2)
        except (BaseError, OSError) as error:
            raise Away(type(error).__name__) from error

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces. Raises Missing or Away before the first."""
        try:
            found = await obstore.get_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            raise Missing(key) from None
        except (BaseError, OSError) as error:
            raise Away(type(error).__name__) from error

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=PIECE):
                yield bytes(piece)

        return pieces()

    async def names(self, beginning: str) -> AsyncIterator[str]:
        """The keys that begin so, in no order. Raises Away."""
        try:
            async for batch in obstore.list(self._store, beginning):
                for each in batch:
                    yield each["path"]
        except (BaseError, OSError) as error:
            raise Away(type(error).__name__) from error

    async def drop(self, key: str) -> None:
        """Take a file away; one that is not there is fine. Raises Away."""
        try:
            await obstore.delete_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise Away(type(error).__name__) from error
