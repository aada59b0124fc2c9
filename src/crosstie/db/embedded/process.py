"""The server as a process: is it alive, start it, stop it, and what a crash of it leaves behind.

`postmaster.pid` in the data folder holds, line by line: pid, data folder, start time, port, socket folder, address,
shared memory, and a status that is `ready` once connections are accepted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from crosstie.db.embedded.account import Account
from crosstie.errors import CrosstieError

PROC = Path("/proc")
START_SECONDS = 300  # the recovery after a crash counts in
FAST_SECONDS, IMMEDIATE_SECONDS = 30, 10
STEP = 0.02


def postmaster(data: Path) -> int | None:
    """The pid of the live server of `data`, whoever started it."""
    lines = _pidfile(data)
    pid = int(lines[0]) if lines else 0
    return pid if pid > 0 and _serves(pid, data) else None


def ready(data: Path) -> bool:
    """Whether the server of `data` accepts connections."""
    lines = _pidfile(data)
    return len(lines) > 7 and lines[7].strip() == "ready" and postmaster(data) is not None


def launch(command: list[str | Path], data: Path, log: Path, account: Account) -> subprocess.Popen[bytes]:
    """Starts a server that outlives this process; raises CrosstieError with its last words if it does not get ready."""
    if log.exists():
        log.replace(log.with_name("log.1"))  # the last words of a server that crashed
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        process = subprocess.Popen(
            command, stdout=handle, stderr=handle, cwd=data, start_new_session=True, **account.options()
        )
    finally:
        os.close(handle)
    if not wait(lambda: ready(data) or process.poll() is not None, START_SECONDS) or process.returncode is not None:
        if process.poll() is None:
            process.terminate()
            process.wait()
        words = log.read_text("utf-8", "replace")[-2000:].strip()
        raise CrosstieError(f"The embedded PostgreSQL did not start: {words}")
    return process


def settled(data: Path) -> int | None:
    """The port of a server that someone else has started, once it is ready; None where there is none or it ends."""
    wait(lambda: ready(data) or postmaster(data) is None, START_SECONDS)
    lines = _pidfile(data)
    return int(lines[3]) if ready(data) else None


def stop(data: Path) -> None:
    """Ends the server of `data`, if there is one: first in order, then at once (the next start recovers)."""
    for sign, seconds in ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
        pid = postmaster(data)
        if pid is None:
            return
        _signal(pid, sign)
        if wait(lambda: postmaster(data) is None, seconds):
            return
    raise CrosstieError(f"The embedded PostgreSQL of {data} does not stop.")


def clear(data: Path, account: Account) -> None:
    """Removes what a crash left: processes that still hold the shared memory, and a pid that misleads PostgreSQL.

    A pid misleads where it is someone else's by now, or a zombie's that nobody buries (in a container without an init).
    A pid of nobody stays: PostgreSQL then looks by itself whether the shared memory is still held.
    """
    for pid in _orphans(data, account):
        _signal(pid, signal.SIGKILL)
    wait(lambda: not any(_orphans(data, account)), IMMEDIATE_SECONDS)
    lines = _pidfile(data)
    if lines and (PROC / lines[0]).exists() and not _is_server(int(lines[0])):
        (data / "postmaster.pid").unlink()


def _pidfile(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []


def _serves(pid: int, data: Path) -> bool:
    if not PROC.is_dir():
        return _exists(pid)
    if not _is_server(pid):
        return False
    inside = _inside(pid, data)
    return os.fsencode(data) in _command(pid) if inside is None else inside


def _signal(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself just now
        os.kill(pid, sign)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _command(pid: int) -> list[bytes]:
    """The command line of `pid`; empty where it is gone or a zombie."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return [b""]


def _is_server(pid: int) -> bool:
    """Whether `pid` is a server of PostgreSQL, of whatever data; its children call themselves `postgres: …`."""
    return _command(pid)[0].rpartition(b"/")[2] == b"postgres"


def _inside(pid: int, data: Path) -> bool | None:
    """Whether `pid` works in `data`, as all processes of its server do; None where that may not be seen."""
    try:
        return (PROC / str(pid) / "cwd").samefile(data)
    except PermissionError:  # in a container root may not look into another account's process
        return None
    except OSError:
        return False


def _orphans(data: Path, account: Account) -> Iterator[int]:
    """Children of the dead server of `data`: they hold its shared memory until they notice."""
    for entry in PROC.glob("[0-9]*"):
        pid = int(entry.name)
        if not _command(pid)[0].startswith(b"postgres: "):
            continue
        try:
            owner = entry.stat().st_uid
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        inside = _inside(pid, data)
        if owner == account.uid and (not _is_server(parent) if inside is None else inside):
            yield pid


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done` came true within `seconds`."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(STEP)
    return True
