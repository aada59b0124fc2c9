"""What knocks: inbound sources, and the requests that came to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "inbound_sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secret_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("old_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("url_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("old_hash", sa.LargeBinary(), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "dialect IN ('standard_webhooks', 'stripe', 'github', 'shopify', 'slack', 'twilio', 'xero', 'quickbooks',"
            " 'paystack', 'payfast', 'paytabs', 'mpesa', 'hmac', 'basic', 'api_key')",
            name=op.f("ck_inbound_sources_dialect"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_inbound_sources")),
        info={"reach": "batch", "batch": "SELECT"},
    )
    op.create_index("ix_inbound_sources_created_at", "inbound_sources", ["tenant_id", "created_at", "id"])
    op.create_index("ix_inbound_sources_dialect", "inbound_sources", ["tenant_id", "dialect", "created_at", "id"])
    op.create_index(op.f("ix_inbound_sources_hash"), "inbound_sources", ["hash"])
    op.create_index("ix_inbound_sources_name", "inbound_sources", ["tenant_id", "name", "id"])
    op.create_index(op.f("ix_inbound_sources_old_hash"), "inbound_sources", ["old_hash"])
    op.create_table(
        "inbound_requests",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("provider_event_id", sa.Text(), nullable=True),
        sa.Column("provider_event_type", sa.Text(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status IN ('accepted', 'duplicate', 'rejected', 'pending')", name=op.f("ck_inbound_requests_status")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_inbound_requests")),
        info={"reach": "batch", "app": "SELECT, UPDATE", "batch": "SELECT, INSERT, UPDATE"},
    )
    op.create_index(
        "ix_inbound_requests_due", "inbound_requests", ["due_at"], postgresql_where=sa.text("status = 'pending'")
    )
    for name in ("event_id", "provider_event_id", "reason", "received_at", "source_id", "status"):
        op.create_index(f"ix_inbound_requests_{name}", "inbound_requests", ["tenant_id", name, "id"])
