"""kill -9 of everything at random moments, under load: what was acknowledged arrives, and nothing else does."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.check import faults
from tests.faults.ledger import entries
from tests.faults.rig import Note, Rig, open_type
from tests.stage import Tenant, calling, free_port

SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.randrange(1, 1 << 30)
#: kills of the long form
KILLS = int(os.environ.get("FAULTS_KILLS", "200"))
VICTIMS = ("api", "worker", "both", "postgres tree", "postgres immediate", "postgres backend")
#: what else may be done to it
Fault = Callable[[], Awaitable[object]]
#: seconds from the last fault until nothing is waiting
DRAIN = 150.0


async def furnish(rig: Rig, port: int) -> tuple[Tenant, str, dict[str, str]]:
    """A tenant with a client and two endpoints, one ordered; answers its client's id and secrets by path."""
    tenant = await rig.tenant()
    tenant.url = rig.urls()[0]
    secrets: dict[str, str] = {}
    async with tenant.client() as client:
        made = await client.post("/api/v1/clients", json={"name": "Amina Otieno"})
        for ordering in ("none", "subject"):
            path = f"/{tenant.slug}/{ordering}"
            endpoint = await client.post(
                "/api/v1/webhook-endpoints",
                json={
                    "url": f"http://127.0.0.1:{port}{path}",
                    "event_types": [open_type()[0], "job.created"],
                    "ordering": ordering,
                    "retry_schedule": [1] * 30,
                },
            )
            assert endpoint.status_code == 201, endpoint.text
            secrets[path] = endpoint.json()["secret"]
    return tenant, made.json()["id"], secrets


async def storm(
    rig: Rig, victims: Sequence[str | Fault], pause: float, *, failing: float = 0.01, drain: float = DRAIN
) -> dict[str, Any]:
    """Load, crashes, quiet; then the judgement on every endpoint, added up."""
    for name, role in (("api", "api"), ("worker", "worker"), ("both", "both")):
        rig.start(name, role)  # type: ignore[arg-type]
    await rig.ready()
    port, folder = free_port(), rig.home
    sent, got = folder / "sent.ledger", folder / "got.ledger"
    for old in (sent, got):
        old.unlink(missing_ok=True)
    furnished = [await furnish(rig, port) for _ in range(2)]
    secrets = {path: secret for *_, each in furnished for path, secret in each.items()}
    rig.run("tests.faults.catcher", {"port": port, "ledger": str(got), "secrets": secrets, "failing": failing})
    await _alive(port)
    type, example = open_type()
    tenants = [{"name": t.slug, "key": t.key, "client": client} for t, client, _ in furnished]
    speaking = {"urls": rig.urls(), "type": type, "example": example, "tenants": tenants, "pause": pause, "seed": SEED}
    speaker = rig.run("tests.faults.speaker", {**speaking, "ledger": str(sent)})
    supervision = asyncio.create_task(rig.supervise())
    dice = random.Random(SEED)
    for victim in victims:
        await asyncio.sleep(dice.uniform(0.3, 1.5))
        if callable(victim):
            await victim()
        elif victim.startswith("postgres"):
            await rig.crash_database(victim.split()[1])  # type: ignore[arg-type]
        else:
            await rig.crash(victim)
    await asyncio.sleep(1)
    speaker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(speaker.wait, 250) == 0, (folder / "speaker.log").read_text()[-3000:]
    drained = await rig.drained([tenant for tenant, *_ in furnished], drain)
    supervision.cancel()
    return _figures(rig, sent, got, [tenant for tenant, *_ in furnished]) | {"drained": round(drained, 1)}


async def _alive(port: int) -> None:
    async with calling() as client:
        for _ in range(600):
            try:
                await client.get(f"http://127.0.0.1:{port}/alive")
                return
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
    raise TimeoutError("the catcher does not listen")


def _figures(rig: Rig, sent: Path, got: Path, tenants: list[Tenant]) -> dict[str, Any]:
    total: Counter[str] = Counter()
    for tenant in tenants:
        for ordering in ("none", "subject"):
            total.update(rig.judge(sent, got, tenant, f"/{tenant.slug}/{ordering}", ordered=ordering == "subject"))
    away = Counter(entry["status"] for entry in entries(sent) if entry["state"] == "turned_away")
    return {"seed": SEED, "kills": len(rig.crashes), "fallen": rig.unexplained(), "turned_away": dict(away), **total}


def approve(figures: dict[str, Any]) -> None:
    """Raise AssertionError with all figures where one is wrong."""
    assert not faults(figures), figures
    assert not figures["fallen"], figures
    assert figures["ok"] > 50 * figures["kills"], figures
    assert 500 not in figures["turned_away"], figures


@pytest.mark.alone("nothing waits any more DRAIN seconds after the last fault")
@pytest.mark.timeout(900)
async def test_nothing_acknowledged_is_lost_by_kills_of_anything(rig: Rig, note: Note) -> None:
    began = time.monotonic()
    figures = await storm(rig, list(VICTIMS), pause=0.15)
    figures["seconds"] = round(time.monotonic() - began, 1)
    note("figures", figures)
    approve(figures)


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_nothing_acknowledged_is_lost_by_hundreds_of_kills(rig: Rig, note: Note) -> None:
    dice = random.Random(SEED)
    figures = await storm(rig, [dice.choice(VICTIMS) for _ in range(KILLS)], pause=0.15)
    note("figures", figures)
    approve(figures)
