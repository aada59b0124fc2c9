"""The how-to pages are run as they stand: programs against an installation, commands against a server's database."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from crosstie.log.read import Cursor
from tests.parts.page import snippets
from tests.parts.peer import peer
from tests.parts.post import mailbox, texts
from tests.receiver import Receiver
from tests.stage import Stage, Tenant, calling, free_port

BIN = Path(sys.executable).parent
#: Node and `crosstie` may come from the virtual environment
PATH = os.pathsep.join((str(BIN), os.environ.get("PATH", "")))
SECONDS = 60
JUDGES = Path(__file__).parents[1] / "judges"


def program(page: str, tenant: Tenant, **env: str) -> list[str]:
    """What the page's Python prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets(f"how-to/{page}.md", "python"))],
        env=os.environ | {"CROSSTIE_BASE_URL": tenant.url, "CROSSTIE_API_KEY": tenant.key} | env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_send_events(tenant: Tenant) -> None:
    assert await asyncio.to_thread(program, "send-events", tenant) == [
        "202 greenhouse-2026-03-01-0815", "202", "event_id_conflict", "3 0 [3]", "201 202", "invalid /data",
    ]  # fmt: skip


async def test_reports(tenant: Tenant) -> None:
    assert await asyncio.to_thread(program, "reports", tenant) == [
        "200", "200 True", "422 /reports/templates/quote names totl, which is not there (line 2)",
    ]  # fmt: skip


async def test_connect_a_service(tenant: Tenant) -> None:
    async with peer() as treasury:
        said = await asyncio.to_thread(program, "connect-a-service", tenant, TREASURY_URL=treasury.url)
    assert said == ["201 remote closed", "201 INV-1", "true True", "treasury.create_invoice done 1"]


async def test_live_events(tenant: Tenant) -> None:
    said = await asyncio.to_thread(program, "live-events", tenant)
    assert said == ["client.created Thandi", "client.created Sipho"]


