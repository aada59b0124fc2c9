"""A HOME with an embedded PostgreSQL, and the user to whom it belongs."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from crosstie.db.embedded import Dsns, process, state

ROOT = os.geteuid() == 0
ME = pwd.getpwuid(os.geteuid()).pw_name
USERS = [ME, "nobody"] if ROOT else [ME]

CHILD = """
import json, sys
from pathlib import Path
from crosstie.db.embedded import Embedded
from crosstie.errors import CrosstieError
embedded = Embedded(Path(sys.argv[1]))
try:
    dsns = getattr(embedded, sys.argv[2])()
    print(json.dumps([dsns, embedded.started]))
except CrosstieError as error:
    sys.exit(type(error).__name__ + ": " + str(error))
"""


def interpreter(options: dict[str, Any]) -> str:
    """A Python that the user may run: that of a private folder (pyenv) is closed to others."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            subprocess.run([python, "-c", "import asyncpg, crosstie, msgspec"], check=True, cwd="/", **options)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no Python here can be run by an ordinary user")


@dataclass
class Home:
    """A HOME and the user to whom it belongs; every action is a process of its own, as on the command line."""

    path: Path
    user: str

    def __post_init__(self) -> None:
        entry = pwd.getpwnam(self.user)
        paths = [str(Path(__file__).parents[3] / "src"), *(p for p in sys.path if p.endswith("site-packages"))]
        self.options: dict[str, Any] = {"env": {"PYTHONPATH": ":".join(paths), "PYTHONDONTWRITEBYTECODE": "1"}}
        if self.user != ME:
            self.options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.python = interpreter(self.options)

    def do(self, action: str) -> subprocess.CompletedProcess[str]:
        command = [self.python, "-c", CHILD, str(self.path), action]
        options = self.options | {"cwd": "/", "timeout": 200}
        return subprocess.run(command, check=False, capture_output=True, text=True, **options)

    def start(self) -> tuple[Dsns, bool]:
        done = self.do("start")
        assert done.returncode == 0, done.stderr
        dsns, started = json.loads(done.stdout)
        return Dsns(*dsns), started

    def stop(self) -> None:
        assert self.do("stop").returncode == 0

    @property
    def kept(self) -> state.State:
        found = state.read(self.path)
        assert found
        return found

    @property
    def data(self) -> Path:
        return self.path / self.kept.folder / "data"

    @property
    def pid(self) -> int:
        pid = process.postmaster(self.data)
        assert pid
        return pid


@contextmanager
def entered() -> Iterator[Path]:
    """A folder that every user of the machine may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def make(folder: Path, user: str, name: str = "home") -> Home:
    path = folder / name
    path.mkdir(mode=0o700)
    if user != ME:
        shutil.chown(path, user)
    return Home(path, user)


def end(home: Home) -> None:
    assert home.do("remove").returncode == 0


def ask(dsn: str, *statements: str) -> list[asyncpg.Record]:
    async def inner() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn, ssl=False)
        try:
            return [row for statement in statements for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(inner())


def keep(dsns: Dsns) -> None:
    ask(dsns.owner, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)")


def kept(dsns: Dsns) -> bool:
    return [row["n"] for row in ask(dsns.owner, "SELECT n FROM kept")] == [42]


def tree(pid: int) -> list[int]:
    """The server and its children."""
    return [pid, *(child.pid for child in psutil.Process(pid).children())]


def kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # children end by themselves when they notice that their server is dead
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
