"""`demo.json` in HOME: where the demo is, one login, one key; for the owner of HOME only."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import msgspec

FILE = "demo.json"


class Login(msgspec.Struct, frozen=True):
    """An admin of the demo tenant."""

    email: str
    password: str


class Named(msgspec.Struct, frozen=True):
    """The demo tenant."""

    id: UUID
    slug: str


class Demo(msgspec.Struct, frozen=True):
    """What the file holds."""

    url: str
    admin: Login
    tenant: Named
    api_key: str


def read(home: Path) -> Demo | None:
    """What is kept in `home`, or None where there is none that can be read."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=Demo)
    except (OSError, msgspec.DecodeError):
        return None


def write(home: Path, shown: Demo) -> None:
    """Keep it, whole or not at all."""
    private(home / FILE, msgspec.json.format(msgspec.json.encode(shown)))


def private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
