"""The restore drill: a backup comes to life in another place, with its secrets, its cursors and its webhooks."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import asyncpg
import httpx2
import pytest
from standardwebhooks import Webhook

from crosstie.command import failing
from crosstie.db.embedded import state
from crosstie.installation import held
from crosstie.settings import Settings
from tests.fence import until
from tests.parts.command import Command
from tests.receiver import Receiver
from tests.stage import Stage, Tenant, calling, free_port


@pytest.fixture
def second(tmp_path: Path, stage: Stage) -> Command:
    """A place for another installation, with the first one's master key."""
    home = tmp_path / "second"
    home.mkdir(mode=0o700)
    shutil.copy(stage.home / "master.key", home / "master.key")
    return Command(home, {"CROSSTIE_PORT": str(free_port()), "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8"})


@pytest.mark.timeout(600)
async def test_the_drill(
    command: Command, second: Command, stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, receiver: Receiver,
    tmp_path: Path,
) -> None:  # fmt: skip
    hook = {"url": f"{receiver.url}/hook", "event_types": ["client.created"]}
    secret = (await client.post("/api/v1/webhook-endpoints", json=hook)).json()["secret"]
    for number in range(5):
        await client.post("/api/v1/clients", json={"name": f"Kept {number}"})
    await receiver.wait(5)
    types = (await client.get("/api/v1/event-types")).json()["data"]
    sent = next(each["example"] for each in types if each["name"].startswith("projects."))
    event = {"event_id": "from-outside", "event_type": sent["event_type"], "data": sent["data"]}
    assert (await client.post("/api/v1/events", json=event)).status_code == 202
    (stage.home / "media").mkdir(exist_ok=True)
    (stage.home / "media" / "photo").write_bytes(b"before and after")
    page = (await client.get("/api/v1/events?sort=created_at&limit=3")).json()

    before = await asyncio.to_thread(_counts, command)
    made = command("backup", str(tmp_path / "backup.tar"))
    after = await asyncio.to_thread(_counts, command)
    await client.post("/api/v1/clients", json={"name": "Lost with the first place"})
    lost = (await client.get("/api/v1/events?sort=created_at&limit=50")).json()
    await _anchored(stage, tenant)

    assert made.one["files"] >= 2
    assert "is not in the backup" in made.err
    assert (stage.home / "master.key").read_bytes() not in (tmp_path / "backup.tar").read_bytes()
    shutil.copytree(stage.home / "audit", second.home / "audit")  # what was sealed by now is anchored, or soon lost
    assert second("restore", str(tmp_path / "backup.tar"), seconds=120).one["epoch"] == made.one["epoch"] + 1
    restored = await asyncio.to_thread(_counts, second)
    still = {name for name, count in before.items() if after.get(name) == count}  # the stage lives on meanwhile
    assert {name: restored.get(name, 0) for name in still} == {name: before[name] for name in still}
    assert {"inbox", "events", "clients", "data_keys"} <= {name.split("_2")[0].rstrip("_0123456789") for name in still}
    assert (second.home / "media" / "photo").read_bytes() == b"before and after"
    await _lives_on(second, tenant, receiver, secret, page, lost)
    report = second("audit", "verify", "--tenant", tenant.slug).one
    assert report["ok"], report
    assert [gone["tenant_id"] for gone in report["restored"]] == [str(tenant.id)]


async def _anchored(stage: Stage, tenant: Tenant) -> None:
    """Return when what was done in the first place has its checkpoint."""
    superuser = await stage.superuser()

    async def done() -> bool:
        found = await superuser.fetchval(
            "SELECT anchored = position AND NOT EXISTS (SELECT FROM audit_pending p WHERE p.tenant_id = h.tenant_id)"
            " FROM audit_heads h WHERE tenant_id = $1",
            tenant.id,
        )
        return bool(found)

    await until(done)
    await superuser.close()


def _counts(command: Command) -> dict[str, int]:
    """How many rows each table has, partitions one by one, past every policy; empty ones left out."""

    async def count(dsn: str) -> dict[str, int]:
        connection = await asyncpg.connect(dsn)
        try:
            names = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )
            found = {row[0]: await connection.fetchval(f'SELECT count(*) FROM "{row[0]}"') for row in names}
            return {name: count for name, count in found.items() if count}
        finally:
            await connection.close()

    with held(Settings(home=command.home), print):
        kept = state.read(command.home)
        assert kept is not None
        return asyncio.run(count(kept.dsns().superuser))


async def _lives_on(
    second: Command, tenant: Tenant, receiver: Receiver, secret: str, page: dict, lost: dict
) -> None:  # fmt: skip
    process = second.start("up")
    try:
        url = f"http://127.0.0.1:{second.environ['CROSSTIE_PORT']}"
        assert process.stdout is not None
        assert any("Crosstie is at" in line for line in process.stdout)
        async with calling(url, headers={"authorization": f"Bearer {tenant.key}"}) as client:
            names = [each["name"] for each in (await client.get("/api/v1/clients?sort=name")).json()["data"]]
            assert names == [f"Kept {number}" for number in range(5)]
            made = (await client.post("/api/v1/clients", json={"name": "After the restore"})).json()

            async def settled() -> bool:  # the log shows what is behind every transaction that is under way
                asked = {"subject_type": "client", "subject_id": made["id"]}
                return bool((await client.get("/api/v1/events", params=asked)).json()["data"])

            await until(settled)
            rest = (await client.get(f"/api/v1/events?after={page['next_cursor']}&limit=50")).json()["data"]
            seen = [event["event_id"] for event in page["data"] + rest]
            assert len(seen) == len(set(seen))
            assert [e["data"]["name"] for e in page["data"] + rest if e["event_type"] == "client.created"] == [
                *names,
                "After the restore",
            ]
            # a reader who had read what was lost hears of everything that is new
            new = (await client.get(f"/api/v1/events?after={lost['next_cursor']}")).json()["data"]
            assert [event["data"]["client_id"] for event in new] == [made["id"]]

            received = (await receiver.wait(7))[-1]
            assert received.envelope["data"]["client_id"] == made["id"]
            Webhook(secret).verify(received.body.decode(), received.headers)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=110)
    assert process.returncode == 0


def test_restore_refuses_what_does_not_fit(command: Command, second: Command, stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    assert command("backup", str(file)).code == 0
    full = command("restore", str(file))
    assert (full.code, "not empty" in full.err) == (failing.FAILED, True)

    (second.home / "master.key").write_bytes(bytes(32))
    other = second("restore", str(file))
    assert (other.code, "another master key" in other.err) == (failing.FAILED, True)

    (second.home / "master.key").unlink()
    without = second("restore", str(file))
    assert (without.code, "no master key" in without.err) == (failing.FAILED, True)

    shutil.copy(stage.home / "master.key", second.home / "master.key")
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    damaged = second("restore", str(file))
    assert damaged.code == failing.FAILED
    assert "damaged" in damaged.err or "no whole backup" in damaged.err
