"""Files go with the records that own them, and with those alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crosstie.app import blobs, opened
from crosstie.kit.blob import Away, Blobs
from crosstie.log.loose import Broom
from tests.fence import until
from tests.integration.nouns.test_media import photo, send
from tests.parts.bucket import KEY_ID, REGION, bucket
from tests.stage import Stage, Tenant


def files(stage: Stage, tenant: Tenant) -> list[Path]:
    """The tenant's files."""
    return sorted(path for path in (stage.home / "media" / tenant.id.hex).rglob("*") if path.is_file())


async def sweep(stage: Stage, tenant: Tenant, store: Blobs | None = None) -> int:
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        return await Broom(process.log, store or blobs(stage.settings)).sweep(tenant.id)


async def test_a_deleted_photo_takes_its_file_along_and_not_its_twins(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    body = photo()
    first, second = (await send(client, job, body)).json(), (await send(client, job, body)).json()
    assert len(files(stage, tenant)) == 2
    await client.delete(f"/api/v1/media/{first['id']}")
    assert len(files(stage, tenant)) == 2  # nothing happens outside the database before the commit

    assert await sweep(stage, tenant) == 1
    assert await sweep(stage, tenant) == 0

    assert len(files(stage, tenant)) == 1
    assert (await client.get(second["url"])).content == body


async def test_a_deleted_document_takes_all_its_versions_along(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    made = await client.post("/api/v1/documents", files={"file": ("a.txt", b"first")})
    for body in (b"second", b"third"):
        await client.post(f"/api/v1/documents/{made.json()['id']}/versions", files={"file": ("a.txt", body)})
    assert len(files(stage, tenant)) == 3
    await client.delete(f"/api/v1/documents/{made.json()['id']}")
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        running = asyncio.create_task(Broom(process.log, blobs(stage.settings), every=0.05).run())

        async def gone() -> bool:
            return not files(stage, tenant)

        await until(gone)
        running.cancel()


async def test_what_was_refused_leaves_no_file(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    nowhere = {"job_id": job["client_id"]}
    for headers in ({}, {"idempotency-key": "k"}, {"idempotency-key": "k"}):
        refused = await client.post("/api/v1/media", data=nowhere, files={"file": ("a", photo())}, headers=headers)
        assert refused.status_code == 422
    assert not files(stage, tenant)


async def test_a_store_that_is_away_keeps_what_is_loose(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    media = (await send(client, job, photo())).json()
    await client.delete(f"/api/v1/media/{media['id']}")
    with bucket() as found:
        wrong = Blobs.bucket("files", endpoint=found.url, region=REGION, key_id=KEY_ID, secret="another")
        with pytest.raises(Away):
            await sweep(stage, tenant, wrong)
    assert await sweep(stage, tenant) == 1
