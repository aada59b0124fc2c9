"""A person's data: a copy of all of it, an end to all of it, and holds that forbid the end."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from crosstie.access import login, passkey
from crosstie.access.session import Sessions
from crosstie.app import Process, blobs, opened
from crosstie.db import session
from crosstie.errors import Unauthorized
from crosstie.log.loose import Broom
from tests.contract.noun.samples import World, picture
from tests.fence import fence, until
from tests.integration.audit.reading import verified
from tests.stage import Stage, Tenant

Client = httpx2.AsyncClient
MARK = "Qwertzmarker"


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    """The parts of a process that serves nobody."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        yield found


async def post(client: Client, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def firm(client: Client, mark: str) -> dict[str, Any]:
    """A client with everything that can belong to one; each text says the mark."""
    contacts = [
        {"name": f"{mark} Contact", "email": f"c.{mark}@example.com"},
        {"name": "Other", "email": "o@example.com"},
    ]
    made = await post(
        client,
        "clients",
        {"name": mark, "email": f"{mark}@example.com", "phone": "1", "notes": mark, "contacts": contacts},
    )
    site = await post(client, "sites", {"client_id": made["id"], "name": "Home", "street": f"1 {mark} Road"})
    job = await post(client, "jobs", {"client_id": made["id"], "title": "A geyser", "description": f"At {mark}'s"})
    await client.patch(f"/api/v1/clients/{made['id']}", json={"notes": f"{mark} again"})
    photos = [picture(), picture()]
    files = {"file": (f"{mark}.png", photos[0], "image/png")}
    photo = (await client.post("/api/v1/media", data={"job_id": job["id"], "caption": mark}, files=files)).json()
    text = {"file": (f"{mark}.txt", f"first {mark}".encode(), "text/plain")}
    document = (await client.post("/api/v1/documents", data={"job_id": job["id"], "title": mark}, files=text)).json()
    second = {"file": (f"{mark}-2.txt", f"second {mark}".encode(), "text/plain")}
    assert (await client.post(f"/api/v1/documents/{document['id']}/versions", files=second)).status_code == 201
    amount = {"amount": "10.00", "currency": "ZAR"}
    payment = {"job_id": job["id"], "amount": amount, "method": "cash", "gateway_reference": job["id"]}
    await client.post("/api/v1/payments", json=payment)
    return {"client": made, "site": site, "job": job, "photo": photo, "document": document, "bytes": photos[0]}


async def done(client: Client, request: dict[str, Any], status: str = "done") -> dict[str, Any]:
    """The request once it has been answered."""
    found = request

    async def answered() -> bool:
        nonlocal found
        found = (await client.get(f"/api/v1/privacy-requests/{request['id']}")).json()
        operation = (await client.get(f"/api/v1/operations/{request['operation_id']}")).json()
        assert operation["status"] != "failed", operation
        return bool(found["status"] != "open")

    await until(answered)
    assert found["status"] == status, found
    return found


async def test_a_person_gets_a_copy_of_everything_and_of_nobody_else(client: Client) -> None:
    made = await firm(client, MARK)
    await firm(client, "Somebodyelse")
    sent = {"kind": "export", "subject_type": "client", "email": f"{MARK.upper()}@example.com", "note": "By letter."}

    request = await done(client, await post(client, "privacy-requests", sent))

    assert request["subject_id"] == made["client"]["id"]
    assert request["found"] == {
        "clients": 1, "sites": 1, "jobs": 1, "media": 1, "documents": 1, "document-versions": 2, "payments": 1,
    }  # fmt: skip
    export = (await client.get(f"/api/v1/exports/{request['export_id']}")).json()
    async with httpx2.AsyncClient() as holder:
        fetched = await holder.get(export["url"])
    assert fetched.status_code == 200
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        names = archive.namelist()
        whole = b"".join(archive.read(name) for name in names)
        assert archive.read(f"files/media/{made['photo']['id']}/{MARK}.png") == made["bytes"]
        assert f"first {MARK}".encode() in whole
        assert f"second {MARK}".encode() in whole
        (record,) = json.loads(archive.read("records/clients.json"))
        assert record["notes"] == f"{MARK} again"
        events = [json.loads(line) for line in archive.read("events.jsonl").splitlines()]
        assert {"client.created", "client.updated", "job.created", "photo.uploaded"} <= {
            e["event_type"] for e in events
        }
        acts = [json.loads(line) for line in archive.read("audit.jsonl").splitlines()]
        assert {"clients.create", "clients.update", "media.create"} <= {act["action"] for act in acts}
        manifest = json.loads(archive.read("manifest.json"))
        assert set(manifest["sha256"]) == set(names) - {"manifest.json"}
    assert b"Somebodyelse" not in whole
    fetches = (await client.get("/api/v1/audit-entries", params={"action": "exports.fetch"})).json()["data"]
    assert [entry["target"]["id"] for entry in fetches] == [export["id"]]


async def everywhere(stage: Stage, tenant: Tenant, mark: str) -> list[str]:
    """The tables in which a word stands, of all that there are; sealed columns hold no words."""
    superuser = await stage.superuser()
    rows = await superuser.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped"
    )
    found = [
        row["relname"]
        for row in rows
        if await superuser.fetchval(
            f"SELECT EXISTS (SELECT FROM {row['relname']} t WHERE tenant_id = $1 AND t::text ILIKE $2)",
            tenant.id,
            f"%{mark}%",
        )
    ]
    await superuser.close()
    return found


