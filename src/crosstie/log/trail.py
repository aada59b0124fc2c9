"""The audit trail as a Unit writes it: one entry per act and target, unchained, in the Unit's own last statement.

A sealer chains the entries of each tenant within a second (access/seal.py); until then they wait here, each under a
stamp that only processes of this installation can make: what somebody else wrote or changed in the database is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from crosstie.db.statement import Statement
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from crosstie.kit import ids, json, mask
from crosstie.log.event import Actor, Origin

Outcome = Literal["done", "denied", "failed"]

audit_pending = sa.Table(
    "audit_pending",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor_type", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target_type", sa.Text),
    sa.Column("target_id", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("ip", sa.Text),
    sa.Column("request_id", sa.Text),
    # json keeps the text as it was written: the chain covers its bytes
    sa.Column("before", JSON),
    sa.Column("after", JSON),
    sa.Column("personal", JSON, comment="What an erasure blanks, of before and after."),
    sa.Column("stamp", sa.LargeBinary, comment="Shows which process wrote it: one of this installation, or another."),
    info={"reach": "batch", "app": "INSERT", "batch": "SELECT, INSERT, DELETE"},
)

INTO = (
    "INSERT INTO audit_pending (tenant_id, at, actor_type, actor_id, ip, request_id, id, action, target_type,"
    " target_id, outcome, before, after, personal, stamp)"
)
NUMBERS = [str(number + 1) for number in range(15)]
#: one entry, as most Units have; and several
NOTE = Statement(
    f"{INTO} VALUES ($1::uuid, $2::timestamptz, $3::text, $4::text, $5::text, $6::text, $7::uuid, $8::text, $9::text,"
    " $10::text, $11::text, $12::json, $13::json, $14::json, $15::bytea)",
    NUMBERS,
)
NOTES = Statement(
    f"{INTO} SELECT $1::uuid, $2::timestamptz, $3::text, $4::text, $5::text, $6::text, a.id, a.action, a.target_type,"  # noqa: S608  # names of columns
    " a.target_id, a.outcome, a.before::json, a.after::json, a.personal::json, a.stamp"
    " FROM unnest($7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],"
    " $15::bytea[]) AS a (id, action, target_type, target_id, outcome, before, after, personal, stamp)",
    NUMBERS,
)
#: what a stamp covers as it is; and what of it an erasure may blank, covered by a tag of its own
COVERED = (
    "tenant_id", "id", "at", "actor_type", "actor_id", "request_id", "action", "target_type", "target_id", "outcome",
    "before", "after",
)  # fmt: skip
PARTS = ("ip", "personal")
TAG = 16
NONE = bytes(TAG)


@dataclass(slots=True)
class Act:
    """One act. `before` and `after` are rows of `resource`, or documents; what of them is `personal` can be erased."""

    action: str
    target_type: str | None = None
    target_id: str | None = None
    before: Row | Mapping[str, Any] | None = None
    after: Row | Mapping[str, Any] | None = None
    resource: Resource | None = None
    outcome: Outcome = "done"
    #: beside the states: what the caller gave with a verb
    given: Mapping[str, Any] | None = None
    #: says all there is to say: what follows in the same Unit adds nothing (an erasure must not tell what it erased)
    final: bool = False
    #: known by its event alone: whatever else is noted of the target in the same Unit says more
    hint: bool = False

    def follow(self, later: Act) -> Act:
        """This act with a later one of the same Unit on the same target: one entry, from first state to last."""
        if self.final or later.hint:
            return self
        if self.hint or later.final:
            return later
        made = self.action.endswith(".create") and not later.action.endswith(".delete")
        return Act(
            self.action if made else later.action,
            later.target_type,
            later.target_id,
            later.before if self.resource is None else self.before,
            later.after,
            later.resource,
            later.outcome,
            later.given or self.given,
        )

    def documents(self) -> tuple[str | None, str | None, str | None]:
        """`before`, `after` and the personal part, as JSON text. A change shows the fields that changed."""
        before, after = self._states()
        hidden = set(self.resource.kept.personal) if self.resource else set()
        personal: dict[str, Any] = {}
        shown: list[str | None] = []
        for name, state in (("before", before), ("after", after)):
            kept = {key: value for key, value in state.items() if key not in hidden} if state is not None else None
            private = {key: value for key, value in (state or {}).items() if key in hidden}
            if private:
                personal[name] = private
            shown.append(json.dumps(mask.secrets(kept)).decode() if kept is not None else None)
        if self.given:
            personal.setdefault("after", {})["given"] = mask.secrets(self.given)
        return shown[0], shown[1], json.dumps(personal).decode() if personal else None

    def _states(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if self.resource is None:
            return (
                dict(self.before) if isinstance(self.before, Mapping) else None,
                dict(self.after) if isinstance(self.after, Mapping) else None,
            )
        before, after = (_shown(self.resource, each) for each in (self.before, self.after))
        if before is None or after is None:
            return before, after
        changed = [name for name in after if before[name] != after[name]]
        return {name: before[name] for name in changed}, {name: after[name] for name in changed}


def _shown(resource: Resource, state: Row | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A record as answers show it, without what is made for each answer anew."""
    if state is None:
        return None
    return resource.kept.encode(state.__dict__ if isinstance(state, Row) else state)


def noted(
    witness: bytes, tenant_id: UUID, acts: Collection[Act], at: datetime, actor: Actor, origin: Origin
) -> tuple[Statement, list[Any]]:
    """The statement that has acts wait, and its arguments. `witness` is the installation's key for stamps."""
    ip, request = origin.ip, origin.request_id
    rows = []
    for act in acts:
        id = ids.uuid7()
        before, after, personal = act.documents()
        said = (act.action, act.target_type, act.target_id, act.outcome, before, after)
        made = stamp(witness, (tenant_id, id, at, actor.type, actor.id, request, *said), (ip, personal))
        rows.append((id, *said, personal, made))
    shared = [tenant_id, at, actor.type, actor.id, ip, request]
    if len(rows) == 1:
        return NOTE, [*shared, *rows[0]]
    return NOTES, [*shared, *map(list, zip(*rows, strict=True))]


def stamp(witness: bytes, covered: Sequence[Any], parts: Sequence[str | None]) -> bytes:
    """The stamp of an entry: a tag of each of its PARTS, and one of these and what is COVERED."""
    tags = b"".join(
        NONE if part is None else _tag(witness, name, part.encode()) for name, part in zip(PARTS, parts, strict=True)
    )
    return tags + _tag(witness, "entry", msgspec.json.encode(covered) + tags)


def blanked(witness: bytes, entry: Mapping[str, Any]) -> frozenset[str] | None:
    """Of an entry that waits, the PARTS that were blanked since it was written; None where its stamp does not hold."""
    kept = entry["stamp"]
    if kept is None or len(kept) != TAG * 3:
        return None
    if _tag(witness, "entry", msgspec.json.encode([entry[name] for name in COVERED]) + kept[:-TAG]) != kept[-TAG:]:
        return None
    gone = set()
    for number, name in enumerate(PARTS):
        tag, value = kept[number * TAG :][:TAG], entry[name]
        if value is None and tag != NONE:
            gone.add(name)
        elif value is not None and tag != _tag(witness, name, value.encode()):
            return None
    return frozenset(gone)


def _tag(witness: bytes, of: str, value: bytes) -> bytes:
    return blake2b(value, digest_size=TAG, key=witness, person=of.encode()).digest()
