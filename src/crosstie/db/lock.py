"""Advisory locks of PostgreSQL go by numbers: here is where they are drawn from names."""

from __future__ import annotations

from hashlib import blake2b


def number(name: bytes) -> int:
    """The number of the lock with this name, a signed 64-bit one. It is the same in every process and version."""
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)