async def test_an_erasure_leaves_nothing_but_what_must_stay(
    client: Client, tenant: Tenant, stage: Stage, process: Process
) -> None:
    made = await firm(client, MARK)
    other = await firm(client, "Somebodyelse")
    copied = {"kind": "export", "subject_type": "client", "subject_id": made["client"]["id"]}
    copy = await done(client, await post(client, "privacy-requests", copied))
    await fence(client)
    before = (await client.get("/api/v1/events", params={"limit": "200", "sort": "created_at"})).json()["data"]
    assert "clients" in await everywhere(stage, tenant, MARK)
    files = stage.home / "media" / tenant.id.hex
    assert [path for path in files.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]

    sent = {"kind": "erasure", "subject_type": "client", "subject_id": made["client"]["id"], "note": f"{MARK} wrote"}
    request = await done(client, await post(client, "privacy-requests", sent))

    assert request["note"] is None
    assert request["kept"] == ["1 payments: books must be kept for the tax authority"]
    await client.get("/api/v1/audit-entries")  # whose reader has what waits sealed
    assert await everywhere(stage, tenant, MARK) == []
    after = (await client.get("/api/v1/events", params={"limit": "200", "sort": "created_at"})).json()["data"]
    assert [(e["event_id"], e["sequence"]) for e in after[: len(before)]] == [
        (e["event_id"], e["sequence"]) for e in before
    ]
    await Broom(process.log, blobs(stage.settings)).sweep(tenant.id)
    assert not [path for path in files.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]
    photo = (await client.get(f"/api/v1/media/{made['photo']['id']}")).json()
    assert photo["caption"] is None
    assert photo["sha256"] == made["photo"]["sha256"]
    assert (await client.get(photo["url"])).status_code == 404
    theirs = (await client.get(f"/api/v1/media/{other['photo']['id']}")).json()
    assert (await client.get(theirs["url"])).content == other["bytes"]
    assert (await client.get("/api/v1/clients", params={"q": MARK})).json()["data"] == []
    assert (await client.get(f"/api/v1/exports/{copy['export_id']}")).status_code == 404
    report = await verified(stage, tenant.id)
    assert report["ok"], report
    assert report["erased"]


