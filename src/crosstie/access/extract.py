"""The audit log as a file of JSON lines: the entries that a filter names, oldest first, with their hashes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosstie.access import export, seal
from crosstie.access.audit import AuditEntry, document
from crosstie.db.statement import Statement
from crosstie.kit import clock, json
from crosstie.kit.blob import Blobs
from crosstie.log.operation import Finish, Operation, Step
from crosstie.log.unit import Log, Unit

PAGE = 1000
SELECT = Statement(
    "SELECT * FROM audit_entries WHERE position > $1::bigint AND ($2::timestamptz IS NULL OR at >= $2)"
    " AND ($3::timestamptz IS NULL OR at < $3) AND ($4::text IS NULL OR actor_id = $4)"
    " AND ($5::text IS NULL OR action = $5) AND ($6::text IS NULL OR target_id = $6)"
    " AND ($7::text IS NULL OR outcome = $7) ORDER BY position LIMIT $8::bigint",
    ["after", "since", "until", "actor_id", "action", "target_id", "outcome", "most"],
)
LINES = "application/jsonl"


class Extracts:
    """Makes the files."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def run(self, log: Log, operation: Operation) -> Finish:
        """The errand of an operation: the file is in the store when this returns; `Finish` makes its record."""
        await seal.seal(log.worker, log.cipher.witness, [operation.tenant_id], wait=True)
        with tempfile.TemporaryDirectory(prefix="crosstie-") as folder:
            path = Path(folder) / "audit.jsonl"
            count = await _write(log, operation, path)
            stored = await export.put(self._blobs, operation.tenant_id, operation.id, path)

        async def finish(unit: Unit, operation: Operation) -> Step:
            made = await export.keep(unit, "audit", f"audit-{clock.now():%Y%m%d}.jsonl", LINES, stored)
            result = {"export_id": str(made.id), "entries": count}
            return Step(done=count, count=count, finished=True, result=result)

        return finish


async def _write(log: Log, operation: Operation, path: Path) -> int:
    given = _values(operation.given)
    count, after = 0, 0
    with path.open("wb") as file:
        while True:
            async with log.unit(operation.tenant_id) as unit:
                rows = await unit.fetch(SELECT, **given, after=after, most=PAGE)
            lines = b"".join(_line(AuditEntry.view(row), log) for row in rows)
            await asyncio.to_thread(file.write, lines)
            count += len(rows)
            if len(rows) < PAGE:
                return count
            after = rows[-1]["position"]


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    moments = {name: clock.parse(given[name]) if given[name] else None for name in ("since", "until")}
    return dict(given) | moments


def _line(row: AuditEntry, log: Log) -> bytes:
    return json.dumps(document(row, log) | {"previous": row.previous.hex(), "hash": row.hash.hex()}) + b"\n"
