"""Photos over the API: judged by their bytes, heard of with time and place, fetched by a short-lived address."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx2
from PIL import Image
from standardwebhooks import Webhook

from crosstie.access import link as signed
from crosstie.kit import clock
from tests.integration.nouns.conftest import Make, events
from tests.receiver import Receiver
from tests.stage import Stage, Tenant, calling

TAKEN, OFFSET, GPS = 36867, 36881, 0x8825


def photo(kind: str = "JPEG", *, offset: str | None = "+02:00", place: bool = True) -> bytes:
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[TAKEN] = "2026:05:01 10:30:00"
    if offset:
        inner[OFFSET] = offset
    if place:
        exif.get_ifd(GPS).update({1: "S", 2: (33.0, 57.0, 30.0), 3: "E", 4: (22.0, 27.0, 36.0)})
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, kind, exif=exif)
    return file.getvalue()


async def send(client: httpx2.AsyncClient, job: dict[str, Any], body: bytes, type: str = "", **fields: Any) -> Any:
    part = ("../../a photo\u00e9.jpg", body, type or "application/octet-stream")
    return await client.post("/api/v1/media", data={"job_id": job["id"], **fields}, files={"file": part})


async def test_a_photo_is_heard_of_with_time_and_place(
    client: httpx2.AsyncClient, make: Make, job: dict[str, Any], receiver: Receiver
) -> None:
    endpoint = await make("webhook-endpoints", url=receiver.url, event_types=["photo.*"])
    body = photo()

    sent = await send(client, job, body, slot="before", caption="Geyser", sha256=sha256(body).hexdigest())

    assert sent.status_code == 201, sent.text
    media = sent.json()
    (received,) = await receiver.wait(1, "photo.uploaded")
    Webhook(endpoint["secret"]).verify(received.body.decode(), received.headers)
    data = received.envelope["data"]
    assert (data["media_id"], data["job_id"]) == (media["id"], job["id"])
    assert data["sha256"] == sha256(body).hexdigest()
    assert data["captured_at"] == "2026-05-01T08:30:00Z"
    assert (data["lat"], data["lng"]) == ("-33.9583333", "22.46")
    assert (data["slot"], media["filename"], media["content_type"]) == ("before", "a photo\u00e9.jpg", "image/jpeg")
    async with calling() as anyone:
        fetched = await anyone.get(data["url"])
    assert fetched.content == body
    assert fetched.headers["content-type"] == "image/jpeg"
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in fetched.headers["content-security-policy"]
    timeline = (await client.get(f"/api/v1/jobs/{job['id']}/timeline")).json()["data"]
    assert (timeline[-1]["type"], timeline[-1]["layer"]) == ("photo.uploaded", "document")


async def test_a_camera_without_an_offset_shows_the_firms_time(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    sent = await send(client, job, photo(offset=None, place=False))
    assert sent.json()["captured_at"] == "2026-05-01T08:30:00Z"  # Africa/Johannesburg
    assert (sent.json()["lat"], sent.json()["lng"]) == (None, None)
    assert (await send(client, job, photo("WEBP"))).json()["lat"] == "-33.9583333"
    assert (await send(client, job, photo("PNG"))).json()["content_type"] == "image/png"
    said = await send(client, job, photo(), captured_at="2026-05-02T00:00:00Z", lat="1.5", lng="-2")
    assert (said.json()["captured_at"], said.json()["lat"]) == ("2026-05-02T00:00:00Z", "1.5")


async def test_an_address_is_good_for_one_file_of_one_tenant_for_a_while(
    stage: Stage, tenant: Tenant, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    media = (await send(client, job, photo())).json()
    token = media["url"].rpartition("/")[2]
    about = {"noun": "media", "id": media["id"]}
    past, later = clock.now() - timedelta(seconds=1), clock.now() + timedelta(minutes=1)
    other = await stage.tenant()
    over = signed.make(await stage.vault(), signed.FILES, tenant.id, about, past)
    wrong = signed.make(await stage.vault(), "quote-links", tenant.id, about, later)
    foreign = signed.make(await stage.vault(), signed.FILES, other.id, about, later)
    async with calling(stage.url) as anyone, other.client() as stranger:
        for bad in (over, wrong, token[:-4] + "AAAA", "x"):
            refused = await anyone.get(f"/media/{bad}")
            assert (refused.status_code, refused.json()["code"]) == (403, "link_expired")
        assert (await stranger.get(f"/media/{token}")).status_code == 403
        assert (await anyone.get(f"/media/{foreign}")).status_code == 404
        assert (await anyone.head(f"/media/{token}")).headers["content-length"] == str(media["size"])
        assert (await stranger.get(f"/api/v1/media/{media['id']}")).status_code == 404
        await client.delete(f"/api/v1/media/{media['id']}")
        assert (await anyone.get(f"/media/{token}")).status_code == 404


async def test_what_is_no_photo_is_refused(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    good = photo()
    for body, type, fields, status in (
        (b"%PDF-1.7 not a photo", "image/jpeg", {}, 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", {}, 415),
        (good, "image/png", {}, 422),
        (good[:3] + b"\0" * 500, "image/jpeg", {}, 422),
        (b"", "image/jpeg", {}, 415),
        (good, "image/jpeg", {"sha256": "0" * 64}, 422),
        (good, "image/jpeg", {"nonsense": "1"}, 422),
        (good, "image/jpeg", {"slot": "beside"}, 422),
        (good, "image/jpeg", {"job_id": "x"}, 422),
        (huge(8000, 5001), "image/png", {}, 422),
        (good, "image/jpeg", {"caption": "x" * 100_000}, 400),
    ):
        refused = await send(client, job, body, type, **fields)
        assert refused.status_code == status, (body[:20], fields, refused.text)
        assert refused.json()["code"]
    missing = await client.post("/api/v1/media", data={"job_id": job["id"]}, files={"other": ("a", good)})
    assert {e["pointer"] for e in missing.json()["errors"]} == {"/file", "/other"}
    assert (await client.post("/api/v1/media", json={"job_id": job["id"]})).status_code == 415
    broken = await client.post("/api/v1/media", content=b"x", headers={"content-type": "multipart/form-data"})
    assert broken.status_code == 400
    assert not await events(client, "photo.uploaded")


def huge(width: int, height: int) -> bytes:
    """A PNG whose header says how big it is, and no more."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


async def test_a_file_beyond_the_limit_is_cut_off_while_it_comes(
    stage: Stage, client: httpx2.AsyncClient, job: dict[str, Any]
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 1 << 30:
            sent += 1 << 20
            yield bytes(1 << 20)

    async def body() -> Any:
        for piece in endless():
            yield piece

    headers = {"content-type": "multipart/form-data; boundary=cut"}
    try:
        answer = await client.post("/api/v1/media", content=body(), headers=headers)
        assert answer.status_code == 413
    except httpx2.HTTPError:
        pass  # the server closed the connection while we were still sending
    assert sent < 4 * stage.settings.upload_limit


async def test_a_key_makes_a_repeat_harmless(client: httpx2.AsyncClient, job: dict[str, Any]) -> None:
    headers = {"idempotency-key": "one"}
    answers = [
        await client.post("/api/v1/media", data={"job_id": job["id"]}, files={"file": ("a.jpg", body)}, headers=headers)
        for body in (photo(), photo(), photo("PNG"))
    ]
    assert [a.status_code for a in answers] == [201, 201, 422]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(await events(client, "photo.uploaded")) == 1
