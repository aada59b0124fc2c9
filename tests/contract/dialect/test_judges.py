"""Senders in Node: the library of Standard Webhooks, and GitHub's own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import httpx2

from tests.contract.dialect import test_dialects
from tests.contract.dialect.suite import Hook
from tests.stage import Tenant

FOLDER = Path(__file__).parents[2] / "judges"


async def test_node_signs_what_is_taken(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    hooks: dict[str, Hook] = {
        "standard": await test_dialects.TestStandardWebhooks().made(tenant, client),
        "github": await test_dialects.TestGithub().made(tenant, client),
    }
    given = {name: {"url": hook.url, "secret": hook.secret} for name, hook in hooks.items()}
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))  # Node may come from PyPI
    process = await asyncio.create_subprocess_exec(
        shutil.which("node", path=path) or "node", "sender.mjs", json.dumps(given),
        cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    assert json.loads(printed) == {name: [200, 401, 200] for name in hooks}
    for hook in hooks.values():
        assert [each["status"] for each in await hook.requests(3)] == ["accepted", "rejected", "duplicate"]
    assert {event["data"]["provider_event_type"] for event in await hook.events()} == {"order.paid", "ping"}
