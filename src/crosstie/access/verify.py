"""Verification of the audit log: what is in the database against itself, and against checkpoints from outside it.

Needs public keys alone. Entries are walked in the order of their positions, so that a chain of any length fits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from crosstie.access import chain
from crosstie.access.anchor import Checkpoint
from crosstie.db import session

PAGE = 1000
AFTER = "SELECT * FROM audit_entries WHERE tenant_id = $1 AND (position, id) > ($2, $3) ORDER BY position, id LIMIT $4"
PARTS = ("personal", "ip")
NIL = UUID(int=0)

Kind = Literal["changed", "missing", "truncated"]
Entry = Mapping[str, Any]
#: where a chain ended at each restore, oldest first
Restores = Mapping[datetime, int]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `until` is the last of several positions that were cut off."""

    tenant_id: UUID
    entry_id: UUID | None
    position: int
    kind: Kind
    until: int | None = None

    def document(self) -> dict[str, Any]:
        """As it is printed."""
        found = {"entry_id": self.entry_id, "position": self.position, "kind": self.kind, "tenant_id": self.tenant_id}
        return found | ({"until": self.until} if self.until else {})


@dataclass(slots=True)
class Report:
    """What became of a verification. `erased` are entries whose personal parts were erased, as other entries say;
    `unanchored` are the ends of chains that no checkpoint covers; `restored` what was lost because a backup was loaded,
    as the restore itself said."""

    entries: int = 0
    faults: list[Fault] = field(default_factory=list)
    erased: list[dict[str, Any]] = field(default_factory=list)
    unanchored: list[dict[str, Any]] = field(default_factory=list)
    restored: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: int = 0
    refused: int = 0

    def document(self) -> dict[str, Any]:
        """As it is printed."""
        return {
            "ok": not self.faults,
            "entries": self.entries,
            "faults": [fault.document() for fault in self.faults],
            "erased": self.erased,
            "unanchored": self.unanchored,
            "restored": self.restored,
            "checkpoints": self.checkpoints,
            "checkpoints_refused": self.refused,
        }


class Anchored:
    """What the checkpoints say of one tenant."""

    def __init__(self, checkpoints: Iterable[Checkpoint], restores: Restores) -> None:
        self.heads: dict[int, set[bytes]] = {}
        #: of each restore that lost something its moment, and the last position that was lost
        self.lost: dict[datetime, int] = {}
        checkpoints = [each for each in checkpoints if not self._before(each, restores)]
        self._spans = sorted((c.since, c.marks) for c in checkpoints)
        for checkpoint in checkpoints:
            self.heads.setdefault(checkpoint.position, set()).add(checkpoint.head)
        self.last = max(self.heads, default=0)

    def _before(self, checkpoint: Checkpoint, restores: Restores) -> bool:
        """Whether a later restore took away what a checkpoint counts."""
        for at, position in restores.items():
            if checkpoint.at < at and checkpoint.position > position:
                self.lost[at] = max(self.lost.get(at, 0), checkpoint.position)
                return True
        return False

    def mark(self, position: int) -> bytes | None:
        """The beginning of the digest of an entry's content, where a checkpoint has it."""
        at = bisect_left(self._spans, (position, b"")) - 1
        while at >= 0:
            since, marks = self._spans[at]
            start = (position - since - 1) * chain.MARK
            if 0 <= start < len(marks):
                found = marks[start : start + chain.MARK]
                return found if any(found) else None
            if start >= len(marks):
                return None
            at -= 1
        return None


