"""Messages to people; and a link for those who forgot their password."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("users", sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "message_template_versions",
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("placeholders", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("short", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_message_template_versions")),
        sa.UniqueConstraint("tenant_id", "template_id", "version", name="uq_message_template_versions_version"),
        info={"app": "SELECT, INSERT"},
    )
    op.create_index(
        "ix_message_template_versions_template_id",
        "message_template_versions",
        ["tenant_id", "template_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_message_template_versions_version",
        "message_template_versions",
        ["tenant_id", "version", "id"],
        unique=False,
    )
    op.create_table(
        "message_templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("placeholders", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("short", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("locale IN ('en', 'ar')", name=op.f("ck_message_templates_locale")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_message_templates")),
        sa.UniqueConstraint("tenant_id", "name", "locale", name="uq_message_templates_name_locale"),
    )
    op.create_index(
        "ix_message_templates_category",
        "message_templates",
        ["tenant_id", "category", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_message_templates_created_at", "message_templates", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_message_templates_locale", "message_templates", ["tenant_id", "locale", "created_at", "id"], unique=False
    )
    op.create_index("ix_message_templates_name", "message_templates", ["tenant_id", "name", "id"], unique=False)
    op.create_table(
        "notification_providers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('email', 'sms', 'whatsapp', 'push', 'webhook')", name=op.f("ck_notification_providers_channel")
        ),
        sa.CheckConstraint(
            "kind IN ('smtp', 'africastalking', 'twilio', 'fcm')", name=op.f("ck_notification_providers_kind")
        ),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_notification_providers_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notification_providers")),
    )
    op.create_index(
        "ix_notification_providers_channel",
        "notification_providers",
        ["tenant_id", "channel", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_providers_created_at",
        "notification_providers",
        ["tenant_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_providers_kind",
        "notification_providers",
        ["tenant_id", "kind", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_providers_position", "notification_providers", ["tenant_id", "position", "id"], unique=False
    )
    op.create_index(
        "ix_notification_providers_status",
        "notification_providers",
        ["tenant_id", "status", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "notification_rules",
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("channels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("audience", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("otherwise", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_notification_rules_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notification_rules")),
        sa.UniqueConstraint("tenant_id", "event_type", name="uq_notification_rules_event_type"),
        info={"reach": "batch", "batch": "SELECT"},
    )
    op.create_index(
        "ix_notification_rules_created_at", "notification_rules", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_notification_rules_event_type",
        "notification_rules",
        ["tenant_id", "event_type", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_rules_status", "notification_rules", ["tenant_id", "status", "created_at", "id"], unique=False
    )
    op.create_table(
        "suppressions",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('email', 'sms', 'whatsapp', 'push', 'webhook', 'in_app')", name=op.f("ck_suppressions_channel")
        ),
        sa.CheckConstraint(
            "reason IN ('hard_bounce', 'complaint', 'stopped', 'manual')", name=op.f("ck_suppressions_reason")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("tenant_id", "channel", "address", name="uq_suppressions_channel_address"),
    )
    op.create_index(
        "ix_suppressions_address", "suppressions", ["tenant_id", "address", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_suppressions_channel", "suppressions", ["tenant_id", "channel", "created_at", "id"], unique=False
    )
    op.create_index("ix_suppressions_created_at", "suppressions", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_suppressions_reason", "suppressions", ["tenant_id", "reason", "created_at", "id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("template_version", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest_id", sa.Uuid(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("segments", sa.BigInteger(), nullable=True),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('email', 'sms', 'whatsapp', 'push', 'webhook', 'in_app')", name=op.f("ck_messages_channel")
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'held', 'collected', 'sent', 'delivered', 'failed', 'suppressed', 'cancelled')",
            name=op.f("ck_messages_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"], ["clients.tenant_id", "clients.id"], name="fk_messages_client_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_messages_user_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_messages")),
        sa.UniqueConstraint("tenant_id", "key", name="uq_messages_key"),
        info={"reach": "batch", "batch": "SELECT, UPDATE"},
    )
    op.create_index("ix_messages_address", "messages", ["tenant_id", "address"], unique=False)
    op.create_index("ix_messages_category", "messages", ["tenant_id", "category", "created_at", "id"], unique=False)
    op.create_index("ix_messages_channel", "messages", ["tenant_id", "channel", "created_at", "id"], unique=False)
    op.create_index("ix_messages_client_id", "messages", ["tenant_id", "client_id", "created_at", "id"], unique=False)
    op.create_index("ix_messages_created_at", "messages", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_messages_digest_id", "messages", ["tenant_id", "digest_id", "created_at", "id"], unique=False)
    op.create_index("ix_messages_due_at", "messages", ["tenant_id", "due_at", "created_at", "id"], unique=False)
    op.create_index("ix_messages_event_id", "messages", ["tenant_id", "event_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_messages_provider_message_id",
        "messages",
        ["tenant_id", "provider_message_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_messages_reference", "messages", ["tenant_id", "reference", "created_at", "id"], unique=False)
    op.create_index("ix_messages_request_id", "messages", ["tenant_id", "request_id", "created_at", "id"], unique=False)
    op.create_index("ix_messages_status", "messages", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index("ix_messages_user_id", "messages", ["tenant_id", "user_id", "created_at", "id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('unread', 'read', 'archived')", name=op.f("ck_notices_status")),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_notices_user_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_category", "notices", ["tenant_id", "category", "created_at", "id"], unique=False)
    op.create_index("ix_notices_created_at", "notices", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_notices_status", "notices", ["tenant_id", "status", "created_at", "id"], unique=False)
    op.create_index("ix_notices_user_id", "notices", ["tenant_id", "user_id", "created_at", "id"], unique=False)
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("quiet_from", sa.Text(), nullable=True),
        sa.Column("quiet_until", sa.Text(), nullable=True),
        sa.Column("digest_at", sa.Text(), nullable=False),
        sa.Column("choices", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("locale IN ('en', 'ar')", name=op.f("ck_notification_preferences_locale")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name="fk_notification_preferences_user_id"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_notification_preferences")),
        sa.UniqueConstraint("tenant_id", "address", name="uq_notification_preferences_address"),
        sa.UniqueConstraint("tenant_id", "user_id", name="uq_notification_preferences_user_id"),
    )
    op.create_index(
        "ix_notification_preferences_address",
        "notification_preferences",
        ["tenant_id", "address", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_preferences_created_at",
        "notification_preferences",
        ["tenant_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_preferences_user_id",
        "notification_preferences",
        ["tenant_id", "user_id", "created_at", "id"],
        unique=False,
    )
