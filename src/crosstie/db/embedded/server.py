"""Start, stop and find again the embedded PostgreSQL of one HOME."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crosstie.db.embedded import process, roles, state
from crosstie.db.embedded.account import Account, account
from crosstie.db.embedded.binaries import Binaries, find, within_reach
from crosstie.db.embedded.state import Dsns, State
from crosstie.errors import ConfigurationError, CrosstieError

STORE = Path("/var/lib/crosstie")  # root's databases: the account must reach them, and HOME may be private
ATTEMPTS = 3
PORT_SECONDS = 1
CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "wal_level": "replica",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # parallel plans need /dev/shm, which is small in containers
    "random_page_cost": "1.1",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # no errors of statements: the application has them, and they may hold personal data
}

log = logging.getLogger(__name__)


class Embedded:
    """The PostgreSQL server that belongs to `home`, shared by all processes that name this `home`.

    All methods block; a caller with an event loop runs them in a thread.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.started = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Dsns:
        """Makes, recovers, starts or finds the server, until it serves; returns the addresses.

        `started` tells afterwards whether it was this call that started it. Raises ConfigurationError where this
        machine lacks something, CrosstieError where the server fails.
        """
        with self._alone():
            kept = self._state()
            try:
                self._serve(kept)
            except OSError:  # what was found alive was about to die
                self._serve(kept)
            return kept.dsns()

    def stop(self) -> None:
        """Stops the server, whoever started it; nothing happens if there is none."""
        with self._alone():
            self._end()

    def remove(self) -> None:
        """Stops the server and deletes its data for good."""
        with self._alone():
            kept = self._end()
            if kept:
                shutil.rmtree(self._data(kept).parent)
                (self.home / state.FILE).unlink()

    def running(self) -> bool:
        """Whether the server accepts connections now."""
        if self._process:
            self._process.poll()  # a child that died must not stay a zombie
        kept = state.read(self.home)
        return kept is not None and process.ready(self._data(kept))

    def binaries(self) -> Path:
        """The folder of `pg_dump` and its like, of the server's own version."""
        kept = state.read(self.home)
        return find(_major(self._data(kept)) if kept else None).folder

    def _end(self) -> State | None:
        kept = state.read(self.home)
        if kept:
            process.stop(self._data(kept))
        if self._process:
            self._process.send_signal(signal.SIGINT)  # still there only where its HOME was taken from under it
            self._process.wait()
            self._process = None
        return kept

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One start or stop at a time, over all processes."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.home / "embedded.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{error.filename} cannot be made ({error.strerror}): set CROSSTIE_HOME."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _state(self) -> State:
        """What is kept in HOME, or a new state; data whose passwords are lost go aside."""
        kept = state.read(self.home)
        if kept:
            return kept
        if os.geteuid() == 0:
            kept = state.fresh(str(STORE / hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]))
        else:
            kept = state.fresh("postgres")
        data = self._data(kept)
        if data.exists():
            process.stop(data)
            left = data.with_name(f"data.left-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
            data.rename(left)
            log.warning("%s has lost its embedded.json: its old data are kept in %s", self.home, left)
        state.write(self.home, kept)
        return kept

    def _data(self, kept: State) -> Path:
        return self.home / kept.folder / "data"

    def _serve(self, kept: State) -> None:
        data = self._data(kept)
        port = process.settled(data)
        self.started = port is None
        if port is None:
            self._boot(kept, data)
        else:
            kept.port = port
        state.write(self.home, kept)
        asyncio.run(roles.provide(kept))

    def _boot(self, kept: State, data: Path) -> None:
        owner = account(data)
        _prepare(data.parent, private=not owner.switch)
        binaries = within_reach(find(_major(data)), owner, data.parents[1])
        if not data.exists():
            _initialise(binaries, data, kept.passwords[state.SUPERUSER], owner)
        if self._process:  # our child is dead, or serves data that are gone
            self._process.kill()
            self._process.wait()
        process.clear(data, owner)
        for attempt in range(1, ATTEMPTS + 1):
            # a server that was killed just now lets go of its port a moment later
            if attempt > 1 or not process.wait(lambda: state.is_free(kept.port), PORT_SECONDS):
                kept.port = state.free_port()
            try:
                self._process = process.launch(_command(binaries, data, kept.port), data, data.parent / "log", owner)
            except CrosstieError as error:
                if attempt == ATTEMPTS or "Address already in use" not in str(error):
                    raise
            else:
                return


def _prepare(folder: Path, *, private: bool) -> None:
    """Makes the folder of the data; modes of folders that exist are left alone."""
    try:
        for path in (folder.parent, folder):
            if not path.exists():
                path.mkdir()
                path.chmod(0o700 if private else 0o755)  # mkdir's own mode is cut by the umask
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename} cannot be made ({error.strerror}): run as an ordinary user or set CROSSTIE_DATABASE_URL."
        ) from error


def _major(data: Path) -> int | None:
    """The version of PostgreSQL that the data belong to."""
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _initialise(binaries: Binaries, data: Path, password: str, owner: Account) -> None:
    """Makes a cluster aside and puts it in place when it is whole."""
    aside, secret = data.with_name("data.new"), data.with_name("password")
    shutil.rmtree(aside, ignore_errors=True)
    secret.unlink(missing_ok=True)
    aside.mkdir(mode=0o700)
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    for path in (aside, secret):
        owner.give(path)
    builtin = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if binaries.major >= 17 else ()
    command = [
        binaries.folder / "initdb", "--pgdata", aside, "--username", state.SUPERUSER, "--pwfile", secret,
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums", *builtin,
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=aside, **owner.options())
    except subprocess.CalledProcessError as error:
        raise CrosstieError(f"The embedded PostgreSQL could not be made: {error.stderr[-2000:].strip()}") from error
    finally:
        secret.unlink()
    aside.rename(data)


def _command(binaries: Binaries, data: Path, port: int) -> list[str | Path]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    options = {**CONFIGURATION, "port": str(port), "shared_buffers": "256MB" if memory >= 4 << 30 else "128MB"}
    command: list[str | Path] = [binaries.folder / "postgres", "-D", data]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return command
