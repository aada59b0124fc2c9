"""The copy that a person gets: one zip of their records, the events about them, what was done with them, files."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from crosstie.access import export, seal
from crosstie.access.audit import AuditEntry, document
from crosstie.db.statement import Statement
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from crosstie.kit import clock, ids, json
from crosstie.kit.blob import Blobs, Missing
from crosstie.log import change, lineage
from crosstie.log import event as events
from crosstie.log.lineage import Found
from crosstie.log.operation import Finish, Operation, Step
from crosstie.log.unit import Log, Unit
from crosstie.modules.compliance.request import CONTACT, MOVES, PRIVACY_REQUESTS, PrivacyRequest

PAGE = 500
EVENTS = Statement(
    "SELECT * FROM events WHERE id > $1::uuid AND ((subject_type = $2::text AND subject_id = $3::text)"
    " OR ($4::boolean AND actor_type = $2::text AND actor_id = $3::text)) ORDER BY id LIMIT $5::bigint",
    ["after", "kind", "subject", "acts", "most"],
)
ACTS = Statement(
    "SELECT * FROM audit_entries WHERE position > $1::bigint AND ((target_type = $2::text AND target_id = $3::text)"
    " OR (actor_type = $2::text AND actor_id = $3::text)) ORDER BY position LIMIT $4::bigint",
    ["after", "kind", "subject", "most"],
)
ARCHIVE = "application/zip"


class Archives:
    """Makes the archives. Files are read from the store and written to it outside any transaction."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def run(self, log: Log, operation: Operation) -> Finish:
        """The errand of an operation: the archive is in the store when this returns; `Finish` makes its record."""
        id = UUID(operation.given["request_id"])
        await seal.seal(log.worker, log.cipher.witness, [operation.tenant_id], wait=True)
        async with log.unit(operation.tenant_id) as unit:
            request = await unit.get(PrivacyRequest, id)
            found = await met(unit, request)
        with tempfile.TemporaryDirectory(prefix="crosstie-") as folder:
            path = Path(folder) / "archive.zip"
            await self._write(log, request, found, path)
            stored = await export.put(self._blobs, operation.tenant_id, operation.id, path)
        counts = {name: len(rows) for name, (_, rows) in found.items()}

        async def finish(unit: Unit, operation: Operation) -> Step:
            row = await unit.get(PrivacyRequest, id, lock=True)
            name = f"{request.subject_type}-{clock.now():%Y%m%d}.zip"
            made = await export.keep(unit, "privacy", name, ARCHIVE, stored)
            await unit.flush()
            after = unit.update(row, {"export_id": made.id, "found": counts})
            await unit.flush()
            await change.move(unit, PRIVACY_REQUESTS, after, MOVES["complete"], {})
            total = sum(counts.values())
            return Step(done=total, count=total, finished=True, result={"export_id": str(made.id), "found": counts})

        return finish

    async def _write(self, log: Log, request: PrivacyRequest, found: Found, path: Path) -> None:
        digests: dict[str, str] = {}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

            def add(name: str, lines: bytes) -> None:
                digests[name] = hashlib.sha256(lines).hexdigest()
                archive.writestr(name, lines)

            for name, (resource, rows) in found.items():
                documents = [shown(resource, row, log, request) for row in rows.values()]
                await asyncio.to_thread(add, f"records/{name}.json", json.dumps(documents))
            if request.subject_type != "contact":
                spoken = [line async for line in _events(log, request, found)]
                await asyncio.to_thread(add, "events.jsonl", b"".join(spoken))
                acts = [line async for line in _acts(log, request, found)]
                await asyncio.to_thread(add, "audit.jsonl", b"".join(acts))
                for name, (_, rows) in found.items():
                    for row in rows.values():
                        if row.__dict__.get("blob"):
                            await self._file(archive, name, row, digests)
            manifest = {
                "subject": {"type": request.subject_type, "id": request.subject_id, "email": request.email},
                "request_id": request.id,
                "made_at": clock.now(),
                "sha256": digests,
            }
            add("manifest.json", json.dumps(manifest))

    async def _file(self, archive: zipfile.ZipFile, noun: str, row: Row, digests: dict[str, str]) -> None:
        try:
            pieces = await self._blobs.read(row.__dict__["blob"])
        except Missing:
            return  # erased earlier
        name = f"files/{noun}/{row.id}/{row.__dict__['filename'] or 'file'}"
        digest = hashlib.sha256()
        with archive.open(name, "w", force_zip64=True) as file:
            async for piece in pieces:
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
        digests[name] = digest.hexdigest()


async def met(unit: Unit, request: PrivacyRequest) -> Found:
    """The records that a request is about, by noun."""
    catalogue = unit.log.catalogue
    if request.subject_type != "contact":
        assert request.subject_id is not None
        return await lineage.below(unit, catalogue.singulars[request.subject_type], request.subject_id)
    clients = catalogue.singulars["client"]
    rows = await unit.fetch(CONTACT, email=request.email)
    named = {row["id"]: await unit.get(clients.row, row["id"]) for row in rows}
    return {clients.name: (clients, named)} if named else {}


def shown(resource: Resource, row: Row, log: Log, request: PrivacyRequest) -> dict[str, Any]:
    """A record as answers show it; of a client that only names the person, what it says of that person."""
    if request.subject_type != "contact":
        return resource.kept.encode(row.__dict__)
    contacts = [each for each in row.__dict__["contacts"] if named(each, request.email)]
    return {"id": row.id, "contacts": contacts}


def named(contact: Mapping[str, Any], email: str | None) -> bool:
    """Whether an entry of a client's contacts is the person with this address."""
    return bool(email) and (contact.get("email") or "").lower() == email


async def _events(log: Log, request: PrivacyRequest, found: Found) -> AsyncIterator[bytes]:
    for resource, rows in found.values():
        for id in rows:
            after = ids.FIRST
            while True:
                async with log.unit(request.tenant_id) as unit:
                    acts = id == request.subject_id
                    page = await unit.fetch(
                        EVENTS, after=after, kind=resource.singular, subject=str(id), acts=acts, most=PAGE
                    )
                for row in page:
                    if log.catalogue.guarded(row["subject_type"]) is None:
                        yield events.read(row).envelope() + b"\n"
                if len(page) < PAGE:
                    break
                after = page[-1]["id"]


async def _acts(log: Log, request: PrivacyRequest, found: Found) -> AsyncIterator[bytes]:
    for resource, rows in found.values():
        for id in rows:
            after = 0
            while True:
                async with log.unit(request.tenant_id) as unit:
                    page = await unit.fetch(ACTS, after=after, kind=resource.singular, subject=str(id), most=PAGE)
                for row in page:
                    yield json.dumps(document(AuditEntry.view(row), log)) + b"\n"
                if len(page) < PAGE:
                    break
                after = page[-1]["position"]