async def test_a_hold_forbids_deletion_and_erasure_of_all_that_belongs_to_its_subject(
    client: Client, tenant: Tenant
) -> None:
    made = await firm(client, MARK)
    id = made["client"]["id"]
    held = await post(client, "legal-holds", {"subject_type": "client", "subject_id": id, "reason": "Nkosi v. Acme"})

    refused = [
        await client.post(
            "/api/v1/privacy-requests", json={"kind": "erasure", "subject_type": "client", "subject_id": id}
        ),
        await client.post(f"/api/v1/clients/{id}/erase"),
        await client.delete(f"/api/v1/clients/{id}"),
        await client.delete(f"/api/v1/jobs/{made['job']['id']}"),
        await client.delete(f"/api/v1/media/{made['photo']['id']}"),
        await client.post(f"/api/v1/media/{made['photo']['id']}/erase"),
    ]

    assert [(each.status_code, each.json()["code"]) for each in refused] == [(409, "legal_hold")] * 6
    assert all("Nkosi v. Acme" in each.json()["detail"] for each in refused)
    copied = {"kind": "export", "subject_type": "client", "subject_id": id}
    await done(client, await post(client, "privacy-requests", copied))
    assert (await client.post(f"/api/v1/legal-holds/{held['id']}/release")).status_code == 200
    assert (await client.delete(f"/api/v1/media/{made['photo']['id']}")).status_code == 204
    assert (await client.post(f"/api/v1/clients/{id}/erase")).status_code == 200


async def test_a_hold_on_one_record_of_a_person_refuses_the_erasure_with_its_reason(client: Client) -> None:
    made = await firm(client, MARK)
    job = {"subject_type": "job", "subject_id": made["job"]["id"], "reason": "The inspector has asked."}
    await post(client, "legal-holds", job)
    sent = {"kind": "erasure", "subject_type": "client", "subject_id": made["client"]["id"]}

    request = await done(client, await post(client, "privacy-requests", sent), "refused")

    assert "The inspector has asked." in request["reason"]
    assert (await client.get(f"/api/v1/clients/{made['client']['id']}")).json()["name"] == MARK


async def test_a_contact_goes_and_the_client_stays(client: Client, tenant: Tenant, stage: Stage) -> None:
    made = await firm(client, MARK)
    asked = {"subject_type": "contact", "email": f"c.{MARK}@example.com"}
    copy = await done(client, await post(client, "privacy-requests", {"kind": "export", **asked}))
    export = (await client.get(f"/api/v1/exports/{copy['export_id']}")).json()
    with zipfile.ZipFile(io.BytesIO((await client.get(export["url"])).content)) as archive:
        assert sorted(archive.namelist()) == ["manifest.json", "records/clients.json"]
        (record,) = json.loads(archive.read("records/clients.json"))
    assert [each["name"] for each in record["contacts"]] == [f"{MARK} Contact"]

    await done(client, await post(client, "privacy-requests", {"kind": "erasure", **asked}))

    found = (await client.get(f"/api/v1/clients/{made['client']['id']}")).json()
    assert found["name"] == MARK
    assert [each["name"] for each in found["contacts"]] == ["Other"]
    await client.get("/api/v1/audit-entries")
    assert await everywhere(stage, tenant, f"c.{MARK}") == []
    assert await everywhere(stage, tenant, f"{MARK} Contact") == []


