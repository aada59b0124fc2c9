"""The supervisor: children come again when they die, and never outlive their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from crosstie.supervise import Child, Supervisor

PARENT = """
import asyncio, os, sys
from crosstie.supervise import Child, Supervisor
child = Child("sandbox", ("sandbox", "--listener", sys.argv[1]), (int(sys.argv[1]),))
asyncio.run(Supervisor([child], os.environ, print).run(asyncio.Event()))
"""


def _listener() -> int:
    from socket import create_server  # noqa: PLC0415  # the descriptor alone is of interest

    sock = create_server(("127.0.0.1", 0))
    return sock.detach()


def _until(done: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CROSSTIE_HOME": str(tmp_path)}


def test_children_end_when_their_parent_is_killed(environ: dict[str, str]) -> None:
    listener = _listener()
    command = [sys.executable, "-c", PARENT, str(listener)]
    parent = subprocess.Popen(command, env=environ, pass_fds=[listener], start_new_session=True)
    os.close(listener)
    _until(lambda: psutil.Process(parent.pid).children())
    (child,) = psutil.Process(parent.pid).children()
    _until(lambda: child.num_threads() > 1)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert child.is_running()
    _until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


async def test_a_dead_child_comes_again_and_all_end_together(environ: dict[str, str]) -> None:
    listener = _listener()
    told: list[str] = []
    child = Child("sandbox", ("sandbox", "--listener", str(listener)), (listener,))
    supervisor, stop = Supervisor([child], environ, told.append), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await asyncio.to_thread(_until, lambda: "sandbox" in supervisor.running)
    first = supervisor.running["sandbox"].pid
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(_until, lambda: supervisor.running["sandbox"].pid != first)
    second = psutil.Process(supervisor.running["sandbox"].pid)
    stop.set()
    await running
    os.close(listener)
    assert told == ["sandbox ended with SIGKILL; it starts again in 0.4 s"]
    assert not second.is_running()


async def test_a_child_loads_itself_and_waits_for_the_word_of_its_parent(environ: dict[str, str]) -> None:
    """There is no installation here: whoever goes on ends at once."""
    told: list[str] = []
    go, stop = asyncio.Event(), asyncio.Event()
    patient = Supervisor([Child("patient", ("serve",))], environ, told.append, go)
    hasty = Supervisor([Child("hasty", ("serve",))], environ, told.append)
    running = [asyncio.create_task(each.run(stop)) for each in (patient, hasty)]
    await asyncio.to_thread(_until, lambda: sum(line.startswith("hasty ended") for line in told) >= 2)
    assert not any(line.startswith("patient") for line in told)
    go.set()
    await asyncio.to_thread(_until, lambda: any(line.startswith("patient ended with exit code") for line in told))
    stop.set()
    await asyncio.gather(*running)
