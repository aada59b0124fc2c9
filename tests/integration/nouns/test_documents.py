"""Documents over the API: versions, digests, types."""

from __future__ import annotations

import io
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

import httpx2
import pytest

from tests.integration.nouns.conftest import events
from tests.stage import Stage, calling

FIRST, SECOND = b"%PDF-1.7\nfirst", b"%PDF-1.7\nsecond"


async def send(
    client: httpx2.AsyncClient, body: bytes, type: str = "application/pdf", path: str = "", **fields: Any
) -> Any:
    files = {"file": ("report.pdf", body, type)}
    return await client.post(f"/api/v1/documents{path}", data=fields, files=files)


async def test_a_replacement_is_a_new_version_and_the_old_one_stays(
    client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    sent = await send(client, FIRST, title="Report", kind="report", job_id=job["id"])
    assert sent.status_code == 201, sent.text
    id = sent.json()["id"]
    replaced = await send(client, SECOND, path=f"/{id}/versions", sha256=sha256(SECOND).hexdigest())
    assert (replaced.status_code, replaced.json()["version"]) == (201, 2)
    same = await send(client, SECOND, path=f"/{id}/versions")
    assert (same.status_code, same.json()["errors"][0]["code"]) == (422, "same")

    versions = (await client.get(f"/api/v1/documents/{id}/versions")).json()

    assert [v["sha256"] for v in versions["data"]] == [sha256(FIRST).hexdigest(), sha256(SECOND).hexdigest()]
    async with calling() as anyone:
        bodies = [(await anyone.get(v["url"])).content for v in versions["data"]]
        newest = await anyone.get((await client.get(f"/api/v1/documents/{id}")).json()["url"])
    assert bodies == [FIRST, SECOND]
    assert newest.content == SECOND
    assert newest.headers["content-disposition"].startswith("attachment")
    found = await events(client, "document.uploaded", "document.replaced")
    assert [(e["event_type"], e["data"]["version"]) for e in found] == [
        ("document.uploaded", 1),
        ("document.replaced", 2),
    ]
    assert {e["data"]["job_id"] for e in found} == {job["id"]}

    assert (await client.delete(f"/api/v1/documents/{id}")).status_code == 204
    assert (await client.get(f"/api/v1/documents/{id}/versions")).status_code == 404
    assert len(await events(client, "document.deleted")) == 1


async def test_a_version_needs_its_document_as_it_was_read(stage: Stage, client: httpx2.AsyncClient) -> None:
    sent = await send(client, FIRST)
    id, tag = sent.json()["id"], sent.headers["etag"]
    part = {"file": ("a.pdf", SECOND)}
    await client.patch(f"/api/v1/documents/{id}", json={"title": "Newer"})
    stale = await client.post(f"/api/v1/documents/{id}/versions", files=part, headers={"if-match": tag})
    assert stale.status_code == 412
    async with (await stage.tenant()).client() as other:
        assert (await other.post(f"/api/v1/documents/{id}/versions", files=part)).status_code == 404
        assert (await other.get(f"/api/v1/documents/{id}/versions")).status_code == 404


async def test_documents_are_what_their_bytes_say(client: httpx2.AsyncClient) -> None:
    for body, type, status, found in (
        (b"a,b\n1,2\n", "text/csv", 201, "text/csv"),
        (b"plain", "application/octet-stream", 201, "text/plain"),
        (package("xl/workbook.xml"), "application/octet-stream", 201, None),
        (package("other"), "application/zip", 415, None),
        (b"<html><script>alert(1)</script>", "text/html", 415, None),
        (b"\xff\xfe\x00binary", "text/plain", 415, None),
        (FIRST, "text/plain", 422, None),
        (b"MZ\x90\x00", "application/pdf", 415, None),
    ):
        answer = await send(client, body, type)
        assert answer.status_code == status, (body[:20], answer.text)
        assert found is None or answer.json()["content_type"] == found


def package(part: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("[Content_Types].xml", "x")
        made.writestr(part, "x")
    return file.getvalue()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is Linux's to tell")
async def test_a_large_file_is_never_held_in_memory(stage: Stage, client: httpx2.AsyncClient) -> None:
    size = stage.settings.upload_limit - (1 << 20)
    for warm in (16 << 20, 24 << 20):  # the buffers that one upload leaves behind serve the next
        await large(client, warm)
    before = present()

    sent = await large(client, size)

    assert (sent.status_code, sent.json()["size"]) == (201, size), sent.text
    assert peak() - before < size * 0.5
    before = present()
    async with calling() as anyone, anyone.stream("GET", sent.json()["url"]) as fetched:
        assert sum([len(piece) async for piece in fetched.aiter_bytes()]) == size
    assert peak() - before < size * 0.3


async def large(client: httpx2.AsyncClient, size: int) -> httpx2.Response:
    body = {"file": ("large.txt", cast(IO[bytes], Repeated(size)), "text/plain")}
    return await client.post("/api/v1/documents", files=body, timeout=60)


def present() -> int:
    """The same from now on: what was before is forgotten."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """The most memory that this process, which is the server's too, has had, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


class Repeated(io.RawIOBase):
    """A file of so many bytes that takes no room."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._left = self._size - (offset if whence == 0 else self._size + offset)
        return self._size - self._left

    def tell(self) -> int:
        return self._size - self._left

    def read(self, size: int = -1) -> bytes:
        count = min(self._left, size if size >= 0 else 1 << 16, 1 << 16)
        self._left -= count
        return b"x" * count
