"""`crosstie audit verify`: the operator's, and an auditor's who has nothing but a public key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx2

from crosstie.access import anchor
from tests.integration.audit.test_seal import anchored
from tests.parts.command import Command
from tests.stage import Stage, Tenant


async def test_the_operator_verifies(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/clients", json={"name": "One"})
    await anchored(stage, tenant.id, 3)
    command = Command(stage.home, {"CROSSTIE_PORT": str(stage.port)})

    found = command("audit", "verify", "--tenant", tenant.slug, "-o", "json").one
    assert (found["ok"], found["entries"], found["faults"], found["unanchored"]) == (True, 3, [], [])

    superuser = await stage.superuser()
    await superuser.execute("UPDATE audit_entries SET ip = '1.2.3.4' WHERE tenant_id = $1 AND position = 2", tenant.id)
    await superuser.execute("DELETE FROM audit_entries WHERE tenant_id = $1 AND position = 3", tenant.id)
    entry = await superuser.fetchval("SELECT id FROM audit_entries WHERE tenant_id = $1 AND position = 2", tenant.id)
    await superuser.close()
    done = command("audit", "verify", "--tenant", str(tenant.id), "-o", "json")
    assert done.code == 1
    faults = [{k: fault[k] for k in ("entry_id", "position", "kind")} for fault in json.loads(done.out)["faults"]]
    assert faults == [
        {"entry_id": str(entry), "position": 2, "kind": "changed"},
        {"entry_id": None, "position": 3, "kind": "truncated"},
    ]


async def test_an_auditor_needs_the_public_key_alone(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await client.post("/api/v1/clients", json={"name": "One"})
    await anchored(stage, tenant.id, 3)
    shutil.copytree(stage.home / anchor.FOLDER, tmp_path / "copy")
    (key,) = (tmp_path / "copy").glob(anchor.KEYS)
    words = (
        "audit",
        "verify",
        "--database",
        stage.dsns.app,
        "--key",
        str(key),
        "--checkpoints",
        str(tmp_path / "copy"),
    )
    command = Command(tmp_path)  # an empty home: no master key, no settings

    found = command(*words, "--tenant", tenant.slug, "-o", "json").one

    assert (found["ok"], found["entries"], found["unanchored"]) == (True, 3, [])
    assert not (tmp_path / "master.key").exists()
    assert command("audit", "verify", "--database", stage.dsns.app).code == 2
