"""Serving processes of their own: several on one socket, ended by SIGTERM in order."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.parts.command import Command
from tests.stage import Stage, Tenant, free_port


@pytest.fixture
def elsewhere(stage: Stage) -> Command:
    """Processes on the stage's database, as on a server: addresses of the two serving roles and a key, nothing more."""
    return Command(
        stage.home,
        {
            "CROSSTIE_DATABASE_URL": stage.cluster.app,
            "CROSSTIE_DATABASE_WORKER_URL": stage.cluster.worker,
            "CROSSTIE_MASTER_KEY_FILE": str(stage.home / "master.key"),
            "CROSSTIE_PORT": str(free_port()),
            "CROSSTIE_LOG_LEVEL": "warning",
        },
    )


@contextmanager
def running(command: Command, *words: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    process = command.start(*words, **env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=110)
    assert (process.returncode, said) == (0, "")


def _ready(command: Command, seconds: float = 60) -> str:
    url = f"http://127.0.0.1:{command.environ['CROSSTIE_PORT']}"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return url
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise TimeoutError(url)


def test_api_processes_share_a_socket_and_end_in_order(elsewhere: Command, tenant: Tenant) -> None:
    with running(elsewhere, "api", CROSSTIE_WORKERS="2") as process:
        url = _ready(elsewhere)
        assert len(psutil.Process(process.pid).children()) == 2
        answer = httpx2.get(f"{url}/api/v1/jobs", headers={"authorization": f"Bearer {tenant.key}"})
        assert answer.status_code == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}/livez")


def test_up_serves_on_a_database_of_ones_own(elsewhere: Command, stage: Stage, tmp_path: Path) -> None:
    elsewhere.home = tmp_path
    process = elsewhere.start("up", CROSSTIE_DATABASE_OWNER_URL=stage.cluster.owner)
    try:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        while "Crosstie is at" not in said[-1]:
            assert said[-1], said
            said.append(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=110)
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["worker", "scheduler"])
def test_it_runs_until_sigterm(elsewhere: Command, name: str) -> None:
    with running(elsewhere, name) as process:
        connections = psutil.Process(process.pid)
        end = time.monotonic() + 60
        while not connections.net_connections():
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(1)
        assert process.poll() is None
