"""One installation as its operator sees it: its database found or brought up, and its master key."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from crosstie.access import master
from crosstie.app import Dsns
from crosstie.db.embedded import Embedded, state
from crosstie.db.policies import Roles
from crosstie.errors import ConfigurationError, CrosstieError
from crosstie.settings import Settings


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the database is, for each role that this process may take; empty where it may not."""

    settings: Settings
    app: str
    worker: str
    owner: str
    embedded: Embedded | None = None

    @property
    def serving(self) -> Dsns:
        """The addresses for the two serving roles."""
        return Dsns(self.app, self.worker)

    @property
    def roles(self) -> Roles:
        """The names of the three database roles."""
        return Roles(role(self.owner_dsn), role(self.app), role(self.worker))

    @property
    def owner_dsn(self) -> str:
        """The owner's address. Raises ConfigurationError where it was not given."""
        if not self.owner:
            raise ConfigurationError("This needs the owner of the tables: set CROSSTIE_DATABASE_OWNER_URL.")
        return self.owner


def role(dsn: str) -> str:
    """The role that an address names."""
    url = urlsplit(dsn)
    return unquote(url.username or parse_qs(url.query).get("user", [""])[0])


@contextmanager
def held(settings: Settings, tell: Callable[[str], None], *, serves: bool = False) -> Iterator[Installation]:
    """The installation with its database running.

    An embedded one is stopped at the end where nobody else uses it: by a process that serves always, so that none is
    left over from a crash; by any other only where it started it.
    """
    if not settings.embedded:
        yield Installation(settings, settings.database_url, settings.database_worker_url, settings.database_owner_url)
        return
    with _shared(settings.home) as users:
        embedded = Embedded(settings.home)
        if not embedded.running():
            tell("Starting the embedded PostgreSQL")
        embedded.start()
        make_key(settings)
        try:
            yield attached(settings)
        finally:
            if (serves or embedded.started) and _alone(users):
                tell("Stopping the embedded PostgreSQL")
                embedded.stop()


def attached(settings: Settings) -> Installation:
    """The installation whose embedded database another process looks after, or that of the settings."""
    if not settings.embedded:
        return Installation(settings, settings.database_url, settings.database_worker_url, settings.database_owner_url)
    kept = state.read(settings.home)
    if kept is None:
        raise CrosstieError(f"There is no installation in {settings.home}: run `crosstie up` first.")
    dsns = kept.dsns()
    return Installation(settings, dsns.app, dsns.worker, dsns.owner, Embedded(settings.home))


def make_key(settings: Settings) -> None:
    """Make the master key where a file keeps it and there is none."""
    if settings.key_in_file:
        with suppress(FileExistsError):
            master.write(settings.master_key)


@contextmanager
def _shared(home: Path) -> Iterator[int]:
    """A lock that every process holds which uses the embedded database of `home`."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{error.filename} cannot be made ({error.strerror}): set CROSSTIE_HOME.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield handle
    finally:
        os.close(handle)


def _alone(users: int) -> bool:
    """Whether nobody else holds the lock; if so nobody gets it until it is closed."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