async def test_a_user_who_was_erased_is_nobody(client: Client, tenant: Tenant, stage: Stage, process: Process) -> None:
    sent = {"email": f"{MARK}@example.com", "name": MARK, "phone": "+27821234567", "role": "technician"}
    first = await post(client, "users", sent)
    second = await post(client, "users", {**sent, "email": f"b.{MARK}@example.com"})
    ways = "password_hash = 'x', totp = 'x', totp_since = now(), totp_step = 1, recovery = '[\"x\"]'"
    links = "invited_at = now(), reset_at = now(), subject = 'x'"
    who, sessions = UUID(first["id"]), Sessions(process.log, 60, 60)
    async with process.log.unit(tenant.id) as unit:
        await unit.connection.execute(f"UPDATE users SET {ways}, {links} WHERE id = $1", who)
        unit.write(passkey.KEEP, [tenant.id, uuid4(), who, b"x", b"x", 0, unit.now])
        await sessions.start(unit, who, ("password",), None, None)
    for each in (first, second):
        asked = {"kind": "erasure", "subject_type": "user", "subject_id": each["id"]}
        await done(client, await post(client, "privacy-requests", asked))
    found = (await client.get(f"/api/v1/users/{first['id']}")).json()
    assert (found["name"], found["phone"], found["status"]) == (None, None, "suspended")
    assert found["email"] == f"{first['id']}@erased.invalid"
    await client.get("/api/v1/audit-entries")
    assert await everywhere(stage, tenant, MARK) == []
    with pytest.raises(Unauthorized):
        await login.by_password(sessions, f"{MARK}@example.com", "x", tenant.slug, "127.0.0.1", None)
    async with session.of_tenant(process.log.app, tenant.id) as connection:
        columns = "password_hash, totp, totp_since, totp_step, recovery, invited_at, reset_at, subject"
        kept = await connection.fetchrow(f"SELECT {columns} FROM users WHERE id = $1", who)
        assert kept is not None
        assert set(kept.values()) == {None}
        assert await connection.fetchval("SELECT count(*) FROM passkeys WHERE user_id = $1", who) == 0
        open_ = "SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL"
        assert await connection.fetchval(open_, who) == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "export", "subject_type": "client"}, "/subject_id"),
        ({"kind": "export", "subject_type": "contact"}, "/email"),
        ({"kind": "export", "subject_type": "client", "email": "nobody@example.com"}, "/email"),
        ({"kind": "export", "subject_type": "contact", "email": "nobody@example.com"}, "/email"),
        (
            {"kind": "export", "subject_type": "user", "subject_id": "0190a000-0000-7000-8000-000000000001"},
            "/subject_id",
        ),
    ],
)
async def test_a_request_must_say_who(client: Client, body: dict[str, Any], pointer: str) -> None:
    refused = await client.post("/api/v1/privacy-requests", json=body)
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


async def test_the_audit_log_is_exported_as_lines(client: Client, tenant: Tenant) -> None:
    for number in range(3):
        await post(client, "clients", {"name": f"Client {number}"})
    asked = await client.post("/api/v1/audit-entries/export", json={"action": "clients.create"})
    assert asked.status_code == 202
    result: dict[str, Any] = {}

    async def made() -> bool:
        operation = (await client.get(asked.headers["location"])).json()
        assert operation["status"] != "failed", operation
        result.update(operation["result"] or {})
        return bool(operation["status"] == "done")

    await until(made)
    assert result["entries"] == 3
    export = (await client.get(f"/api/v1/exports/{result['export_id']}")).json()
    lines = [json.loads(line) for line in (await client.get(export["url"])).text.splitlines()]
    assert [line["after"]["name"] for line in lines] == ["Client 0", "Client 1", "Client 2"]
    assert [line["position"] for line in lines] == sorted(line["position"] for line in lines)
    assert {len(line["hash"]) for line in lines} == {64}
    noted = (await client.get("/api/v1/audit-entries", params={"action": "audit-entries.export,exports.fetch"})).json()
    assert [entry["action"] for entry in noted["data"]] == ["exports.fetch", "audit-entries.export"]
    assert (await client.delete(f"/api/v1/exports/{export['id']}")).status_code == 204


async def test_holds_are_told_what_is_wrong_with_them(client: Client) -> None:
    world = World(client)
    id = await world.some("clients")
    for body, pointer in (
        ({"subject_type": "planet", "subject_id": id, "reason": "x"}, "/subject_type"),
        ({"subject_type": "job", "subject_id": id, "reason": "x"}, "/subject_id"),
    ):
        refused = await client.post("/api/v1/legal-holds", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