class Walk:
    """One tenant's chain, entry by entry."""

    def __init__(self, tenant_id: UUID, checkpoints: Iterable[Checkpoint], restores: Restores, report: Report) -> None:
        self._tenant_id = tenant_id
        self._anchored = Anchored(checkpoints, restores)
        for at, until in sorted(self._anchored.lost.items()):
            place = {"tenant_id": tenant_id, "since": restores[at] + 1, "until": until, "at": at}
            report.restored.append(place)
        self._report = report
        self._before: Entry | None = None
        self._hash = chain.genesis(tenant_id)
        self._position = 0
        self._guilty: set[UUID] = set()
        #: no fault since a head was last found to be as its checkpoint says
        self._sound = True
        self._blank: list[tuple[Entry, tuple[str, str], int]] = []
        self._erasures: dict[tuple[str, str], int] = {}

    def take(self, entry: Entry) -> None:
        """The next entry by position."""
        self._report.entries += 1
        if entry["position"] <= self._position:
            self._fault(entry)  # before the first place, or the second in one place
            return
        gap = range(self._position + 1, entry["position"])
        if gap and entry["position"] - self._position > PAGE * PAGE:
            self._fault(entry)  # no chain has such a hole: it was put there
            return
        for position in gap:
            self._add(Fault(self._tenant_id, None, position, "missing"))
        self._examine(entry, joined=not gap)
        self._position, self._hash, self._before = entry["position"], entry["hash"], entry

    def end(self) -> None:
        """Nothing follows."""
        last = self._anchored.last
        if last > self._position:
            until = last if last > self._position + 1 else None
            self._add(Fault(self._tenant_id, None, self._position + 1, "truncated", until))
        elif self._position > last:
            gone = {"tenant_id": self._tenant_id, "since": last + 1, "until": self._position}
            self._report.unanchored.append(gone)
        for entry, who, position in self._blank:
            if self._erasures.get(who, 0) < position:
                self._fault(entry)
            elif entry["id"] not in self._guilty:
                place = {"entry_id": entry["id"], "position": position, "tenant_id": self._tenant_id}
                if place not in self._report.erased:
                    self._report.erased.append(place)

    def _examine(self, entry: Entry, *, joined: bool) -> None:
        content = chain.content(entry)
        mark = self._anchored.mark(entry["position"])
        whole = chain.link(entry["previous"], entry["position"], content) == entry["hash"]
        if (
            not whole
            or (mark is not None and mark != content[: chain.MARK])
            or not self._parts(entry)
            or entry["action"] == chain.REFUSAL
        ):
            self._fault(entry)
        elif joined and entry["previous"] != self._hash:
            # the entry is as it was sealed: what stands before it is not what stood there then
            self._fault(self._before if self._before is not None else entry)
        elif chain.erases(entry):
            who = (entry["target_type"], entry["target_id"])
            self._erasures[who] = max(self._erasures.get(who, 0), entry["position"])
        heads = self._anchored.heads.get(entry["position"])
        if heads is not None:
            if heads == {entry["hash"]}:  # of two heads in one place, one is of a tail that was cut off
                self._sound = True
            elif self._sound:
                self._fault(entry)

    def _parts(self, entry: Entry) -> bool:
        """Whether the personal parts are those that were sealed, or blank."""
        owners = {"personal": ("target_type", "target_id"), "ip": ("actor_type", "actor_id")}
        for part in PARTS:
            value, salt, digest = entry[part], entry[f"{part}_salt"], entry[f"{part}_digest"]
            if value is None and salt is None:
                if digest is not None:
                    kind, id = (entry[name] for name in owners[part])
                    self._blank.append((entry, (kind, id), entry["position"]))
            elif value is None or salt is None or digest is None or chain.salted(salt, value) != digest:
                return False
        return True

    def _fault(self, entry: Entry) -> None:
        if entry["id"] not in self._guilty:
            self._guilty.add(entry["id"])
            self._add(Fault(self._tenant_id, entry["id"], entry["position"], "changed"))

    def _add(self, fault: Fault) -> None:
        self._sound = False
        self._report.faults.append(fault)


async def verify(
    pool: asyncpg.Pool, tenants: Iterable[UUID] | None, checkpoints: Iterable[Checkpoint | None]
) -> Report:
    """Verify the chains of these tenants against checkpoints; None among them are lines that no key vouches for.

    `tenants` None: of all that are known to the database or to a checkpoint.
    """
    report = Report()
    by_tenant: dict[UUID, list[Checkpoint]] = {}
    #: position by tenant, by moment
    restores: dict[datetime, dict[UUID, int]] = {}
    for checkpoint in checkpoints:
        if checkpoint is None:
            report.refused += 1
        else:
            report.checkpoints += 1
            by_tenant.setdefault(checkpoint.tenant_id, []).append(checkpoint)
            if checkpoint.restored:
                restores.setdefault(checkpoint.at, {})[checkpoint.tenant_id] = checkpoint.position
    if tenants is None:
        listed = [row["id"] for row in await pool.fetch("SELECT id FROM tenant_list()")]
        tenants = sorted({*listed, *by_tenant})
    for tenant_id in tenants:
        # a tenant that the restore did not find began after the backup was made: all of it is lost
        known = {at: ends.get(tenant_id, 0) for at, ends in sorted(restores.items()) if NIL in ends}
        walk = Walk(tenant_id, by_tenant.get(tenant_id, ()), known, report)
        async for entry in _entries(pool, tenant_id):
            walk.take(entry)
        walk.end()
    report.faults.sort(key=lambda fault: (fault.tenant_id, fault.position))
    return report


async def _entries(pool: asyncpg.Pool, tenant_id: UUID) -> AsyncIterator[Entry]:
    position, id = -(1 << 63), UUID(int=0)
    while True:
        async with session.of_tenant(pool, tenant_id) as connection:
            rows = await connection.fetch(AFTER, tenant_id, position, id, PAGE)
        for row in rows:
            yield dict(row)
        if len(rows) < PAGE:
            return
        position, id = rows[-1]["position"], rows[-1]["id"]
