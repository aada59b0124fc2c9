"""Providers of services, calls of them, and the answers that are kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "service_answers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "operation", "asked", name=op.f("pk_service_answers")),
    )
    op.create_index("ix_service_answers_asked_at", "service_answers", ["asked_at"], unique=False)
    op.create_table(
        "service_calls",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("given", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("answer", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("response_status", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("about_type", sa.Text(), nullable=True),
        sa.Column("about_id", sa.Text(), nullable=True),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unanswered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("provider IN ('builtin', 'remote')", name=op.f("ck_service_calls_provider")),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'uncertain', 'done', 'failed', 'dead')",
            name=op.f("ck_service_calls_status"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_calls")),
    )
    op.create_index(
        "ix_service_calls_about_id", "service_calls", ["tenant_id", "about_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_service_calls_created_at", "service_calls", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_service_calls_lease",
        "service_calls",
        ["tenant_id", "lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_service_calls_operation", "service_calls", ["tenant_id", "operation", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_service_calls_service", "service_calls", ["tenant_id", "service", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_service_calls_status", "service_calls", ["tenant_id", "status", "created_at", "id"], unique=False
    )
    op.create_index(
        "uq_service_calls_claim",
        "service_calls",
        ["tenant_id", "claim"],
        unique=True,
        postgresql_where=sa.text("claim IS NOT NULL"),
    )
    op.create_table(
        "service_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "operation", name=op.f("pk_service_changes")),
    )
    op.create_table(
        "service_providers",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("auth", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("auth_secret", sa.LargeBinary(), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('builtin', 'remote')", name=op.f("ck_service_providers_mode")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_providers")),
        sa.UniqueConstraint("tenant_id", "service", name="uq_service_providers_service"),
    )
    op.create_index(
        "ix_service_providers_created_at", "service_providers", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_service_providers_mode", "service_providers", ["tenant_id", "mode", "created_at", "id"], unique=False
    )
