"""What outlives a start: where the data lie, the port, the passwords. One file in HOME, for its owner only."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import NamedTuple

import msgspec

from crosstie.errors import ConfigurationError

FILE = "embedded.json"
DATABASE = "crosstie"
SUPERUSER, OWNER, APP, WORKER = ROLES = ("crosstie", "crosstie_owner", "crosstie_app", "crosstie_worker")
PORTS = range(15_000, 30_000)  # below the ports that systems give to outgoing connections


class Dsns(NamedTuple):
    """The addresses of the embedded database, one for each role."""

    superuser: str
    owner: str
    app: str
    worker: str


class State(msgspec.Struct, kw_only=True):
    """`folder` is absolute, or relative to HOME."""

    folder: str
    port: int
    passwords: dict[str, str]

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """The address of `database` for `role`; passwords need no quoting in it."""
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    def dsns(self) -> Dsns:
        """The addresses for all four roles."""
        return Dsns(*(self.dsn(role) for role in ROLES))


def fresh(folder: str) -> State:
    """The state of a database that is yet to be made."""
    return State(folder=folder, port=free_port(), passwords={role: secrets.token_urlsafe(24) for role in ROLES})


def read(home: Path) -> State | None:
    """The state kept in `home`, or None; raises ConfigurationError where it cannot be read."""
    path = home / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}): run Crosstie as the user who made it, restore it, or move {home} away."
        ) from error


def write(home: Path, state: State) -> None:
    """Keeps `state` in `home`, whole or not at all; the file belongs to whom `home` belongs to."""
    path, aside = home / FILE, home / f"{FILE}.new"
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state)))
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        os.chown(aside, home.stat().st_uid, home.stat().st_gid)
    aside.replace(path)


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nobody listens now."""
    while True:
        port = secrets.choice(PORTS)
        if is_free(port):
            return port
