"""Messages that are past their time are found by an index."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_index("ix_messages_age", "messages", ["created_at"])
