"""Messages may go to a webhook of somebody's choice."""

from alembic import op

revision = "0013"
down_revision = "0012"
KINDS = ("smtp", "africastalking", "twilio", "fcm", "webhook")


def upgrade() -> None:
    op.drop_constraint("ck_notification_providers_kind", "notification_providers")
    op.create_check_constraint(op.f("ck_notification_providers_kind"), "notification_providers", f"kind IN {KINDS!r}")
