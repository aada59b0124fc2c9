"""Who sends messages is among the integrations."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_integrations_kind"), "integrations", type_="check")
    op.create_check_constraint(
        op.f("ck_integrations_kind"),
        "integrations",
        "kind IN ('webhook_endpoint', 'broker', 'service', 'notification_provider')",
    )
