"""A stock Celery worker runs one task per event."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker.conftest import Hub
from tests.integration.broker.peer import polled
from tests.stage import PATIENCE

TASKS = """
import json, pathlib
from celery import Celery
app = Celery("firm", broker={url!r})
app.conf.update(task_default_queue={queue!r}, worker_enable_remote_control=False, task_ignore_result=True,
    task_acks_late=True, broker_connection_retry_on_startup=True)

@app.task(name="firm.heard", bind=True)
def heard(self, event):
    with pathlib.Path({out!r}).open("a") as file:
        file.write(json.dumps([self.request.id, event]) + chr(10))
"""
OPTIONS = ("--pool=solo", "--without-gossip", "--without-mingle")


@pytest.fixture
def worker(hub: Hub, tmp_path: Path) -> Iterator[Path]:
    """The file into which a worker's tasks write what they got."""
    heard = tmp_path / "heard"
    heard.touch()
    source = TASKS.format(url=hub.rabbit, queue=f"{hub.word}.tasks", out=str(heard))
    (tmp_path / "firm.py").write_text(source)
    words = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "firm",
        "worker",
        "--pool=solo",
        "--without-gossip",
        "--without-mingle",
    ]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield heard
    finally:
        process.kill()
        process.wait()


async def test_a_stock_worker_runs_one_task_per_event(hub: Hub, worker: Path) -> None:
    tenant = await hub.stage.tenant()
    async with tenant.client() as client:
        for number in range(5):
            await client.post("/api/v1/clients", json={"name": f"Firm {number}"})
        wanted = await polled(client, "/api/v1/events", 5, event_type="client.created")
    end = asyncio.get_running_loop().time() + PATIENCE
    got: dict[str, dict[str, object]] = {}
    while len(got) < 5:
        assert asyncio.get_running_loop().time() < end, got
        await asyncio.sleep(0.1)
        text = await asyncio.to_thread(worker.read_text)
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        ours = [(id, event) for id, event in lines if event["tenant_id"] == str(tenant.id)]
        assert len({id for id, _ in ours}) == len(ours)
        got = {event["event_id"]: event for _, event in ours}
    assert got == {event["event_id"]: event for event in wanted}
