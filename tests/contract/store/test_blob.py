"""The contract of a file store, for a folder and for a bucket that checks every signature."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosstie.app import blobs as chosen
from crosstie.kit.blob import PART, Away, Blobs, Missing
from crosstie.settings import Settings
from tests.parts.bucket import KEY_ID, REGION, SECRET, Bucket, bucket


def of(found: Bucket, secret: str = SECRET) -> Blobs:
    return Blobs.bucket("files", endpoint=found.url, region=REGION, key_id=KEY_ID, secret=secret)


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "folder":
        yield Blobs.folder(tmp_path / "media")
    else:
        with bucket() as found:
            yield of(found)
            assert not found.refused


async def whole(blobs: Blobs, key: str) -> bytes:
    return b"".join([piece async for piece in await blobs.read(key)])


@pytest.mark.parametrize("size", [0, 1, 1 << 20, PART + 1, 3 * PART])
async def test_what_was_written_is_read(blobs: Blobs, size: int) -> None:
    body = os.urandom(size)
    await blobs.put("tenant/ab/abc", io.BytesIO(body))
    assert await whole(blobs, "tenant/ab/abc") == body


async def test_the_same_key_may_be_written_again_at_once(blobs: Blobs) -> None:
    body = os.urandom(100_000)
    await asyncio.gather(*(blobs.put("t/k", io.BytesIO(body)) for _ in range(5)))
    assert await whole(blobs, "t/k") == body


async def test_what_is_not_there_is_missing(blobs: Blobs) -> None:
    with pytest.raises(Missing):
        await blobs.read("t/none")
    await blobs.drop("t/none")
    await blobs.put("t/k", io.BytesIO(b"x"))
    await blobs.drop("t/k")
    with pytest.raises(Missing):
        await blobs.read("t/k")


def test_a_folder_is_its_owners_alone(tmp_path: Path) -> None:
    Blobs.folder(tmp_path / "a" / "media")
    assert stat.S_IMODE((tmp_path / "a" / "media").stat().st_mode) == 0o700


async def test_a_wrong_secret_is_refused() -> None:
    with bucket() as found:
        with pytest.raises(Away):
            await of(found, "another secret").put("t/k", io.BytesIO(b"x"))
        assert set(found.refused) == {"signature"}
        assert not found.files


async def test_the_settings_choose_the_store(tmp_path: Path) -> None:
    await chosen(Settings(home=tmp_path)).put("t/k", io.BytesIO(b"x"))
    assert (tmp_path / "media" / "t" / "k").read_bytes() == b"x"
    with bucket() as found:
        settings = Settings(
            home=tmp_path, s3_bucket="files", s3_endpoint=found.url, s3_region=REGION, s3_access_key_id=KEY_ID,
            s3_secret_access_key=SECRET,
        )  # fmt: skip
        await chosen(settings).put("t/k", io.BytesIO(b"y"))
        assert found.files == {"/files/t/k": b"y"}


async def test_a_store_that_is_away_says_so_soon() -> None:
    with bucket() as found:
        store = of(found)
        found.down = True
        with pytest.raises(Away):
            await store.put("t/k", io.BytesIO(b"x"))
