"""The tables of the log. `reach` says who gets at each (db/policies.py); `partition` how it is cut.

Events, deliveries and attempts are cut by time through their UUIDv7: an id alone finds its partition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON, JSONB

from crosstie.declare import sealed
from crosstie.declare.row import Row

META = Row.metadata
MOMENT = sa.DateTime(timezone=True)
SPACE = UUID("7b0f8e0a-53d1-5c1a-9a54-3a1f0a3b6f11")


def answer_place(row: Mapping[str, Any]) -> UUID:
    """The place of a stored answer, which has no id: it follows from who used which key."""
    return uuid5(SPACE, row["principal"] + row["key"].hex())


events = sa.Table(
    "events",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("xid", sa.BigInteger, nullable=False, server_default=sa.text("(pg_current_xact_id()::text::bigint)")),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.Column("subject_type", sa.Text),
    sa.Column("subject_id", sa.Text),
    sa.Column("sequence", sa.BigInteger),
    sa.Column("actor_type", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("correlation_id", sa.Text),
    sa.Column("causation_id", sa.Text),
    sa.Column("trace", sa.Text),
    sa.Column("data", JSON, nullable=False),
    sa.Index("ix_events_cursor", "tenant_id", "epoch", "xid", "id"),
    sa.Index("ix_events_event_id", "tenant_id", "event_id"),
    sa.Index("ix_events_subject", "tenant_id", "subject_type", "subject_id", "sequence"),
    info={"reach": "batch", "partition": "id", "app": "SELECT, INSERT, UPDATE (data)", "batch": "SELECT, INSERT"},
    postgresql_partition_by="RANGE (id)",
)

inbox = sa.Table(
    "inbox",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("log_id", sa.Uuid, nullable=False),
    info={"reach": "batch", "hash": 8, "app": "SELECT, INSERT", "batch": "SELECT, INSERT"},
    postgresql_partition_by="HASH (tenant_id)",
)

counters = sa.Table(
    "counters",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("subject_type", sa.Text, primary_key=True),
    sa.Column("subject_id", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    info={"reach": "batch", "batch": "SELECT, INSERT, UPDATE", "app": "SELECT, INSERT, UPDATE"},
    # counted up in place: with room on its page a new version needs no entry in the index
    postgresql_with={"fillfactor": 50},
)

outbox = sa.Table(
    "outbox",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("lane", sa.Text),
    sa.Column("sequence", sa.BigInteger),
    sa.Index("ix_outbox_lane", "tenant_id", "lane", "sequence", postgresql_where=sa.text("lane IS NOT NULL")),
    info={"reach": "batch"},
)

route_versions = sa.Table(
    "route_versions",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    info={"reach": "batch"},
)

attempts = sa.Table(
    "attempts",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("delivery_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("started_at", MOMENT, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("response_status", sa.Integer),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("request_headers", JSON),
    sa.Column("response_headers", JSON),
    sa.Column("response_body", sa.LargeBinary),
    info={
        "reach": "batch",
        "partition": "delivery_id",
        "app": "SELECT, UPDATE (response_body, response_headers)",
        "batch": "SELECT, INSERT",
    },
    postgresql_partition_by="RANGE (delivery_id)",
)

idempotency = sa.Table(
    "idempotency",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("answer", sa.LargeBinary, nullable=False, info=sealed.mark(answer_place)),
    sa.Column("made_at", MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Index("ix_idempotency_made_at", "made_at"),
)

search_tokens = sa.Table(
    "search_tokens",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("noun", sa.Text, primary_key=True),
    sa.Column("token", sa.Text(collation="C"), primary_key=True),
    sa.Column("row_id", sa.Uuid, primary_key=True),
    sa.Index("ix_search_tokens_row", "tenant_id", "noun", "row_id"),
)

rates = sa.Table(
    "rates",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("endpoint_id", sa.Uuid, primary_key=True),
    sa.Column("blocks", JSONB, nullable=False),
    info={"reach": "batch"},
)

places = sa.Table(
    "places",
    META,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("way", sa.Text, primary_key=True, comment="Who follows: the name of a broker."),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("xid", sa.BigInteger, nullable=False),
    sa.Column("id", sa.Uuid, nullable=False, comment="The last event that it has, or that it does not want."),
    info={"reach": "batch", "app": "SELECT", "batch": "SELECT, UPDATE, DELETE"},
    # moved in place, as counters are
    postgresql_with={"fillfactor": 50},
)

workers = sa.Table(
    "workers",
    META,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
    info={"reach": "closed"},
)

installation = sa.Table(
    "installation",
    META,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="one"), primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("system_identifier", sa.BigInteger, nullable=False),
    info={"reach": "closed"},
)
