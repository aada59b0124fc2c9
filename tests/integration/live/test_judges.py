"""Readers in Node, of other people's making: the `ws` library, and fetch."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import httpx2
import pytest

from tests.stage import Tenant

FOLDER = Path(__file__).parents[2] / "judges"
#: events in all, and those after which a reader is cut
COUNT, PIECE = 60, 7


@pytest.mark.parametrize("wire", ["websocket", "sse"])
async def test_a_reader_that_is_cut_misses_nothing_and_hears_nothing_twice(
    tenant: Tenant, client: httpx2.AsyncClient, wire: str
) -> None:
    """Under concurrent writers, without a farewell each time."""
    given = {"base": tenant.url, "key": tenant.key, "wire": wire, "topics": ["client.created"], "count": COUNT}
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))  # Node may come from PyPI
    process = await asyncio.create_subprocess_exec(
        shutil.which("node", path=path) or "node", "reader.mjs", json.dumps(given | {"piece": PIECE}),
        cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    assert process.stdout is not None
    ready = await process.stdout.readline()
    names = [f"Client {number}" for number in range(COUNT)]
    waiting = iter(names if ready else ())

    async def write() -> None:
        for name in waiting:
            made = await client.post("/api/v1/clients", json={"name": name})
            assert made.status_code == 201, made.text

    await asyncio.gather(*(write() for _ in range(4)))
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    found = json.loads(printed)
    heard = [event["data"]["name"] for event in found["heard"]]
    assert len(heard) == len(set(heard)) == COUNT
    assert set(heard) == set(names)
    assert found["cuts"] == -(-COUNT // PIECE)
