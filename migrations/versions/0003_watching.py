"""Watching: pulses, processes, integrations, alert rules and alerts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("window_seconds", sa.BigInteger(), nullable=False),
        sa.Column("for_seconds", sa.BigInteger(), nullable=False),
        sa.Column("clear_seconds", sa.BigInteger(), nullable=False),
        sa.Column("minimum", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("muted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('failure_rate', 'unavailable', 'timeouts', 'latency', 'dead_letters', 'backlog_age', 'broker_away', 'installation_backlog_age', 'log_lag', 'undispatched')",
            name=op.f("ck_alert_rules_kind"),
        ),
        sa.CheckConstraint("severity IN ('warning', 'critical')", name=op.f("ck_alert_rules_severity")),
        sa.CheckConstraint("status IN ('active', 'muted', 'disabled')", name=op.f("ck_alert_rules_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert_rules")),
    )
    op.create_index("ix_alert_rules_created_at", "alert_rules", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_alert_rules_kind", "alert_rules", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_alert_rules_status", "alert_rules", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "integrations",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("timeouts", sa.BigInteger(), nullable=False),
        sa.Column("p50_ms", sa.BigInteger(), nullable=True),
        sa.Column("p95_ms", sa.BigInteger(), nullable=True),
        sa.Column("p99_ms", sa.BigInteger(), nullable=True),
        sa.Column("oldest_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('webhook_endpoint', 'broker', 'service')", name=op.f("ck_integrations_kind")),
        sa.CheckConstraint("status IN ('up', 'degraded', 'down', 'disabled')", name=op.f("ck_integrations_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_integrations")),
    )
    op.create_index("ix_integrations_created_at", "integrations", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_integrations_kind", "integrations", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_integrations_status", "integrations", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_table(
        "processes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "states",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Lines to brokers and services, as this process finds them.",
        ),
        sa.Column("figures", sa.LargeBinary(), nullable=False, comment="What it has counted."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
        info={"reach": "closed"},
    )
    op.create_table(
        "pulses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ok", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("slow", sa.Integer(), nullable=False),
        sa.Column("streak", sa.Integer(), nullable=False, comment="Failures after the last success."),
        sa.Column("ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "spread",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Calls by bucket of their duration.",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_pulses")),
        info={"reach": "batch", "app": "SELECT", "batch": "SELECT, INSERT"},
    )
    op.create_index("ix_pulses_at", "pulses", ["tenant_id", "at"], unique=False)
    op.create_table(
        "turns",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_turns")),
        info={"reach": "closed"},
    )
    op.create_table(
        "alerts",
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("severity IN ('warning', 'critical')", name=op.f("ck_alerts_severity")),
        sa.CheckConstraint("status IN ('ok', 'pending', 'firing', 'resolved')", name=op.f("ck_alerts_status")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"], ["alert_rules.tenant_id", "alert_rules.id"], name="fk_alerts_rule_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_created_at", "alerts", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_alerts_kind", "alerts", ["tenant_id", "kind", "created_at", "id"], unique=False)
    op.create_index("ix_alerts_rule_id", "alerts", ["tenant_id", "rule_id", "created_at", "id"], unique=False)
    op.create_index("ix_alerts_severity", "alerts", ["tenant_id", "severity", "created_at", "id"], unique=False)
    op.create_index("ix_alerts_status", "alerts", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index("ix_alerts_subject_id", "alerts", ["tenant_id", "subject_id", "created_at", "id"], unique=False)