async def test_live_events_from_a_page(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    (code,) = snippets("how-to/live-events.md", "javascript")
    made = (await client.post("/api/v1/clients", json={"name": "Thandi"})).json()
    given = {"base": tenant.url, "key": tenant.key, "code": code, "last": str(Cursor())}
    process = await asyncio.create_subprocess_exec(
        shutil.which("node", path=PATH) or "node", "page.mjs", json.dumps(given),
        cwd=JUDGES, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for title in ("Mend the roof", "Paint the gate"):
            await client.post("/api/v1/jobs", json={"client_id": made["id"], "title": title})
            event = json.loads(await process.stdout.readline())
            assert (event["event_type"], event["data"]["title"]) == ("job.created", title)
    finally:
        process.kill()
        await process.wait()


async def test_replay_events(tenant: Tenant, receiver: Receiver) -> None:
    said = await asyncio.to_thread(program, "replay-events", tenant, RECEIVER_URL=receiver.url)
    assert said == ["2", "done 2"]
    assert len({sent.headers["webhook-id"] for sent in await receiver.wait(2, "client.created")}) == 2


async def test_receive_from_providers(tenant: Tenant, receiver: Receiver) -> None:
    said = await asyncio.to_thread(program, "receive-from-providers", tenant, RECEIVER_URL=receiver.url)
    assert said == [
        "True True", "[200, 200]", "401",
        "[('accepted', None), ('duplicate', None), ('rejected', 'bad_signature')]", "True",
        "201", "1 evt_1Pgafz 120000", "200", "pay-7", "201",
    ]  # fmt: skip


async def test_retries_and_dead_letters(tenant: Tenant, receiver: Receiver) -> None:
    said = await asyncio.to_thread(program, "retries-and-dead-letters", tenant, RECEIVER_URL=receiver.url)
    assert said == ["1 connect", "2 connect", "client.created connect 2", "True", "202"]
    assert len(receiver.of("client.created")) == 1


async def test_notifications(tenant: Tenant) -> None:
    with mailbox() as box:
        url = f"smtp://127.0.0.1:{box.port}?security=none"
        said = await asyncio.to_thread(program, "notifications", tenant, MAIL_URL=url)
        assert said == [
            "201", "201", "202 queued 1", "202 duplicate 1", "201", "201", "sent our own thandi@example.com",
        ]  # fmt: skip
        (mail,) = box.to("thandi@example.com")
        assert "It comes to ZAR1,200.00." in texts(mail)[0]


@contextmanager
def receiving(language: str, secret: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The page's receiver in a language: its address, and its process."""
    name, command = {"python": ("receiver.py", "python"), "javascript": ("receiver.mjs", "node")}[language]
    (code,) = snippets("how-to/receive-webhooks.md", language)
    (folder / name).write_text(code)
    port = free_port()
    process = subprocess.Popen(
        [shutil.which(command, path=PATH) or command, folder / name],
        env=os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{port}/hooks", process
    finally:
        process.kill()
        process.communicate()


async def _post(url: str, headers: dict[str, str], body: bytes) -> int:
    async with calling() as client:
        for _ in range(SECONDS * 10):
            try:
                return (await client.post(url, headers=headers, content=body)).status_code
            except httpx2.ConnectError:
                await asyncio.sleep(0.1)
    raise TimeoutError(url)


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_receive_webhooks(
    language: str, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver, tmp_path: Path
) -> None:
    made = await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["client.created"]})
    await client.post("/api/v1/clients", json={"name": "Nomsa Dlamini"})
    (sent,) = await receiver.wait(1, "client.created")
    with receiving(language, made.json()["secret"], tmp_path) as (url, process):
        signed = {name: value for name, value in sent.headers.items() if name.lower().startswith("webhook-")}
        forged = {**signed, "webhook-signature": "v1," + "A" * 43 + "="}
        old = {**signed, "webhook-timestamp": str(int(time.time()) - 3600)}
        assert await _post(url, forged, sent.body) == 401
        assert await _post(url, old, sent.body) == 401
        assert await _post(url, {}, sent.body) == 401
        assert await _post(url, signed, sent.body + b" ") == 401
        # the real thing, from Crosstie itself, and once more: told once
        changed = await client.patch(f"/api/v1/webhook-endpoints/{made.json()['id']}", json={"url": url})
        assert changed.status_code == 200
        assert await _post(url, signed, sent.body) == 204
        assert await _post(url, signed, sent.body) == 204
        await client.post("/api/v1/clients", json={"name": "Pieter Botha"})
        assert process.stdout is not None
        said = [await asyncio.to_thread(process.stdout.readline) for _ in range(2)]
    assert ["Nomsa Dlamini" in line for line in said] == [True, False]
    assert said[1].startswith("client.created")
    assert "Pieter Botha" in said[1]


@pytest.mark.timeout(300)
def test_a_postgresql_of_ones_own_and_an_upgrade(stage: Stage, tmp_path: Path) -> None:
    """Roles, settings, migration, a first tenant; then the commands of an upgrade on what came of it."""
    name, word = f"own{secrets.token_hex(4)}", secrets.token_hex(8)
    server = stage.cluster.superuser.rsplit("@", 1)[-1].split("/")[0]
    address = f"{server}/{name}"
    (sql,) = snippets("how-to/production.md", "sql")
    sql = (
        sql.replace("'…'", f"'{word}'")
        .replace("crosstie_", f"{name}_")
        .replace("DATABASE crosstie", f"DATABASE {name}")
    )
    settings, key, serving, tenants, *_ = snippets("how-to/production.md", "sh")
    migrate, *_ = serving.splitlines()
    upgrade = snippets("how-to/upgrade.md", "sh")[1]
    port = free_port()
    script = "\n".join((settings, key, migrate, tenants, f"export {migrate.split()[0]}", upgrade))
    script = script.replace("…@db:5432/crosstie", f"{word}@{address}").replace("crosstie_", f"{name}_")
    script = script.replace("/etc/crosstie", str(tmp_path)).replace(
        "https://crosstie.example.com", f"http://127.0.0.1:{port}"
    )
    asyncio.run(_execute(stage, sql))
    path = os.pathsep.join((str(stage.embedded.binaries()), PATH))  # with a pg_dump of the server's version
    done = subprocess.run(
        ["bash", "-euxc", script],
        env={**_bare(), "PATH": path, "CROSSTIE_HOME": str(tmp_path / "home"), "CROSSTIE_PORT": str(port)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ct_live_" in done.stdout
    assert (tmp_path / "before-the-upgrade.tar").stat().st_size > 10_000


def _bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CROSSTIE_")}


async def _execute(stage: Stage, sql: str) -> None:
    connection = await stage.superuser()
    try:
        for statement in sql.split(";"):
            if statement.strip():
                await connection.execute(statement)
    finally:
        await connection.close()
