"""The spine."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("ips", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secret_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("old_hash", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_keys")),
    )
    op.create_index("ix_api_keys_created_at", "api_keys", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_api_keys_hash"), "api_keys", ["hash"], unique=False)
    op.create_index("ix_api_keys_name", "api_keys", ["tenant_id", "name", "id"], unique=False)
    op.create_index(op.f("ix_api_keys_old_hash"), "api_keys", ["old_hash"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("request_headers", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("response_headers", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", "number", name=op.f("pk_attempts")),
        info={
            "reach": "batch",
            "partition": "delivery_id",
            "app": "SELECT, UPDATE (response_body, response_headers)",
            "batch": "SELECT, INSERT",
        },
        postgresql_partition_by="RANGE (delivery_id)",
    )
    op.create_table(
        "audit_entries",
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("ip_salt", sa.LargeBinary(), nullable=True),
        sa.Column("ip_digest", sa.LargeBinary(), nullable=True),
        sa.Column("before", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "personal",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=True,
            comment="The part of before and after that can be erased.",
        ),
        sa.Column("personal_salt", sa.LargeBinary(), nullable=True),
        sa.Column("personal_digest", sa.LargeBinary(), nullable=True),
        sa.Column("mark", sa.LargeBinary(), nullable=False, comment="The beginning of its content's digest."),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'denied', 'failed')", name=op.f("ck_audit_entries_outcome")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("tenant_id", "position", name="uq_audit_entries_position"),
        info={
            "reach": "batch",
            "app": "SELECT",
            "batch": "SELECT, INSERT, UPDATE (personal, personal_salt, ip, ip_salt)",
        },
    )
    op.create_index("ix_audit_entries_action", "audit_entries", ["tenant_id", "action", "id"], unique=False)
    op.create_index("ix_audit_entries_actor_id", "audit_entries", ["tenant_id", "actor_id", "id"], unique=False)
    op.create_index("ix_audit_entries_at", "audit_entries", ["tenant_id", "at", "id"], unique=False)
    op.create_index("ix_audit_entries_ip", "audit_entries", ["tenant_id", "ip", "id"], unique=False)
    op.create_index("ix_audit_entries_outcome", "audit_entries", ["tenant_id", "outcome", "id"], unique=False)
    op.create_index("ix_audit_entries_request_id", "audit_entries", ["tenant_id", "request_id", "id"], unique=False)
    op.create_index("ix_audit_entries_target_id", "audit_entries", ["tenant_id", "target_id", "id"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("anchored", sa.BigInteger(), nullable=False, comment="Up to here a checkpoint was written."),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_audit_heads")),
        info={"reach": "batch", "app": "SELECT", "batch": "SELECT, INSERT, UPDATE"},
    )
    op.create_table(
        "audit_pending",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "personal",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=True,
            comment="What an erasure blanks, of before and after.",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_pending")),
        info={"reach": "batch", "app": "INSERT", "batch": "SELECT, INSERT, DELETE"},
    )
    op.create_table(
        "clients",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("tax_number", sa.Text(), nullable=True),
        sa.Column("contacts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("addresses", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('person', 'firm')", name=op.f("ck_clients_kind")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_clients")),
    )
    op.create_index("ix_clients_created_at", "clients", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_clients_email", "clients", ["tenant_id", "email", "created_at", "id"], unique=False)
    op.create_index("ix_clients_kind", "clients", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_clients_name", "clients", ["tenant_id", "name", "id"], unique=False)
    op.create_table(
        "counters",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject_type", "subject_id", name=op.f("pk_counters")),
        info={"reach": "batch", "batch": "SELECT, INSERT, UPDATE", "app": "SELECT, INSERT, UPDATE"},
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "data_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed", sa.BigInteger(), server_default="0", nullable=False, comment="Values sealed, about."),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_data_keys")),
        info={"reach": "batch", "batch": "SELECT"},
    )
    op.create_index(
        "uq_data_keys_root", "data_keys", ["tenant_id"], unique=True, postgresql_where=sa.text("purpose = 'root'")
    )
    op.create_table(
        "dead_letters",
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("status IN ('dead', 'parked')", name=op.f("ck_dead_letters_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_dead_letters")),
        info={"reach": "batch"},
    )
    op.create_index("ix_dead_letters_cause", "dead_letters", ["tenant_id", "cause", "id"], unique=False)
    op.create_index(
        "ix_dead_letters_due", "dead_letters", ["due_at"], unique=False, postgresql_where=sa.text("status = 'parked'")
    )
    op.create_index("ix_dead_letters_endpoint_id", "dead_letters", ["tenant_id", "endpoint_id", "id"], unique=False)
    op.create_index("ix_dead_letters_event_type", "dead_letters", ["tenant_id", "event_type", "id"], unique=False)
    op.create_index("ix_dead_letters_last_at", "dead_letters", ["tenant_id", "last_at", "id"], unique=False)
    op.create_index("ix_dead_letters_source", "dead_letters", ["tenant_id", "source", "id"], unique=False)
    op.create_index("ix_dead_letters_status", "dead_letters", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "uq_dead_letters_digest",
        "dead_letters",
        ["tenant_id", "source", "digest"],
        unique=True,
        postgresql_where=sa.text("digest IS NOT NULL"),
    )
    op.create_table(
        "deliveries",
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("log_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer(), server_default="0", nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_by", sa.Uuid(), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'delivering', 'retrying', 'delivered', 'dead', 'cancelled')",
            name=op.f("ck_deliveries_status"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_deliveries")),
        info={"reach": "batch", "partition": "id"},
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["tenant_id", "endpoint_id", "status", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_deliveries_endpoint_id", "deliveries", ["tenant_id", "endpoint_id", "id"], unique=False)
    op.create_index("ix_deliveries_event_id", "deliveries", ["tenant_id", "event_id", "id"], unique=False)
    op.create_index(
        "ix_deliveries_lane",
        "deliveries",
        ["tenant_id", "endpoint_id", "lane", "sequence"],
        unique=False,
        postgresql_where=sa.text("lane IS NOT NULL AND status IN ('pending', 'delivering', 'retrying')"),
    )
    op.create_index(
        "ix_deliveries_leased",
        "deliveries",
        ["leased_by"],
        unique=False,
        postgresql_where=sa.text("leased_by IS NOT NULL"),
    )
    op.create_index("ix_deliveries_status", "deliveries", ["tenant_id", "status", "id"], unique=False)
    op.create_table(
        "document_versions",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_document_versions")),
        info={"app": "SELECT, INSERT, UPDATE (filename, blob)"},
    )
    op.create_index(
        "ix_document_versions_document_id", "document_versions", ["tenant_id", "document_id", "id"], unique=False
    )
    op.create_table(
        "event_types",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("data_schema", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("example", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deprecated", sa.Boolean(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'both')", name=op.f("ck_event_types_direction")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_event_types")),
        sa.UniqueConstraint("tenant_id", "name", "version", name="uq_event_types_name_version"),
    )
    op.create_index("ix_event_types_created_at", "event_types", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column(
            "xid", sa.BigInteger(), server_default=sa.text("(pg_current_xact_id()::text::bigint)"), nullable=False
        ),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("causation_id", sa.Text(), nullable=True),
        sa.Column("trace", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_events")),
        info={"reach": "batch", "partition": "id", "app": "SELECT, INSERT, UPDATE (data)", "batch": "SELECT, INSERT"},
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_events_cursor", "events", ["tenant_id", "epoch", "xid", "id"], unique=False)
    op.create_index("ix_events_event_id", "events", ["tenant_id", "event_id"], unique=False)
    op.create_index(
        "ix_events_subject", "events", ["tenant_id", "subject_type", "subject_id", "sequence"], unique=False
    )
    op.create_table(
        "exports",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('audit', 'privacy')", name=op.f("ck_exports_kind")),
        sa.CheckConstraint("status IN ('ready', 'expired')", name=op.f("ck_exports_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_exports")),
    )
    op.create_index("ix_exports_created_at", "exports", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_exports_kind", "exports", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_exports_status", "exports", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "principal", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_made_at", "idempotency", ["made_at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("log_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source", "event_id", name=op.f("pk_inbox")),
        info={"reach": "batch", "hash": 8, "app": "SELECT", "batch": "SELECT, INSERT"},
        postgresql_partition_by="HASH (tenant_id)",
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        info={"reach": "closed"},
    )
    op.create_table(
        "key_usage",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key_id", "day", name=op.f("pk_key_usage")),
        info={"reach": "batch", "app": "SELECT, DELETE", "batch": "SELECT, INSERT, UPDATE"},
    )
    op.create_table(
        "legal_holds",
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'released')", name=op.f("ck_legal_holds_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_legal_holds")),
    )
    op.create_index("ix_legal_holds_created_at", "legal_holds", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_legal_holds_status", "legal_holds", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index(
        "ix_legal_holds_subject_id", "legal_holds", ["tenant_id", "subject_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "loose_files",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_loose_files")),
    )
    op.create_table(
        "oauth_apps",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("redirect_uris", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("grant_types", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'approved', 'suspended')", name=op.f("ck_oauth_apps_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_apps")),
    )
    op.create_index(
        "ix_oauth_apps_client_id", "oauth_apps", ["tenant_id", "client_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_oauth_apps_created_at", "oauth_apps", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_oauth_apps_name", "oauth_apps", ["tenant_id", "name", "id"], unique=False)
    op.create_index("ix_oauth_apps_status", "oauth_apps", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "oauth_codes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "methods",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="How the person proved who they are.",
        ),
        sa.Column("session_id", sa.Uuid(), nullable=True, comment="The sign-in with which the family ends."),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_codes")),
    )
    op.create_index("ix_oauth_codes_expires_at", "oauth_codes", ["tenant_id", "expires_at"], unique=False)
    op.create_index("ix_oauth_codes_hash", "oauth_codes", ["tenant_id", "hash"], unique=False)
    op.create_table(
        "oauth_consents",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_consents")),
        sa.UniqueConstraint("tenant_id", "user_id", "app_id", name=op.f("uq_oauth_consents_tenant_id_user_id_app_id")),
    )
    op.create_table(
        "oauth_families",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("methods", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True, comment="The sign-in with which the family ends."),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_families")),
    )
    op.create_index("ix_oauth_families_expires_at", "oauth_families", ["tenant_id", "expires_at"], unique=False)
    op.create_index("ix_oauth_families_user_id", "oauth_families", ["tenant_id", "user_id"], unique=False)
    op.create_table(
        "oauth_refreshes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_refreshes")),
    )
    op.create_index("ix_oauth_refreshes_expires_at", "oauth_refreshes", ["tenant_id", "expires_at"], unique=False)
    op.create_index("ix_oauth_refreshes_hash", "oauth_refreshes", ["tenant_id", "hash"], unique=False)
    op.create_table(
        "oauth_revocations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_revocations")),
    )
    op.create_index("ix_oauth_revocations_expires_at", "oauth_revocations", ["tenant_id", "expires_at"], unique=False)
    op.create_table(
        "operations",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("progress", sa.BigInteger(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_operations_status")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_operations")),
    )
    op.create_index("ix_operations_created_at", "operations", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_operations_due",
        "operations",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_index("ix_operations_kind", "operations", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_operations_status", "operations", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_outbox")),
        info={"reach": "batch"},
    )
    op.create_index(
        "ix_outbox_lane",
        "outbox",
        ["tenant_id", "lane", "sequence"],
        unique=False,
        postgresql_where=sa.text("lane IS NOT NULL"),
    )
    op.create_table(
        "outlets",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_outlets_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_outlets")),
        sa.UniqueConstraint("tenant_id", "code", name="uq_outlets_code"),
    )
    op.create_index("ix_outlets_code", "outlets", ["tenant_id", "code", "id"], unique=False)
    op.create_index("ix_outlets_created_at", "outlets", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_outlets_name", "outlets", ["tenant_id", "name", "id"], unique=False)
    op.create_index("ix_outlets_status", "outlets", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "privacy_requests",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("export_id", sa.Uuid(), nullable=True),
        sa.Column("found", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("kept", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('export', 'erasure')", name=op.f("ck_privacy_requests_kind")),
        sa.CheckConstraint("status IN ('open', 'done', 'refused')", name=op.f("ck_privacy_requests_status")),
        sa.CheckConstraint(
            "subject_type IN ('client', 'contact', 'user')", name=op.f("ck_privacy_requests_subject_type")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_privacy_requests")),
    )
    op.create_index(
        "ix_privacy_requests_created_at", "privacy_requests", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_privacy_requests_due_at", "privacy_requests", ["tenant_id", "due_at", "id"], unique=False)
    op.create_index(
        "ix_privacy_requests_kind", "privacy_requests", ["tenant_id", "kind", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_privacy_requests_status", "privacy_requests", ["tenant_id", "status", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_privacy_requests_subject_id",
        "privacy_requests",
        ["tenant_id", "subject_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "quotas",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False, comment="The minute that is counted."),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "principal", "policy", name=op.f("pk_quotas")),
    )
    op.create_table(
        "quote_versions",
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("deposit", sa.BigInteger(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_quote_versions")),
        sa.UniqueConstraint(
            "tenant_id", "quote_id", "version", name=op.f("uq_quote_versions_tenant_id_quote_id_version")
        ),
        info={"app": "SELECT, INSERT"},
    )
    op.create_table(
        "rates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("blocks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "endpoint_id", name=op.f("pk_rates")),
        info={"reach": "batch"},
    )
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_roles")),
        sa.UniqueConstraint("tenant_id", "name", name="uq_roles_name"),
    )
    op.create_index("ix_roles_created_at", "roles", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_roles_name", "roles", ["tenant_id", "name", "id"], unique=False)
    op.create_table(
        "route_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_route_versions")),
        info={"reach": "batch"},
    )
    op.create_table(
        "search_tokens",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(collation="C"), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "noun", "token", "row_id", name=op.f("pk_search_tokens")),
    )
    op.create_index("ix_search_tokens_row", "search_tokens", ["tenant_id", "noun", "row_id"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("rotation_days", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overlap_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("old_value", sa.LargeBinary(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('database', 'integration', 'encryption_key', 'service_key', 'other')",
            name=op.f("ck_secrets_kind"),
        ),
        sa.CheckConstraint("status IN ('active', 'due', 'expired')", name=op.f("ck_secrets_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_secrets")),
        sa.UniqueConstraint("tenant_id", "name", name="uq_secrets_name"),
    )
    op.create_index("ix_secrets_created_at", "secrets", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_secrets_due_at", "secrets", ["tenant_id", "due_at", "id"], unique=False)
    op.create_index("ix_secrets_kind", "secrets", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_secrets_name", "secrets", ["tenant_id", "name", "id"], unique=False)
    op.create_index("ix_secrets_status", "secrets", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "setting_versions",
        sa.Column("setting_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("business", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tax", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("payments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notifications", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reports", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_setting_versions")),
        info={"app": "SELECT, INSERT"},
    )
    op.create_index(
        "ix_setting_versions_setting_id", "setting_versions", ["tenant_id", "setting_id", "id"], unique=False
    )
    op.create_index("ix_setting_versions_version", "setting_versions", ["tenant_id", "version", "id"], unique=False)
    op.create_table(
        "settings",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("business", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tax", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("payments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notifications", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reports", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_settings")),
    )
    op.create_index("ix_settings_created_at", "settings", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column(
            "public", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="The public key as a JWK."
        ),
        sa.Column("private", sa.LargeBinary(), nullable=False, comment="The private key as a JWK."),
        sa.Column("signs_from", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "tenants",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("second_factor", sa.Text(), nullable=False),
        sa.Column("identity_issuer", sa.Text(), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("locale IN ('en', 'ar')", name=op.f("ck_tenants_locale")),
        sa.CheckConstraint(
            "second_factor IN ('required_of_admins', 'required', 'optional')", name=op.f("ck_tenants_second_factor")
        ),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_tenants_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_tenants")),
        info={"reach": "batch", "batch": "SELECT"},
    )
    op.create_index("ix_tenants_created_at", "tenants", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_tenants_slug", "tenants", ["tenant_id", "slug", "created_at", "id"], unique=False)
    op.create_index("uq_tenants_slug", "tenants", ["slug"], unique=True)
    op.create_table(
        "throttles",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
        info={"reach": "closed"},
    )
    op.create_index(op.f("ix_throttles_until"), "throttles", ["until"], unique=False)
    op.create_table(
        "timeline_entries",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("subject_type", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "layer IN ('event', 'communication', 'document', 'money')", name=op.f("ck_timeline_entries_layer")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_timeline_entries")),
        info={"app": "SELECT, INSERT"},
    )
    op.create_index("ix_timeline_entries_at", "timeline_entries", ["tenant_id", "at", "id"], unique=False)
    op.create_index("ix_timeline_entries_job_id", "timeline_entries", ["tenant_id", "job_id", "id"], unique=False)
    op.create_index("ix_timeline_entries_layer", "timeline_entries", ["tenant_id", "layer", "id"], unique=False)
    op.create_index(
        "ix_timeline_entries_subject_id", "timeline_entries", ["tenant_id", "subject_id", "id"], unique=False
    )
    op.create_index("ix_timeline_entries_type", "timeline_entries", ["tenant_id", "type", "id"], unique=False)
    op.create_table(
        "trusted_issuers",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("claims", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("default_role", sa.Text(), nullable=True),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_trusted_issuers")),
        sa.UniqueConstraint("tenant_id", "issuer", "audience", name="uq_trusted_issuers_issuer_audience"),
    )
    op.create_index("ix_trusted_issuers_any", "trusted_issuers", ["issuer"], unique=False)
    op.create_index("ix_trusted_issuers_created_at", "trusted_issuers", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_trusted_issuers_issuer", "trusted_issuers", ["tenant_id", "issuer", "id"], unique=False)
    op.create_table(
        "users",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("further_roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("outlet_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("recovery", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_users_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "email", name="uq_users_email"),
        sa.UniqueConstraint("tenant_id", "issuer", "subject", name="uq_users_issuer_subject"),
    )
    op.create_index("ix_users_created_at", "users", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_users_email", "users", ["tenant_id", "email", "id"], unique=False)
    op.create_index("ix_users_name", "users", ["tenant_id", "name", "id"], unique=False)
    op.create_index("ix_users_role", "users", ["tenant_id", "role", "created_at", "id"], unique=False)
    op.create_index("ix_users_sign_in", "users", ["email"], unique=False)
    op.create_index("ix_users_status", "users", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "webhook_endpoints",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_types", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("filter", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("auth", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("auth_secret", sa.LargeBinary(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("ordering", sa.Text(), nullable=False),
        sa.Column("rate_limit", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("max_in_flight", sa.BigInteger(), nullable=False),
        sa.Column("timeout_seconds", sa.BigInteger(), nullable=False),
        sa.Column("retry_schedule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("format IN ('envelope', 'cloudevents')", name=op.f("ck_webhook_endpoints_format")),
        sa.CheckConstraint("ordering IN ('none', 'subject')", name=op.f("ck_webhook_endpoints_ordering")),
        sa.CheckConstraint("signature IN ('v1', 'v1a')", name=op.f("ck_webhook_endpoints_signature")),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_webhook_endpoints_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhook_endpoints")),
        info={"reach": "batch", "batch": "SELECT, UPDATE"},
    )
    op.create_index(
        "ix_webhook_endpoints_created_at", "webhook_endpoints", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_webhook_endpoints_status", "webhook_endpoints", ["tenant_id", "status", "created_at", "id"], unique=False
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        info={"reach": "closed"},
    )
    op.create_table(
        "passkeys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="How often the device says that it has signed."),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_passkeys_user_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("tenant_id", "user_id", "credential", name="uq_passkeys_credential"),
    )
    op.create_table(
        "sessions",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("methods", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_sessions_user_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_created_at", "sessions", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_sessions_hash"), "sessions", ["hash"], unique=False)
    op.create_index("ix_sessions_user_id", "sessions", ["tenant_id", "user_id", "created_at", "id"], unique=False)
    op.create_table(
        "sites",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Numeric(precision=20, scale=7), nullable=True),
        sa.Column("longitude", sa.Numeric(precision=20, scale=7), nullable=True),
        sa.Column("access_notes", sa.Text(), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('home', 'estate', 'business', 'other')", name=op.f("ck_sites_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"], ["clients.tenant_id", "clients.id"], name="fk_sites_client_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sites")),
    )
    op.create_index("ix_sites_city", "sites", ["tenant_id", "city", "created_at", "id"], unique=False)
    op.create_index("ix_sites_client_id", "sites", ["tenant_id", "client_id", "created_at", "id"], unique=False)
    op.create_index("ix_sites_created_at", "sites", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_sites_kind", "sites", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_sites_name", "sites", ["tenant_id", "name", "id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("trade", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name=op.f("ck_jobs_priority")),
        sa.CheckConstraint(
            "status IN ('requested', 'quoted', 'approved', 'scheduled', 'dispatched', 'on_site', 'in_progress', 'compliance_complete', 'certified', 'invoiced', 'paid', 'closed', 'cancelled', 'disputed')",
            name=op.f("ck_jobs_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"], ["clients.tenant_id", "clients.id"], name="fk_jobs_client_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "site_id"], ["sites.tenant_id", "sites.id"], name="fk_jobs_site_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_client_id", "jobs", ["tenant_id", "client_id", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_created_at", "jobs", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_due_at", "jobs", ["tenant_id", "due_at", "id"], unique=False)
    op.create_index("ix_jobs_priority", "jobs", ["tenant_id", "priority", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_reference", "jobs", ["tenant_id", "reference", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_site_id", "jobs", ["tenant_id", "site_id", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_status", "jobs", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_title", "jobs", ["tenant_id", "title", "id"], unique=False)
    op.create_index("ix_jobs_trade", "jobs", ["tenant_id", "trade", "created_at", "id"], unique=False)
    op.create_table(
        "documents",
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('certificate', 'report', 'contract', 'invoice', 'drawing', 'manual', 'other')",
            name=op.f("ck_documents_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"], ["clients.tenant_id", "clients.id"], name="fk_documents_client_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_documents_job_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_documents")),
    )
    op.create_index("ix_documents_client_id", "documents", ["tenant_id", "client_id", "created_at", "id"], unique=False)
    op.create_index("ix_documents_created_at", "documents", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_documents_job_id", "documents", ["tenant_id", "job_id", "created_at", "id"], unique=False)
    op.create_index("ix_documents_kind", "documents", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_documents_sha256", "documents", ["tenant_id", "sha256", "created_at", "id"], unique=False)
    op.create_index("ix_documents_title", "documents", ["tenant_id", "title", "id"], unique=False)
    op.create_table(
        "media",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=True),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lat", sa.Numeric(precision=20, scale=7), nullable=True),
        sa.Column("lng", sa.Numeric(precision=20, scale=7), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("slot IN ('before', 'after', 'other')", name=op.f("ck_media_slot")),
        sa.ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_media_job_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_media")),
    )
    op.create_index("ix_media_captured_at", "media", ["tenant_id", "captured_at", "id"], unique=False)
    op.create_index("ix_media_created_at", "media", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_media_job_id", "media", ["tenant_id", "job_id", "created_at", "id"], unique=False)
    op.create_index("ix_media_sha256", "media", ["tenant_id", "sha256", "created_at", "id"], unique=False)
    op.create_index("ix_media_slot", "media", ["tenant_id", "slot", "created_at", "id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("invoice_reference", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("gateway_reference", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "method IN ('cash', 'card', 'bank_transfer', 'mobile_money', 'other')", name=op.f("ck_payments_method")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"], ["clients.tenant_id", "clients.id"], name="fk_payments_client_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_payments_job_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payments")),
        sa.UniqueConstraint("tenant_id", "gateway", "gateway_reference", name="uq_payments_gateway_gateway_reference"),
        info={"app": "SELECT, INSERT"},
    )
    op.create_index("ix_payments_amount", "payments", ["tenant_id", "amount", "id"], unique=False)
    op.create_index("ix_payments_client_id", "payments", ["tenant_id", "client_id", "created_at", "id"], unique=False)
    op.create_index("ix_payments_created_at", "payments", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_payments_gateway", "payments", ["tenant_id", "gateway", "created_at", "id"], unique=False)
    op.create_index(
        "ix_payments_gateway_reference",
        "payments",
        ["tenant_id", "gateway_reference", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_payments_invoice_reference",
        "payments",
        ["tenant_id", "invoice_reference", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_payments_job_id", "payments", ["tenant_id", "job_id", "created_at", "id"], unique=False)
    op.create_index("ix_payments_method", "payments", ["tenant_id", "method", "created_at", "id"], unique=False)
    op.create_index("ix_payments_received_at", "payments", ["tenant_id", "received_at", "id"], unique=False)
    op.create_table(
        "quotes",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("deposit", sa.BigInteger(), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("viewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approver", sa.Text(), nullable=True),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decline_reason", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'sent', 'viewed', 'approved', 'declined', 'expired')", name=op.f("ck_quotes_status")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"], ["clients.tenant_id", "clients.id"], name="fk_quotes_client_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_quotes_job_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_quotes")),
    )
    op.create_index("ix_quotes_client_id", "quotes", ["tenant_id", "client_id", "created_at", "id"], unique=False)
    op.create_index("ix_quotes_created_at", "quotes", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_quotes_job_id", "quotes", ["tenant_id", "job_id", "created_at", "id"], unique=False)
    op.create_index("ix_quotes_reference", "quotes", ["tenant_id", "reference", "created_at", "id"], unique=False)
    op.create_index("ix_quotes_status", "quotes", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index("ix_quotes_total", "quotes", ["tenant_id", "total", "id"], unique=False)
    op.create_index("ix_quotes_valid_until", "quotes", ["tenant_id", "valid_until", "id"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("technician_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("eta", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('assessment', 'work', 'inspection', 'maintenance')", name=op.f("ck_schedules_kind")
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'en_route', 'arrived', 'done', 'cancelled')", name=op.f("ck_schedules_status")
        ),
        sa.ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_schedules_job_id"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "technician_id"], ["users.tenant_id", "users.id"], name="fk_schedules_technician_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_schedules")),
    )
    op.create_index("ix_schedules_created_at", "schedules", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_schedules_ends_at", "schedules", ["tenant_id", "ends_at", "created_at", "id"], unique=False)
    op.create_index("ix_schedules_job_id", "schedules", ["tenant_id", "job_id", "created_at", "id"], unique=False)
    op.create_index("ix_schedules_starts_at", "schedules", ["tenant_id", "starts_at", "id"], unique=False)
    op.create_index("ix_schedules_status", "schedules", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index(
        "ix_schedules_technician_id", "schedules", ["tenant_id", "technician_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "certificates",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("standard", sa.Text(), nullable=True),
        sa.Column("signatory", sa.Text(), nullable=True),
        sa.Column("signatory_registration", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'issued', 'revoked', 'expired')", name=op.f("ck_certificates_status")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "document_id"], ["documents.tenant_id", "documents.id"], name="fk_certificates_document_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_certificates_job_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("tenant_id", "number", name="uq_certificates_number"),
    )
    op.create_index("ix_certificates_created_at", "certificates", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_certificates_document_id", "certificates", ["tenant_id", "document_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_certificates_expires_at", "certificates", ["tenant_id", "expires_at", "id"], unique=False)
    op.create_index("ix_certificates_job_id", "certificates", ["tenant_id", "job_id", "created_at", "id"], unique=False)
    op.create_index("ix_certificates_number", "certificates", ["tenant_id", "number", "id"], unique=False)
    op.create_index("ix_certificates_status", "certificates", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index("ix_certificates_type", "certificates", ["tenant_id", "type", "created_at", "id"], unique=False)
